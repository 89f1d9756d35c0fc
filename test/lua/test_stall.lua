-- A service that stays in one message is reported with its stack, and interrupted when asked for.
-- config: stall_timeout = 1
-- config: stall_interrupt = 2
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

tap.run(function()
	local service = skynet.newservice "endless"
	local ok, caught, message
	skynet.fork(function()
		ok, caught, message = pcall(skynet.call, service, "lua", "loop")
	end)
	subject.logs("maybe in an endless loop", "the log says which service is stuck")
	subject.logs("busy in stack traceback:\n[^\n]*endless.lua:%d+: in ", "and where it is")
	tap.eventually(function()
		return ok ~= nil
	end, "the loop is ended")
	tap.ok(ok and caught == false, "by an error that the service can catch")
	tap.like(message, "interrupted: this message takes too long", "which says why")
	tap.is(skynet.call(service, "lua", "ping"), "pong", "the service lives on")
end)
