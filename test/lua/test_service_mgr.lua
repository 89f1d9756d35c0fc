---Unique services: one instance for all, failures that stay, deaths that are forgotten.
local skynet = require "skynet"
require "skynet.manager"
local tap = require "tap"

local function manager(...)
	return skynet.call(".service", "lua", ...)
end

local function one_for_all()
	local results, count = {}, 0
	for i = 1, 10 do
		skynet.fork(function()
			results[i] = skynet.uniqueservice("puppet", "first", i)
			count = count + 1
		end)
	end
	tap.eventually(function()
		return count == 10
	end, "answers all who ask at the same time")
	for i = 2, 10 do
		if results[i] ~= results[1] then
			tap.fail "gives everybody the same service"
		end
	end
	tap.is(skynet.queryservice "puppet", results[1], "answers a query for a ready service")
	local mode = skynet.call(results[1], "lua", "arguments")
	tap.is(mode, "first", "passes the arguments of the first request")
	tap.is(manager("LIST").puppet, skynet.address(results[1]), "lists a ready service")
	return results[1]
end

local function waits_for_a_launch()
	local found
	skynet.fork(function()
		found = skynet.queryservice "unique_waiter"
	end)
	skynet.yield()
	tap.is(found, nil, "does not answer a query before the launch")
	tap.like(tap.eventually(function()
		return manager("LIST").unique_waiter
	end, "lists a name that is queried"), "^Querying:\n:%x+ ", "lists who is waiting")
	local address = skynet.uniqueservice "unique_waiter"
	tap.eventually(function()
		return found
	end, "answers a query after the launch")
	tap.is(found, address, "answers a query with the launched service")
end

local function lists_a_launch()
	local done
	skynet.fork(function()
		done = skynet.uniqueservice("unique_slow", "wait")
	end)
	local text = tap.eventually(function()
		local line = manager("LIST").unique_slow
		return line and line:find "^Init as" and line
	end, "lists a service that is starting")
	tap.like(text, "^Init as :%x+\n.*Launching from :%x+\n", "says who is starting and who asked")
	local address = tonumber(text:match "^Init as :(%x+)", 16)
	skynet.call(address, "lua", "continue")
	tap.eventually(function()
		return done
	end, "answers when the start ends")
	tap.is(done, address, "listed the right service")
end

local function failures_stay()
	local _, first = pcall(skynet.uniqueservice, "unique_failing", "fail")
	tap.is(type(first), "string", "raises an error text when the launch failed")
	local ok, second = pcall(skynet.uniqueservice, "unique_failing")
	tap.is(ok, false, "keeps a failure for later requests")
	tap.is(type(second), "string", "gives later requests the error text as well")
	tap.raises(function()
		skynet.queryservice "unique_failing"
	end, nil, "raises for a query of a failed service")
	tap.like(manager("LIST").unique_failing, "^Error: ", "lists the failure")
	local address, err = manager("LAUNCH", "there_is_no_such_service")
	tap.is(address, nil, "answers nil for a script that is missing")
	tap.is(type(err), "string", "answers an error text for a script that is missing")
end

local function the_dead_are_forgotten(address)
	skynet.call(address, "lua", "echo")
	pcall(skynet.call, address, "lua", "leave")
	-- the answer comes while the service is leaving
	tap.eventually(function()
		return not skynet.send(address, "lua", "echo")
	end, "a service leaves")
	local again = skynet.uniqueservice "puppet"
	tap.isnt(again, address, "launches a unique service again after it has left")
	skynet.kill(again)
	local third = skynet.uniqueservice "puppet"
	tap.isnt(third, again, "launches a unique service again after it was killed")
	tap.is(skynet.call(third, "lua", "echo", 1), 1, "gives a service that lives")
	skynet.kill(third)
	tap.is(manager("LIST").puppet, nil, "does not list a service that was killed")
end

local function across_the_network()
	local address = skynet.uniqueservice(true, "puppet", "global")
	tap.is(skynet.queryservice(true, "puppet"), address, "finds a service of the network")
	tap.is(manager("LIST")["@puppet"], skynet.address(address), "lists it with its mark")
	tap.isnt(skynet.uniqueservice "puppet", address, "keeps names of node and network apart")
	tap.is(skynet.call("SERVICE", "lua", "QUERY", "@puppet"), address, "answers other nodes")
end

local function bad_requests()
	local result, err = manager "NONSENSE"
	tap.is(result, nil, "answers an unknown command with nil")
	tap.is(err, "Invalid command NONSENSE", "says which command is unknown")
	tap.raises(function()
		manager("LAUNCH", {})
	end, "call failed", "refuses a name that is no string")
	tap.raises(function()
		manager "QUERY"
	end, "call failed", "refuses no name")
	tap.raises(function()
		manager("REPORT", "x")
	end, "call failed", "refuses a report without a handle")
	tap.is(manager("REPORT", skynet.self()), nil, "answers a report with nil")
	skynet.newservice "service_mgr"
	tap.ok(manager "LIST", "lives on when a second manager is started")
end

tap.run(function()
	local address = one_for_all()
	waits_for_a_launch()
	lists_a_launch()
	failures_stay()
	the_dead_are_forgotten(address)
	across_the_network()
	bad_requests()
end)
