-- The debugger: channel, evaluation in a stopped function, a whole session through debug_agent.
local skynet = require "skynet"
local socket = require "skynet.socket"
local debugchannel = require "skynet.debugchannel"
local injectcode = require "skynet.injectcode"
local inject = require "skynet.inject"
local tap = require "tap"

local outer = 1

local function stopped(a, ...)
	local b = a + outer
	coroutine.yield(b, ...)
	return a, b, outer
end

local function test_channel()
	local writer, handle = debugchannel.create()
	local reader = debugchannel.connect(handle)
	tap.is(reader:read(), nil, "an empty channel reads nil")
	writer:write "one"
	writer:write ""
	writer:write "t\0o"
	tap.is(reader:read(), "one", "lines come in order")
	tap.is(reader:read(), "", "also empty ones")
	tap.is(reader:read(1), "t\0o", "and such with NUL")
	tap.is(reader:read(0.1), nil, "a read with a timeout ends")
	tap.raises(function()
		debugchannel.connect(handle)
	end, "new channel failed", "a channel has one reader")
	tap.raises(function()
		debugchannel.connect(skynet.unpack("\x03\1\0\0\0\0\0\0\0"))
	end, "new channel failed", "a handle of nothing is refused")
end

local function test_injectcode()
	local co = coroutine.create(stopped)
	coroutine.resume(co, 5, "x", "y")
	-- level 0 is coroutine.yield
	tap.is_deeply({ injectcode("a, b, outer, ...", co, 1) }, { true, 5, 6, 1, "x", "y" },
		"locals, upvalues and varargs of a stopped function can be read")
	tap.is(injectcode("b = 60 outer = 2", co, 1), true, "and assigned")
	tap.is_deeply({ coroutine.resume(co) }, { true, 5, 60, 2 }, "which it sees when it goes on")
	co = coroutine.create(stopped)
	coroutine.resume(co, 5)
	tap.is(injectcode("a +", co, 1), false, "a syntax error is told")
	tap.is(select(2, injectcode("error 'x'", co, 1)), "(debug):1: x", "and so is a raised one")
	tap.is(select(2, injectcode("tostring(a)", co, 1)), "5", "globals are known")
end

local function test_inject()
	local ok, output = inject(skynet, "print('a', 1) print(...) return 1", nil, { "x", n = 1 })
	tap.is(ok, true, "injected code runs")
	tap.is(output, "a\t1\nx", "what it prints is the output")
	ok, output = inject(skynet, "print 'before' error 'oops'", "file.lua")
	tap.is(ok, false, "its error is told")
	tap.like(output, "^before\nfile.lua:1: oops\nstack traceback", "behind what it printed")
	ok, output = inject(skynet, "x x", "file.lua")
	tap.ok(not ok and output:find "file.lua:1: syntax error", "a syntax error is told")
	local state = { value = 1 }
	skynet.dispatch("lua", function()
		return state.value
	end)
	ok, output = inject(skynet, "_P.lua.state.value = 2 print(_P.lua.state.value)")
	tap.ok(ok and output == "2" and state.value == 2, "_P reaches what a dispatch function keeps")
	ok, output = inject(skynet, "print(_U.state.value)", nil, nil, function()
		return state
	end)
	tap.ok(ok and output == "2", "_U reaches what the given functions keep")
end

local function test_session()
	local target = skynet.newservice "debuggee"
	local received = ""
	local listener, _, port = socket.listen("127.0.0.1", 0)
	local accepted
	socket.start(listener, function(id)
		accepted = id
		socket.start(id)
	end)
	local client = socket.open("127.0.0.1", port)
	tap.eventually(function()
		return accepted
	end, "the console is connected")
	skynet.fork(function()
		while true do
			local text = socket.read(client)
			if not text then
				return
			end
			received = received .. text
		end
	end)
	local function says(text, name)
		tap.eventually(function()
			local _, last = received:find(text)
			if last then
				received = received:sub(last + 1)
				return true
			end
		end, name)
	end

	local agent = skynet.newservice "debug_agent"
	local answer
	skynet.fork(function()
		answer = table.pack(pcall(skynet.call, agent, "lua", "start", target, accepted))
	end)
	local function line(text)
		skynet.send(agent, "lua", "cmd", text)
	end
	local prompt = string.format(":%08x>", target)
	says(prompt, "the target prompts")
	line "1 + 1, 'two'"
	says("2\ttwo\t\n" .. prompt, "expressions are evaluated")
	line "no syntax"
	says("syntax error[^\n]*\n" .. prompt, "errors are shown")
	line "watch 'lua'"
	says(prompt, "a protocol can be watched")

	local result
	skynet.fork(function()
		result = skynet.call(target, "lua", 20, 22)
	end)
	says("debuggee.lua%(%d+%)>", "the next request stops")
	tap.is(result, nil, "and is not answered")
	tap.is(skynet.call(target, "lua", 1, 2), 3, "other requests are")
	line "a, b"
	says("20\t22\t\n", "its variables can be read")
	line "b = 30"
	says("debuggee.lua%(%d+%)>", "and assigned")
	line "n"
	says("debuggee.lua%(%d+%)>", "it can be stepped")
	line "c"
	tap.eventually(function()
		return result
	end, "and goes on")
	tap.is(result, 50, "with what was assigned")
	says(prompt, "the target prompts again")

	local refused = skynet.newservice "debug_agent"
	tap.raises(function()
		skynet.call(refused, "lua", "start", target, accepted)
	end, "call failed", "a second debugger is refused")

	line "watch 'lua'"
	says(prompt, "a protocol can be watched again")
	skynet.fork(function()
		result = skynet.call(target, "lua", 1, 1)
	end)
	result = nil
	says("debuggee.lua%(%d+%)>", "the next request stops again")
	line "cont"
	tap.eventually(function()
		return answer and result
	end, "leaving ends the session and lets it go on")
	tap.ok(answer and answer[1] and answer[2] == true, "the session has ended well")
	tap.is(skynet.call(target, "lua", 3, 4), 7, "the target works as before")
	socket.close(client)
	socket.close(listener)
end

tap.run(function()
	test_channel()
	test_injectcode()
	test_inject()
	test_session()
end)
