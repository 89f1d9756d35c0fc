---The launcher: starting, listing and ending services, and what it answers when that fails.
local skynet = require "skynet"
require "skynet.manager"
local tap = require "tap"

local LATEST <const> = 3000

local function launcher(...)
	return skynet.call(".launcher", "lua", ...)
end

local function listed(address)
	return launcher "LIST"[skynet.address(address)]
end

local function starts_and_lists()
	local address = skynet.newservice("puppet", "run", 7)
	tap.is(listed(address), "snlua puppet run 7", "lists a service with its command line")
	local a, b = skynet.call(address, "lua", "arguments")
	tap.is(a .. b, "run7", "passes arguments as strings")
	tap.is(launcher("list")[skynet.address(address)], "snlua puppet run 7",
		"takes commands in any case")
	tap.is(launcher("nonsense")[1], "Unknown command", "answers an unknown command")
	tap.is(launcher(12)[1], "Unknown command", "answers a command that is no word")
	skynet.kill(address)
	tap.is(listed(address), nil, "forgets a service that was killed by its address")
end

local function failing_starts()
	tap.raises(function()
		skynet.newservice("puppet", "fail")
	end, "call failed", "raises when the start function raised")
	tap.raises(function()
		skynet.newservice "there_is_no_such_service"
	end, "call failed", "raises when the script is missing")
	tap.raises(function()
		launcher("LAUNCH", "there_is_no_such_module")
	end, "call failed", "raises when the C module is missing")
	tap.is(select("#", skynet.newservice("puppet", "exit")), 0,
		"gives no value for a service that left during its start")
	local list = launcher "LIST"
	for address, line in pairs(list) do
		if line:find "puppet" or line:find "no_such" then
			tap.fail("forgets failed launches", address .. " " .. line)
		end
	end
	tap.pass "forgets failed launches"
end

local function bad_arguments()
	for _, bad in ipairs { true, {}, false } do
		tap.raises(function()
			skynet.newservice("puppet", "x", bad)
		end, nil, "refuses a " .. type(bad) .. " as launch argument")
	end
	tap.raises(function()
		skynet.newservice("puppet", nil, "x")
	end, nil, "refuses nil as launch argument")
	tap.raises(function()
		launcher "LAUNCH"
	end, "call failed", "refuses a launch of nothing")
	tap.ok(listed(skynet.self()), "lives on after bad launches")
end

local function kills()
	local address = skynet.newservice "puppet"
	local text = skynet.address(address)
	tap.is(launcher("KILL", address)[text], "snlua puppet", "kills by number and names the victim")
	address = skynet.newservice "puppet"
	text = skynet.address(address)
	tap.is(launcher("KILL", text)[text], "snlua puppet", "kills by :hex and names the victim")
	address = skynet.newservice "puppet"
	skynet.name(".victim", address)
	tap.is(launcher("KILL", ".victim")[skynet.address(address)], "snlua puppet",
		"kills by name and names the victim")
	tap.is(listed(address), nil, "leaves no entry behind a kill by name")
	address = skynet.newservice "puppet"
	skynet.name(".victim2", address)
	skynet.kill ".victim2"
	tap.eventually(function()
		return not listed(address)
	end, "leaves no entry behind skynet.kill of a name")
	tap.raises(function()
		launcher("KILL", ".nobody")
	end, "call failed", "refuses to kill an unknown name")
end

local function kills_while_starting()
	local result
	local before = launcher "LIST"
	skynet.fork(function()
		result = table.pack(pcall(skynet.newservice, "puppet", "wait"))
	end)
	local address = tap.eventually(function()
		for text, line in pairs(launcher "LIST") do
			if line == "snlua puppet wait" and not before[text] then
				return tonumber(text:sub(2), 16)
			end
		end
	end, "lists a service that is starting")
	skynet.kill(address)
	tap.eventually(function()
		return result
	end, "answers the launch of a service that is killed while starting")
	tap.is(result[1], false, "fails the launch of a service that is killed while starting")
end

local function queries()
	local address, session
	local task = skynet.fork(function()
		address = skynet.newservice("puppet", "wait")
	end)
	tap.eventually(function()
		session = skynet.task(task)
		return session
	end, "sees the session of a launch")
	local starting
	tap.eventually(function()
		starting = launcher("QUERY", session)
		return starting
	end, "answers QUERY with the service that is starting")
	tap.is(launcher("QUERY", 123456789), nil, "answers QUERY for an unknown session with nil")
	skynet.call(starting, "lua", "continue")
	tap.eventually(function()
		return address
	end, "goes on with several launches pending")
	tap.is(address, starting, "launched what QUERY said")
	tap.is(launcher("QUERY", session), nil, "answers QUERY with nil after the launch")
	skynet.kill(address)
end

local function statistics()
	local address = skynet.newservice "puppet"
	local text = skynet.address(address)
	local stat = launcher("STAT", LATEST)
	for _, key in ipairs { "task", "mqlen", "cpu", "message" } do
		tap.is(type(stat[text][key]), "number", "STAT has " .. key)
	end
	tap.is(stat[":00000001"], nil, "STAT leaves out what was not launched here")
	tap.like(launcher("MEM", LATEST)[text], "^%d+%.%d%d Kb %(snlua puppet%)$", "MEM has size and name")
	tap.like(launcher("GC", LATEST)[text], "^%d+%.%d%d Kb %(snlua puppet%)$", "GC has size and name")
	-- busy for longer than anybody waits
	local busy = skynet.newservice "busy"
	skynet.send(busy, "lua", "spin", 50)
	local result = launcher("STAT", 1)
	tap.ok(result[skynet.address(busy)], "STAT with a timeout answers for a busy service")
	tap.ok(launcher("MEM", -1)[text], "MEM without a timeout waits for all")
	-- killed behind the back of the launcher
	local core = require "skynet.core"
	core.command("KILL", text)
	launcher("STAT", LATEST)
	tap.is(listed(address), nil, "STAT finds and forgets a service that was killed by the kernel")
	skynet.kill(busy)
end

local function logs_launches()
	local address = skynet.call(".launcher", "lua", "LOGLAUNCH", "snlua", "puppet")
	tap.is(listed(address), "snlua puppet", "LOGLAUNCH launches")
	skynet.kill(address)
end

tap.run(function()
	starts_and_lists()
	failing_starts()
	bad_arguments()
	kills()
	kills_while_starting()
	queries()
	statistics()
	logs_launches()
end)
