-- The second and later services of a script are copies of a prepared state.
-- config: luaservice = "$TEST_TMP/?.lua;./test/lua/?.lua;./test/service/?.lua;./service/?.lua"
local skynet = require "skynet"
local codecache = require "skynet.codecache"
local tap = require "tap"

local LAUNCHES <const> = 5
local SMALL <const> = 32 * 1024
local MANY_STRINGS <const> = 30000

local folder <const> = skynet.getenv "test_tmp"

local function write(name, text)
	local handle <close> = assert(io.open(folder .. "/" .. name .. ".lua", "w"))
	handle:write(text)
end

-- A service that runs the text of each request in its environment.
local BODY <const> = [[
local skynet = require "skynet"
skynet.start(function()
	skynet.dispatch("lua", function(_, _, text, ...)
		skynet.retpack(assert(load(text))(...))
	end)
end)
]]

local function launch_some(name, ...)
	local list = {}
	for i = 1, LAUNCHES do
		list[i] = skynet.newservice(name, ...)
	end
	return list
end

local function ask(address, text, ...)
	return skynet.call(address, "lua", text, ...)
end

local function ask_all(list, text, ...)
	local answers = {}
	for i, address in ipairs(list) do
		answers[i] = ask(address, text, ...)
	end
	return answers
end

local function all_equal(list)
	for i = 2, #list do
		if list[i] ~= list[1] then
			return false
		end
	end
	return true
end

local function all_differ(list)
	local seen = {}
	for _, value in ipairs(list) do
		if seen[value] then
			return false
		end
		seen[value] = true
	end
	return true
end

