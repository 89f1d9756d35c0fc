--- skynet.exit, kill and term: who is told, and in which order things end.
local skynet = require "skynet"
require "skynet.manager"
local subject = require "subject"
local tap = require "tap"

local function fails_with(kind, name, f, ...)
	local ok, err = pcall(f, ...)
	tap.ok(not ok, name)
	tap.is(skynet.error_kind(err), kind, "with kind " .. tostring(kind))
end

--- What a service tells to the test while it ends.
local notes = {}

local CLOSER <const> = [[
	local function closer(name)
		local to = source
		return setmetatable({}, { __close = function() skynet.send(to, "lua", name) end })
	end ]]

local function test_exit()
	local peer = subject.new()
	subject.send(peer, CLOSER .. [[
		skynet.fork(function()
			local c <close> = closer "sleeper"
			skynet.sleep(100000)
		end)]])
	subject.send(peer, CLOSER .. [[
		skynet.timeout(100000, function() end)
		skynet.fork(function() skynet.wait {} end)
		skynet.yield()
		skynet.fork(function() skynet.send(source, "lua", "fork ran") end)
		local c <close> = closer "leaver"
		skynet.exit()
		skynet.send(source, "lua", "went on")]])
	tap.eventually(function() return notes[#notes] == "leaver" end,
		"exit closes the task that called it")
	tap.is(table.concat(notes, ","), "sleeper,leaver",
		"others first, queued forks never, nothing behind exit")
	tap.is(select("#", skynet.send(peer, "lua")), 0, "the address is dead")
	tap.eventually(function() return subject.logged(("%%[:%08x%%] KILL self"):format(peer)) end,
		"the log says so")
	tap.is(skynet.call(".launcher", "lua", "LIST")[skynet.address(peer)], nil,
		"the launcher has forgotten it")
end

local function test_answers()
	local peer = subject.new()
	local results = {}
	local function caller(text)
		return skynet.fork(function()
			local ok, err = pcall(subject.call, peer, text)
			results[#results + 1] = ok and "answered" or skynet.error_kind(err) or err
		end)
	end
	caller "skynet.sleep(100000)"
	caller "state.r = skynet.response()"
	caller "local r = skynet.response() skynet.fork(skynet.exit)"
	caller "skynet.retpack('not reached')"
	skynet.yield()
	tap.eventually(function() return #results == 4 end, "all callers of a service that exits go on")
	table.sort(results)
	local errors = 0
	for _, result in ipairs(results) do
		errors = errors + (result ~= "answered" and 1 or 0)
	end
	tap.ok(errors >= 3, "with errors: " .. table.concat(results, ","))
end

local function test_callees()
	local callee, caller = subject.new(), subject.new()
	skynet.send(caller, "lua", [[
		local skynet = require "skynet"
		local callee = select(3, ...)
		skynet.fork(function()
			skynet.call(callee, "lua", "state.r = require 'skynet'.response()")
		end)]], callee)
	tap.eventually(function()
		return subject.eval(callee, "return state.r and state.r 'TEST'")
	end, "a delayed response is wanted while its caller lives")
	subject.send(caller, "skynet.exit()")
	tap.eventually(function()
		return not subject.eval(callee, "return state.r 'TEST'")
	end, "not when it has exited")
	tap.is(subject.eval(callee, "return state.r(true)"), false, "then answering returns false")
	tap.ok(subject.eval(callee, "return not pcall(state.r, true)"), "and only once")
end

local function test_kill()
	local peer = subject.new()
	local ok, err
	skynet.fork(function()
		ok, err = pcall(subject.call, peer, "local r = skynet.response() skynet.retpack()")
	end)
	skynet.kill(peer)
	tap.eventually(function() return ok ~= nil end, "queued requests of a killed service fail")
	tap.is(skynet.error_kind(err), "dead_service", "with kind dead_service")
	local busy, kinds = subject.new(), {}
	for i, text in ipairs { "skynet.wait {}", "state.r = skynet.response()" } do
		skynet.fork(function()
			kinds[i] = skynet.error_kind(select(2, pcall(subject.call, busy, text)))
		end)
	end
	skynet.yield()
	subject.eval(busy, "return 1")
	skynet.kill(busy)
	tap.eventually(function() return #kinds == 2 end, "so do those that it had begun")
	tap.is(table.concat(kinds, " "), "dead_service dead_service", "with the same kind")
	fails_with("dead_service", "a call to a killed service raises", skynet.call, peer, "lua")
	tap.is(skynet.call(".launcher", "lua", "LIST")[skynet.address(peer)], nil,
		"the launcher has forgotten it")
	local named = subject.new()
	skynet.name(".victim", named)
	tap.is(skynet.localname ".victim", named, "a service can be named")
	skynet.kill ".victim"
	tap.is(skynet.localname ".victim", nil, "and killed by name")
	tap.is(skynet.call(".launcher", "lua", "LIST")[skynet.address(named)], nil,
		"the launcher has forgotten that one too")
	local hex = subject.new()
	skynet.kill(skynet.address(hex))
	tap.is(select("#", skynet.send(hex, "lua")), 0, "or by hex address")
end

--- Ways in which a handler ends its own service without an answer.
local SUICIDES <const> = {
	["skynet.kill(skynet.self())"] = "skynet.kill of itself",
	["skynet.kill(skynet.address(skynet.self()))"] = "skynet.kill of its own text address",
	["require 'skynet.core'.command 'EXIT'"] = "the command EXIT",
	["skynet.fork(skynet.kill, skynet.self()) skynet.wait {}"] = "a kill by a fork of it",
	["skynet.kill(skynet.self()) error 'then this'"] = "a kill and an error",
	["skynet.exit()"] = "skynet.exit",
}

local function test_suicide()
	for text, name in pairs(SUICIDES) do
		local peer, kinds, count = subject.new(), {}, 0
		local function caller(index, what)
			skynet.fork(function()
				local ok, err = pcall(subject.call, peer, what)
				count = count + 1
				kinds[index] = ok and "answered" or skynet.error_kind(err) or "nil"
			end)
		end
		caller(1, "skynet.wait {}")
		caller(2, "state.r = skynet.response()")
		caller(3, text)
		caller(4, "skynet.ret()")
		skynet.yield()
		tap.eventually(function() return count == 4 end, "all callers go on after " .. name)
		if not text:find "error" then
			tap.is(table.concat(kinds, " "), ("dead_service "):rep(4):sub(1, -2),
				"with kind dead_service")
		end
	end
	local peer = subject.new()
	tap.is(subject.eval(peer, "skynet.kill(skynet.self()) return 7"), 7,
		"what is answered after a kill of itself arrives")
end

local function test_select()
	local callee, caller = subject.new(), subject.new()
	skynet.send(caller, "lua", [[
		local skynet = require "skynet"
		local callee = select(3, ...)
		skynet.fork(function()
			local requests = skynet.request { callee, "lua",
				"state.r = require 'skynet'.response()" }
			for _ in requests:select() do end
		end)]], callee)
	tap.eventually(function()
		return subject.eval(callee, "return state.r and state.r 'TEST'")
	end, "one of several requests is wanted while its caller lives")
	subject.send(caller, "skynet.exit()")
	tap.eventually(function()
		return not subject.eval(callee, "return state.r 'TEST'")
	end, "not when it has exited")
end

local function test_term()
	local peer = subject.new()
	local got
	skynet.fork(function()
		local _
		_, got = pcall(subject.call, peer, "skynet.wait {}")
	end)
	skynet.yield()
	skynet.term(peer)
	skynet.yield()
	tap.is(skynet.error_kind(got), "dead_service", "term fails the calls to an address")
	got = nil
	skynet.name(".waiter", peer)
	skynet.fork(function()
		local _
		_, got = pcall(skynet.call, ".waiter", "lua", "require 'skynet'.wait {}")
	end)
	skynet.yield()
	skynet.term ".waiter"
	skynet.yield()
	tap.is(skynet.error_kind(got), "dead_service", "also by the name that was called")
	got = nil
	skynet.fork(function()
		local _
		_, got = pcall(skynet.call, ".waiter", "lua", "require 'skynet'.wait {}")
	end)
	skynet.yield()
	subject.send(peer, "skynet.exit()")
	tap.eventually(function() return got end, "a call by name fails when the service dies")
end

local function test_init()
	fails_with("remote", "an error in the start function fails newservice", skynet.newservice,
		"puppet", "fail")
	subject.logs("init service failed: .*told to fail\nstack traceback",
		"and is logged with its stack")
	tap.is(skynet.newservice("puppet", "exit"), nil, "exit in the start function returns no address")
end

local function test_main_chunk()
	tap.is(skynet.newservice("main_chunk", "exit"), nil, "exit in the main chunk ends the service")
	tap.eventually(function()
		return subject.logged "lua loader error : .*attempt to yield from outside a coroutine"
	end, "and raises there, as waiting does")
	for _, what in ipairs { "call", "sleep", "wait", "newservice" } do
		local peer = skynet.newservice("main_chunk", what)
		tap.like(skynet.call(peer, "lua"), "attempt to yield from outside a coroutine",
			what .. " raises in the main chunk")
	end
end

tap.run(function()
	skynet.dispatch("lua", function(_, _, text)
		notes[#notes + 1] = text
	end)
	test_exit()
	test_answers()
	test_callees()
	test_kill()
	test_suicide()
	test_select()
	test_term()
	test_init()
	test_main_chunk()
end)
