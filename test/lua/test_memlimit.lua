-- The memory limit of a service: when it begins to hold, what it does, what the log says.
local skynet = require "skynet"
local memory = require "skynet.memory"
local subject = require "subject"
local tap = require "tap"

local MIB <const> = 1024 * 1024

tap.run(function()
	local service = skynet.newservice("evaluator",
		("require('skynet').memlimit(%d)"):format(4 * MIB))
	subject.logs("Set memory limit to 4.00 M", "the log has the limit")

	local ok, message = skynet.call(service, "lua", [[
		return pcall(string.rep, "x", 5 * 1024 * 1024)
	]])
	tap.is(ok, false, "what goes beyond the limit fails")
	tap.is(message, "not enough memory", "with the error of Lua")
	tap.raises(function()
		skynet.call(service, "lua", [[ local t = {} for i = 1, 1e7 do t[i] = {} end ]])
	end, "call failed", "a request that needs too much fails")
	tap.is(skynet.call(service, "lua", "return #string.rep('x', 1024 * 1024)"), MIB,
		"the service lives on")
	local survived = skynet.call(service, "lua", [[
		local good = 0
		for _ = 1, 200 do
			local ok, text = pcall(string.rep, "x", 1024 * 1024)
			good = good + (ok and 1 or 0)
		end
		return good
	]])
	tap.is(survived, 200, "garbage does not count against the limit")

	local free = skynet.newservice("evaluator",
		("require('skynet').memlimit(%d)~BIG=#string.rep('x',8*%d)"):format(4 * MIB, MIB))
	tap.is(skynet.call(free, "lua", "return BIG"), 8 * MIB, "the main chunk is not limited yet")

	skynet.call(service, "lua", "KEPT = string.rep('x', 1024 * 1024)")
	tap.eventually(function()
		return (memory.info()[service] or 0) > MIB
	end, "the heap of a service is accounted to it")
	skynet.call(service, "lua", "KEPT = nil collectgarbage() collectgarbage()")
	tap.eventually(function()
		return (memory.info()[service] or 0) < MIB
	end, "and is given back when it is collected")

	local heavy = skynet.newservice "evaluator"
	skynet.call(heavy, "lua", "KEPT = string.rep('x', 40 * 1024 * 1024)")
	subject.logs("Memory warning 4%d%.%d%d M", "the log warns beyond 32 MiB")
	skynet.call(heavy, "lua", "KEPT2 = string.rep('y', 40 * 1024 * 1024)")
	subject.logs("Memory warning 8%d%.%d%d M", "and when the size has doubled")
end)
