---skynet.service: services made of one function.
local skynet = require "skynet"
require "skynet.manager"
local service = require "skynet.service"
local tap = require "tap"

local outer = 1

local function new_and_query()
	local address = service.new("adder", function(base, label)
		local own = require "skynet"
		own.dispatch("lua", function(_, _, n)
			own.retpack(base.value + n, label, SERVICE_NAME)
		end)
	end, { value = 40 }, "sum")
	local sum, label, name = skynet.call(address, "lua", 2)
	tap.is(sum, 42, "runs the function with its arguments")
	tap.is(label, "sum", "passes several arguments")
	tap.is(name, "service_cell", "runs in a service cell")
	tap.is(service.query "adder", address, "finds the service by name")
	tap.is(service.new("adder", function() end), address, "makes one service per name")
	return address
end

local function with_start()
	local address = service.new("starter", function()
		local own = require "skynet"
		local order = { "function" }
		own.start(function()
			order[#order + 1] = "start"
			own.dispatch("lua", function()
				own.retpack(table.concat(order, " "))
			end)
		end)
		order[#order + 1] = "returns"
	end)
	tap.is(skynet.call(address, "lua"), "function returns start", "runs skynet.start afterwards")
end

local function without_globals()
	local address = service.new("idle", function() end)
	tap.is(math.type(address), "integer", "takes a function that uses no global")
	tap.raises(function()
		skynet.call(address, "lua", "init", string.dump(function() end))
	end, "call failed", "runs no second function")
end

local function refusals()
	tap.raises(function()
		service.new("bad", function()
			return outer
		end)
	end, "'outer'", "refuses a function with an outer variable and names it")
	tap.raises(function()
		service.new("bad", function()
			return print, outer
		end)
	end, "'outer'", "refuses an outer variable besides globals")
	tap.raises(function()
		service.new("bad", "text")
	end, "function expected", "refuses what is no function")
	tap.raises(function()
		service.new({}, function() end)
	end, "string expected", "refuses a name that is no string")
end

local function failures()
	tap.raises(function()
		service.new("broken", function()
			error "on purpose"
		end)
	end, "call failed", "raises when the function raises")
	tap.raises(function()
		service.new("broken", function() end)
	end, "call failed", "keeps the failure")
	tap.raises(function()
		service.query "broken"
	end, "call failed", "raises for a query of a failed service")
	tap.raises(function()
		service.new("leaver", function()
			require("skynet").exit()
		end)
	end, "call failed", "raises when the function leaves")
end

local function waits()
	local found = {}
	for i = 1, 3 do
		skynet.fork(function()
			found[i] = service.query "late"
		end)
	end
	skynet.yield()
	tap.is(service.close "late", false, "cannot close what is only asked for")
	local address = service.new("late", function() end)
	tap.eventually(function()
		return found[1] == address and found[2] == address and found[3] == address
	end, "answers those who asked before, also after a close in vain")
end

local function concurrent()
	local results, count = {}, 0
	for i = 1, 5 do
		skynet.fork(function()
			results[i] = service.new("shared", function()
				require("skynet").sleep(2)
			end)
			count = count + 1
		end)
	end
	tap.eventually(function()
		return count == 5
	end, "answers all who make the same service")
	for i = 2, 5 do
		tap.is(results[i], results[1], "gives number " .. i .. " the same service")
	end
end

local function closes(address)
	tap.is(service.close "adder", true, "closes a service")
	tap.is(service.close "adder", false, "closes it once only")
	tap.is(service.close "never", false, "cannot close what never was")
	tap.ok(not skynet.send(address, "lua", 1), "ends the service it closes")
	local again = service.new("adder", function() end)
	tap.isnt(again, address, "makes a closed service anew")
	skynet.kill(again)
	tap.isnt(service.new("adder", function() end), again, "makes a killed service anew")
end

local function info()
	local provider = skynet.uniqueservice "service_provider"
	local pending
	skynet.fork(function()
		pending = service.query "never launched"
	end)
	skynet.yield()
	local address = service.new("described", function() end)
	local all = skynet.call(provider, "debug", "INFO")
	local entry = all[skynet.address(address)]
	tap.is(entry.name, "described", "INFO has the name")
	tap.like(entry.init, "test_service.lua:%d+$", "INFO has where the function stands")
	tap.is(type(entry.time), "string", "INFO has the time")
	tap.is(all["never launched"].status, "queried", "INFO works while a name is waited for")
	tap.is(all.broken.status:sub(1, 6), "error:", "INFO works with a failed service")
	tap.is(pending, nil, "INFO wakes nobody")
end

tap.run(function()
	local address = new_and_query()
	with_start()
	without_globals()
	refusals()
	failures()
	waits()
	concurrent()
	closes(address)
	info()
end)
