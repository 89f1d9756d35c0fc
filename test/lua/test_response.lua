--- skynet.response: answers that are given later.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

tap.run(function()
	local peer = subject.new()
	tap.is(subject.call(peer, [[
		local r = skynet.response()
		skynet.timeout(1, function() state.sent = r(true, 'later') state.test = r 'TEST' end)]]),
		"later", "a response comes when it is ready")
	tap.is_deeply({ subject.eval(peer, "return state.sent, state.test") }, { true, false },
		"r returns true, and TEST false afterwards")
	tap.is(subject.call(peer, [[
		local r = skynet.response(function(...) return skynet.pack('packed', ...) end)
		r(true, 1)]]), "packed", "with an own pack function")
	local ok, err = pcall(subject.call, peer, "skynet.response()(false)")
	tap.ok(not ok, "r(false) raises in the caller")
	tap.is(skynet.error_kind(err), "remote", "with kind remote")
	ok, err = pcall(subject.call, peer, "skynet.response()(true, print)")
	tap.ok(not ok, "values that cannot be packed raise in the caller too: " .. err)
	local twice = subject.call(peer, [[
		local r = skynet.response()
		r(true, { pcall(skynet.response) })
		state.more = { pcall(r, true) }]])
	tap.is(twice[1], false, "a request is detached once")
	tap.like(twice[2], "no session", "no session")
	tap.like(subject.eval(peer, "return state.more")[2], "Can't response more than once",
		"and answered once")
	tap.is(subject.call(peer, "local r = skynet.response() r(true, (pcall(skynet.ret)))"), false,
		"ret after response raises")
	subject.send(peer, [[
		local r = skynet.response()
		state.dummy = table.pack(r(true, 1)).n + table.pack(r 'TEST').n]])
	tap.is(subject.eval(peer, "return state.dummy"), 0, "for a sent message it does nothing")
	tap.is(subject.call(peer, "coroutine.wrap(function() skynet.response()(true, 'native') end)()"),
		"native", "a native coroutine may answer for its task")

	local refused = subject.call(peer, "skynet.retpack({ pcall(skynet.response, {}) })")
	tap.is(refused[1], false, "what packs must be a function")
	tap.like(refused[2], "function expected, got table", "and the request can be answered still")

	-- never answered, and collected: its caller is told when the service ends
	local got
	skynet.fork(function()
		got = select(2, pcall(subject.call, peer, "skynet.response()"))
	end)
	skynet.yield()
	subject.eval(peer, "collectgarbage() collectgarbage() return 1")
	tap.is(got, nil, "a forgotten response is not answered")
	subject.send(peer, "skynet.exit()")
	tap.eventually(function() return got end, "before the service exits")
end)
