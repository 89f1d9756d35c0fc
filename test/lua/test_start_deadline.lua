-- config: call_timeout = 5.0
---The deadline of calls does not count for who waits until a service has started, nor for who says
---so.
local skynet = require "skynet"
local tap = require "tap"

tap.run(function()
	tap.raises(function()
		skynet.call(skynet.newservice "subject", "lua", "")
	end, "timeout", "a call that is not answered has the deadline of the setting")
	local slow_answer = [[
		local own = require "skynet"
		own.sleep(20)
		own.retpack(7)]]
	tap.is(skynet.call_forever(skynet.newservice "subject", "lua", slow_answer), 7,
		"one by call_forever has none")
	tap.ok(skynet.newservice "slow_start", "nor has a launch")
	tap.ok(skynet.uniqueservice "slow_start", "nor has that of a unique service")
	local service = require "skynet.service"
	local queried
	skynet.fork(function()
		queried = service.query "slow"
	end)
	local slow = service.new("slow", function()
		local own = require "skynet"
		own.sleep(20)
		own.dispatch("lua", function() own.ret() end)
	end)
	tap.ok(slow, "nor has that of a function")
	tap.eventually(function()
		return queried == slow
	end, "nor has who waits for that")
	local found
	skynet.fork(function()
		found = skynet.queryservice "unique_slow"
	end)
	skynet.sleep(20)
	local unique = skynet.uniqueservice "unique_slow"
	tap.eventually(function()
		return found == unique
	end, "nor has who waits for somebody else to launch it")
end)
