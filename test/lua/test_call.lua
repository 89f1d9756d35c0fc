--- skynet.send, call, rawcall, ret and what they say when it goes wrong.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local DEAD <const> = 0xfffff0

local function count(...)
	return select("#", ...)
end

local function test_values(peer)
	tap.is(subject.call(peer, "skynet.ret(skynet.pack(1, 'two'))"), 1, "a call returns the reply")
	tap.is(count(subject.call(peer, "skynet.ret()")), 0, "an empty reply has no values")
	tap.is(count(subject.call(peer, "skynet.retpack(nil, nil)")), 2, "nils of a reply are kept")
	tap.is_deeply({ subject.eval(peer, "return ...", 1.5, "x", true, { a = { 1, 2 } }) },
		{ 1.5, "x", true, { a = { 1, 2 } } }, "values of every type come back")
	local big = string.rep("x", 1000000)
	tap.is(#subject.eval(peer, "return ...", big), #big, "a large value comes back")
	local session, source = subject.call(peer, "skynet.retpack(session, source)")
	tap.ok(session > 0, "a call has a session")
	tap.is(source, skynet.self(), "the source is the caller")
end

local function test_send(peer)
	tap.is(subject.send(peer, "state.sent = session"), 0, "send returns 0")
	tap.is(subject.eval(peer, "return state.sent"), 0, "a sent message has session 0")
	tap.is(count(skynet.send(DEAD, "lua", 1)), 0, "send to a dead address returns nothing")
	tap.is(skynet.rawsend(peer, "lua", skynet.packstring "state.raw = 1"), 0, "rawsend takes a string")
	tap.is(skynet.rawsend(peer, "lua", skynet.pack "state.raw = state.raw + 1"), 0,
		"rawsend takes a pointer")
	tap.is(subject.eval(peer, "return state.raw"), 2, "raw messages arrive")
	tap.is(skynet.redirect(peer, 4711, "lua", 0, skynet.pack "state.from = source"), 0,
		"redirect sends")
	tap.is(subject.eval(peer, "return state.from"), 4711, "redirect sets the source")
	tap.raises(function() skynet.send(peer, "nonesuch", 1) end, "unknown protocol 'nonesuch'",
		"an unknown protocol is an error")
	tap.raises(function() skynet.send(0, "lua") end, "Invalid service address 0",
		"address 0 is an error")
	tap.raises(function() skynet.send({}, "lua") end,
		"dest address type %(table%) must be a string or number",
		"an address of a wrong type is an error")
	tap.raises(function() skynet.send(peer, "lua", print) end, "Unsupport type function",
		"a function cannot be sent")
	tap.raises(function() skynet.rawsend(peer, "lua", {}) end, "invalid param table",
		"a raw message must be a string or pointer")
	tap.is(subject.send(tostring(peer), "state.text = true"), 0, "a number as text is an address")
	tap.is(subject.send(skynet.address(peer), "state.hex = true"), 0, "hex text is an address")
	tap.is_deeply({ subject.eval(peer, "return state.text, state.hex") }, { true, true },
		"messages to text addresses arrive")
end

local function test_failures(peer)
	local ok, err = pcall(skynet.call, DEAD, "lua", "x")
	tap.ok(not ok, "a call to a dead address raises")
	tap.like(err, "call to invalid address :00fffff0", "and names the address")
	tap.is(skynet.error_kind(err), "dead_service", "its kind is dead_service")

	ok, err = pcall(skynet.call, ".nonesuch", "lua", "x")
	tap.ok(not ok and err:find "call to invalid address .nonesuch", "so does one to an unknown name")

	ok, err = pcall(function()
		subject.call(peer, "error 'broken'")
		return 1
	end)
	tap.ok(not ok, "an error of the handler raises in the caller")
	tap.like(err, "call failed", "as call failed")
	tap.like(err, "subject:1: broken", "with the text of the error")
	tap.is(skynet.error_kind(err), "remote", "its kind is remote")

	ok, err = pcall(function()
		local _ = skynet.call(peer, "lua", "error {}")
	end)
	tap.ok(not ok, "an error object raises too")
	tap.like(err, "test_call.lua:%d+: call failed", "the error has the position of the caller")
	tap.is(skynet.error_kind "something else", nil, "other errors have no kind")
	tap.is(skynet.error_kind {}, nil, "nor have objects")
	tap.is(select("#", skynet.error_kind "something else"), 1, "which is told by nil")
	subject.logs("subject:1: broken\nstack traceback:", "the error is logged with its stack")

	ok, err = pcall(subject.call, peer, "skynet.exit()")
	tap.ok(not ok and skynet.error_kind(err) == "dead_service", "exit fails the call: " .. err)
	tap.like(err, "dead service :%x+", "the error names who died")
end

local function test_malformed(peer)
	local ok, err = pcall(skynet.rawcall, peer, "lua", "\xff\xff\xff")
	tap.ok(not ok, "a malformed request is answered with an error")
	tap.like(err, "Invalid serialize stream", "which says so")
	ok, err = pcall(subject.call, peer, "skynet.ret('\\xff\\xff')")
	tap.ok(not ok, "a malformed reply raises in the caller")
	tap.like(err, "Invalid serialize stream", "which says so")
	tap.is(subject.eval(peer, "return 1"), 1, "both sides go on")
end

local function test_raw(peer)
	local msg, size = skynet.rawcall(peer, "lua", skynet.packstring "require 'skynet'.ret 'abc'")
	tap.is(type(msg), "userdata", "rawcall returns a pointer")
	tap.is(skynet.tostring(msg, size), "abc", "and the size of what it points to")
end

local function test_answers(peer)
	local got = { subject.eval(peer, [[
		local results = {}
		skynet.fork(function()
			results[1], results[2] = pcall(skynet.ret)
		end)
		skynet.sleep(1)
		return table.unpack(results)]]) }
	tap.is(got[1], false, "ret outside of a request raises")
	tap.like(got[2], "No session", "No session")
	local _, source = subject.call(peer, [[
		skynet.retpack(skynet.context())
		state.after = table.pack(skynet.context())
		state.twice = { pcall(skynet.ret) }]])
	tap.is(source, skynet.self(), "context tells the source")
	local after = subject.eval(peer, "return state.after")
	tap.is(after[1], nil, "context has no session after the answer")
	tap.is(after[2], skynet.self(), "but the source")
	local twice = subject.eval(peer, "return state.twice")
	tap.ok(twice[1] == false and twice[2]:find "No session", "a second answer raises")
	subject.send(peer, "state.oneway = skynet.retpack(1) state.again = { pcall(skynet.ret) }")
	tap.is(subject.eval(peer, "return state.oneway"), false, "ret of a sent message returns false")
	tap.is(subject.eval(peer, "return state.again[1]"), false, "once")
	subject.send(peer, "state.ignored = skynet.ignoreret()")
	skynet.fork(function()
		pcall(skynet.call_timeout, 50, peer, "lua", "state.forgotten = true")
	end)
	tap.eventually(function()
		return subject.logged "Maybe forgot response session %d+ from :%x+ : .*subject.lua:%d+"
	end, "a handler that forgets to answer is logged")
end

local function test_many(peer)
	local left, wrong, main = 200, 0, {}
	for i = 1, left do
		skynet.fork(function()
			for j = 1, 20 do
				local x, y = subject.eval(peer, "return ...", i, j)
				if x ~= i or y ~= j then
					wrong = wrong + 1
				end
			end
			left = left - 1
			if left == 0 then
				skynet.wakeup(main)
			end
		end)
	end
	skynet.wait(main)
	tap.is(wrong, 0, "many calls at once get their own replies")
end

local function test_gone()
	local peer = subject.new()
	local results = {}
	for i = 1, 10 do
		skynet.fork(function()
			local ok, err = pcall(subject.call, peer, "skynet.wait {}")
			results[i] = not ok and skynet.error_kind(err)
		end)
	end
	skynet.yield()
	subject.send(peer, "skynet.exit()")
	tap.eventually(function() return #results == 10 end, "exit ends all calls that wait for it")
	tap.is(table.concat(results, " "), string.rep("dead_service ", 10):sub(1, -2),
		"with the kind dead_service")
end

tap.run(function()
	local peer = subject.new()
	test_values(peer)
	test_send(peer)
	test_malformed(peer)
	test_raw(peer)
	test_answers(peer)
	test_many(peer)
	test_failures(peer)
	test_gone()
end)