-- What can be reached from the globals, as text.
local WALK <const> = [[
local seen, lines = {}, {}
local function walk(value, path)
	if type(value) ~= "table" or seen[value] then
		lines[#lines + 1] = path .. " " .. type(value)
		return
	end
	seen[value] = true
	local names = {}
	for name in next, value do
		names[#names + 1] = tostring(name)
	end
	table.sort(names)
	for _, name in ipairs(names) do
		if rawget(value, name) ~= nil then
			walk(rawget(value, name), path .. "." .. name)
		end
	end
end
walk(_G, "_G")
walk(debug.getmetatable "", "string")
return table.concat(lines, "\n")
]]

local function test_same()
	write("same", BODY)
	local list = launch_some "same"
	tap.ok(all_equal(ask_all(list, WALK)), "all services of a script see the same globals")
	tap.is(table.concat(ask_all(list, "return require 'skynet'.self()"), " "),
		table.concat(list, " "), "each knows its own address")
	tap.ok(all_differ(ask_all(list, "return math.random(0)")),
		"their random numbers differ")
	tap.ok(all_equal(ask_all(list, [[
		local skynet = require "skynet"
		local order = {}
		skynet.fork(function() order[#order + 1] = "fork" end)
		skynet.sleep(1)
		order[#order + 1] = select("#", skynet.call(skynet.self(), "debug", "PING"))
		return table.concat(order, " ")
	]])), "all can sleep, fork and call")
	local where = ask_all(list, "return select(2, pcall(error, debug.traceback 'x', 2))")
	tap.ok(all_equal(where), "tracebacks are the same")
	local memory = {}
	for i, address in ipairs(list) do
		skynet.call(address, "lua", "collectgarbage() collectgarbage() return 0")
		memory[i] = skynet.call(address, "debug", "MEM")
	end
	tap.ok(memory[LAUNCHES] < memory[1] - 4, "a copy does not count what it shares",
		table.concat(memory, " "))
	local idle = launch_some "same"[LAUNCHES]
	local small = require("skynet.memory").info()[idle]
	tap.ok(small < SMALL, "and is small", tostring(small))
end

local function test_apart()
	local list = launch_some "same"
	for i, address in ipairs(list) do
		ask(address, [[
			local i = ...
			mark, string.mark, package.loaded.mark = i, i, i
			debug.getmetatable("").__len = nil
			debug.getmetatable("").mark = i
			require("skynet").mark = i
		]], i)
	end
	local marks = ask_all(list, [[
		return ("%d %d %d %d %d"):format(mark, string.mark, package.loaded.mark,
			debug.getmetatable("").mark, require "skynet".mark)
	]])
	for i, text in ipairs(marks) do
		tap.is(text, ("%d %d %d %d %d"):format(i, i, i, i, i),
			"what service " .. i .. " writes is its own")
	end
	local late = skynet.newservice "same"
	tap.is(ask(late, "return mark"), nil, "the next one has none of it")
end

local function test_collector()
	local list = launch_some "same"
	for _, mode in ipairs { "incremental", "generational" } do
		for i, address in ipairs(list) do
			tap.is(ask(address, [[
				local mode, i = ...
				collectgarbage(mode)
				collectgarbage "setpause"
				local kept = {}
				for n = 1, 20000 do
					kept[n % 500] = { n, tostring(n), function() return n end }
					if n % 1000 == 0 then collectgarbage("step", 1) end
				end
				for n, entry in pairs(kept) do
					assert(entry[1] % 500 == n and entry[2] == tostring(entry[1]))
					assert(entry[3]() == entry[1])
				end
				string, table, io, os, debug, utf8 = nil, nil, nil, nil, nil, nil
				collectgarbage() collectgarbage()
				return i
			]], mode, i), i, ("a copy lives through %s cycles (%d)"):format(mode, i))
		end
		list = launch_some "same"
	end
end

local function test_strings()
	local list = launch_some "same"
	local grow <const> = [[
		kept = {}
		for i = 1, ... do kept["key " .. i] = i end
		for i = 1, ... do assert(kept["key " .. i] == i) end
		return 0
	]]
	tap.ok(all_equal(ask_all(list, grow, MANY_STRINGS)), "a copy may have many strings")
	tap.ok(all_equal(ask_all(list, [[
		kept = nil
		for _ = 1, 5 do collectgarbage() end
		return require("skynet").self and _G["st" .. "ring"].dump and 0
	]])), "and forget them")
	tap.ok(all_equal(ask_all(list, WALK)), "it still finds the names that it shares with the others")
	tap.ok(all_equal(ask_all(list, grow, 3000)), "and can begin again")
	codecache.clear()
	launch_some "same"
	collectgarbage()
	tap.ok(all_equal(ask_all(list, WALK)), "copies outlive their template")
	tap.ok(all_equal(ask_all(list, [[
		local f = load("local a <const> = 1 return function(b) return a + b.c end", "=f")()
		return tostring(select(2, pcall(f))) .. #string.dump(f)
	]])), "and compile as ever")
end

local function test_debug()
	write("looking", [[
		function faulty(argument)
			local variable = argument
			return variable.field
		end
	]] .. BODY)
	local list = launch_some "looking"
	tap.ok(all_equal(ask_all(list, "return select(2, pcall(faulty))")), "errors name variables")
	tap.ok(all_equal(ask_all(list, "return string.dump(faulty)")), "functions can be dumped")
	tap.ok(all_equal(ask_all(list, [[
		local lines = {}
		debug.sethook(function(_, line) lines[#lines + 1] = line end, "l")
		faulty {}
		debug.sethook()
		local info = debug.getinfo(faulty, "SL")
		for line in pairs(info.activelines) do lines[#lines + 1] = line end
		table.sort(lines)
		return table.concat(lines, " ") .. info.short_src .. debug.getlocal(faulty, 1)
	]])), "hooks see lines")
end

local function test_files()
	write("part_a", "return { name = 'a' }")
	write("part_b", "return { name = 'b' }")
	write("choosing", [[
		local part = ...
		package.path = "]] .. folder .. [[/?.lua;" .. package.path
		chosen = require("part_" .. part).name
	]] .. BODY)
	local answers = {}
	for _, part in ipairs { "a", "a", "b", "b", "a", "b" } do
		answers[#answers + 1] = ask(skynet.newservice("choosing", part), "return chosen")
	end
	tap.is(table.concat(answers), "aabbab", "arguments may decide which modules are loaded")

	write("changing", "version = 1 " .. BODY)
	tap.is(table.concat(ask_all(launch_some "changing", "return version")), "11111",
		"a script is read once")
	write("changing", "version = 2 " .. BODY)
	tap.is(ask(skynet.newservice "changing", "return version"), 1, "a change is not seen at first")
	codecache.clear()
	tap.is(table.concat(ask_all(launch_some "changing", "return version")), "22222",
		"but after the cache was cleared")

	write("twice", [[
		local first = loadfile "]] .. folder .. [[/part_a.lua"
		local second = loadfile "]] .. folder .. [[/part_a.lua"
		different = first ~= second and first() ~= second() and first().name == "a"
	]] .. BODY)
	tap.ok(all_equal { true, table.unpack(ask_all(launch_some "twice", "return different")) },
		"a file that is loaded twice gives two functions")
end

local function test_failures()
	write("failing", "local what = ... if what == 'no' then error 'asked to' end " .. BODY)
	local outcome = {}
	for i, what in ipairs { "no", "yes", "no", "yes", "no", "yes", "yes" } do
		outcome[i] = pcall(skynet.newservice, "failing", what) and "+" or "-"
	end
	tap.is(table.concat(outcome), "-+-+-++", "a launch that fails spoils none of the others")

	write("limited", "require('skynet').memlimit(4 << 20) " .. BODY)
	local limits = ask_all(launch_some "limited", "return (pcall(string.rep, 'x', 8 << 20))")
	tap.ok(all_equal { false, table.unpack(limits) }, "memory limits hold in copies")

	write("uncached", "require('skynet.codecache').mode 'OFF' " .. BODY)
	tap.is(table.concat(ask_all(launch_some "uncached", "return 1")), "11111",
		"a script may turn the cache off")
end

local function test_many()
	local addresses, count = {}, 0
	for i = 1, 40 do
		skynet.fork(function()
			addresses[i] = skynet.newservice("same", i)
			count = count + 1
		end)
	end
	tap.eventually(function()
		return count == 40
	end, "many can start at the same time")
	for _, address in ipairs(addresses) do
		skynet.send(address, "debug", "EXIT")
	end
	local left
	tap.eventually(function()
		left = 0
		for _, address in ipairs(addresses) do
			if pcall(skynet.call, address, "debug", "PING") then
				left = left + 1
			end
		end
		return left == 0
	end, "and end")
end

tap.run(function()
	test_same()
	test_apart()
	test_collector()
	test_strings()
	test_debug()
	test_files()
	test_failures()
	test_many()
end)
