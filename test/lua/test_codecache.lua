-- One compiled copy of each file per process, with the modes and the clearing of it.
local skynet = require "skynet"
local codecache = require "skynet.codecache"
local tap = require "tap"

local file = skynet.getenv "test_tmp" .. "/cached.lua"

local function write(text)
	local handle <close> = assert(io.open(file, "w"))
	handle:write(text)
end

local function value()
	return assert(loadfile(file))()
end

tap.run(function()
	tap.is(codecache.loadfile, loadfile, "codecache.loadfile is the global one")
	tap.is(codecache.mode(), "ON", "the cache is on at first")

	write "return 1"
	tap.is(value(), 1, "loads a file")
	write "return 2"
	tap.is(value(), 1, "a changed file is not seen")
	tap.is(dofile(file), 1, "neither by dofile")
	local service = skynet.newservice "evaluator"
	tap.is(skynet.call(service, "lua", "return dofile(...)", file), 1, "nor by another service")
	codecache.mode "OFF"
	tap.is(codecache.mode(), "OFF", "the mode can be read")
	tap.is(value(), 2, "with the mode OFF the file is read")
	codecache.mode "ON"
	tap.is(value(), 1, "and the cache has kept its copy")
	codecache.clear()
	tap.is(value(), 2, "clearing makes the file be read again")

	codecache.clear()
	codecache.mode "EXIST"
	write "return 3"
	tap.is(value(), 3, "with the mode EXIST a file that is not cached is read")
	write "return 4"
	tap.is(value(), 4, "and not put into the cache")
	codecache.mode "ON"
	tap.is(value(), 4, "which was empty")
	write "return 5"
	codecache.mode "EXIST"
	tap.is(value(), 4, "with the mode EXIST a cached file is used")
	codecache.mode "ON"
	tap.raises(function()
		codecache.mode "SOMETIMES"
	end, "bad argument", "an unknown mode is an error")
	tap.is(skynet.call(service, "lua", "return require 'skynet.codecache'.mode()"), "ON",
		"the mode is one of the service")

	codecache.clear()
	write "x = ... return x, _ENV"
	local env = {}
	local x, got = assert(loadfile(file, "t", env))(7)
	tap.ok(x == 7 and got == env and env.x == 7, "loadfile takes an environment for a fresh file")
	env = {}
	x, got = assert(loadfile(file, "t", env))(8)
	tap.ok(x == 8 and got == env and env.x == 8, "and for a cached one")
	tap.ok(loadfile(file, "b"), "the mode of loadfile does not matter for a cached file")
	codecache.clear()
	local ok, message = loadfile(file, "b")
	tap.ok(not ok and message:find "attempt to load a text chunk", "and does for a fresh one")

	codecache.clear()
	write "\n\nlocal function named() error 'here' end\nnamed()"
	for _ = 1, 2 do
		local _, trace = xpcall(assert(loadfile(file)), debug.traceback)
		tap.like(trace, "cached.lua:3: here.*in local 'named'.*cached.lua:4: in main chunk",
			"file, lines and names stay in a cached chunk")
	end

	tap.is(loadfile(file .. ".missing"), nil, "a missing file gives nil")
	tap.like(select(2, loadfile(file .. ".missing")), "cannot open", "and a message")
	tap.raises(function()
		dofile(file .. ".missing")
	end, "cannot open", "dofile raises it")
	write "coroutine.yield('yielded') return 'done'"
	codecache.clear()
	local co = coroutine.wrap(dofile)
	tap.is(co(file), "yielded", "a file may yield in dofile")
	tap.is(co(), "done", "and go on")

	write "return ..."
	codecache.clear()
	local services, answered = {}, 0
	for i = 1, 8 do
		services[i] = skynet.newservice "evaluator"
	end
	for i = 1, 8 do
		skynet.fork(function()
			local count = skynet.call(services[i], "lua", [[
				local file = ...
				local codecache = require "skynet.codecache"
				local good = 0
				for i = 1, 300 do
					if i % 7 == 0 then codecache.clear() end
					good = good + (loadfile(file)(i) == i and 1 or 0)
				end
				return good
			]], file)
			answered = answered + count
		end)
	end
	tap.eventually(function()
		return answered == 8 * 300
	end, "many services load and clear at the same time")
end)
