--- The debug protocol, as the console speaks it.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

tap.run(function()
	local peer = subject.new()
	local function ask(...)
		return skynet.call(peer, "debug", ...)
	end
	tap.ok(ask "MEM" > 10, "MEM tells the kilobytes of the state")
	skynet.send(peer, "debug", "GC")
	tap.eventually(function()
		return subject.logged "GC %d+%.%d%d Kb %-> %d+%.%d%d Kb, cost %d+%.%d%d sec"
	end, "GC collects and logs it")
	tap.is(select("#", ask "GC"), 0, "who asks for it is told when that is done")
	local stat = ask "STAT"
	for _, key in ipairs { "task", "mqlen", "cpu", "message" } do
		tap.is(type(stat[key]), "number", "STAT has " .. key)
	end
	subject.send(peer, "skynet.sleep(100000)")
	local tasks = ask "TASK"
	local key = next(tasks)
	tap.like(key, "^thread: 0x%x+ session: %d+$", "TASK lists what waits")
	tap.like(ask("TASK", tonumber(key:match "%d+$")), "stack traceback", "or one session")
	tap.like(next(ask "UNIQTASK"), "^1\tsessions:%[%d+%]\n$", "UNIQTASK groups")
	tap.is(ask("KILLTASK", "nonesuch"), "Not found", "KILLTASK needs a match")
	tap.is(ask("KILLTASK", key:match "0x%x+"), nil, "and ends it")
	tap.is(next(ask "TASK"), nil, "then it is gone")
	tap.is(ask "INFO", nil, "INFO is nil at first")
	subject.eval(peer, "skynet.info_func(function(...) return { 'info', ... } end) return 1")
	tap.is_deeply(ask("INFO", 1, 2), { "info", 1, 2 }, "then what the service says")
	tap.is_deeply({ ask("RUN", "print(...) print('x', 1) return 1", "name", "arg") }, { true,
		"arg\nx\t1" },
		"RUN runs source")
	local ok, output = ask("RUN", "error 'injected'", "name")
	tap.ok(ok == false and output:find "name:1: injected", "and tells its errors")
	tap.is(ask("SUPPORT", "lua"), true, "SUPPORT knows protocols with a handler")
	tap.is(ask("SUPPORT", "text"), false, "and those without")
	tap.is(select("#", ask "PING"), 0, "PING is answered empty")
	tap.is(ask("TRACELOG", "lua", true), nil, "TRACELOG switches")
	subject.logs("Turn trace log true for lua", "and logs it")
	ok = pcall(ask, "NONESUCH")
	tap.is(ok, false, "an unknown command is an error")
	subject.eval(peer, [[
		require('skynet.debug').reg_debugcmd('OWN', function(...) skynet.retpack('own', ...) end)
		return 1]])
	tap.is_deeply({ ask("OWN", 1) }, { "own", 1 }, "services can add commands")
	local linked
	skynet.fork(function()
		local _
		_, linked = pcall(ask, "LINK")
	end)
	local got
	skynet.fork(function()
		local _
		_, got = pcall(subject.call, peer, "skynet.call(..., 'lua') ")
	end)
	subject.eval(peer, "collectgarbage() collectgarbage() return 1")
	tap.is(linked, nil, "LINK is not answered")
	ok = pcall(ask, "EXIT")
	tap.is(ok, false, "EXIT ends the service")
	tap.eventually(function() return linked end, "which ends LINK")
	tap.isnt(got, false, "calls in it end too")
end)
