-- config: call_timeout = 500
---What waits by its nature is not ended by the default deadline of calls.
local skynet = require "skynet"
local manager = require "skynet.manager"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local cluster = require "skynet.cluster"
local subject = require "subject"
local tap = require "tap"

local function waits()
	local value, linked, connected, seen
	skynet.fork(function()
		value = datacenter.wait("late", "value")
	end)
	skynet.fork(function()
		linked = pcall(harbor.queryname, "NOBODY")
	end)
	skynet.fork(function()
		connected = pcall(harbor.connect, 7)
	end)
	cluster.on_node(function(node, what)
		seen = node .. " " .. what
	end)
	local unique = skynet.uniqueservice "unique_slow"
	tap.raises(function()
		subject.call(subject.new(), "skynet.ignoreret()")
	end, "timeout", "a call has a deadline here, which is over for all that was called before")
	tap.is(linked, nil, "who waits for a name goes on waiting")
	tap.is(connected, nil, "and who waits for a node")
	datacenter.set("late", "value", 7)
	tap.eventually(function()
		return value == 7
	end, "and who waits for a value gets it")
	cluster.reload { somewhere = "unix:/nonexistent/socket" }
	tap.eventually(function()
		return seen == "somewhere changed"
	end, "events of nodes are heard after a while")
	manager.kill(unique)
	tap.eventually(function()
		return skynet.call(".service", "lua", "LIST").unique_slow == nil
	end, "the end of a unique service is noticed")
end

skynet.start(function()
	-- outside of the start function, for which bootstrap waits no longer either
	skynet.timeout(0, function()
		local ok, err = xpcall(waits, debug.traceback)
		tap.ok(ok, "runs without an error: " .. tostring(err))
		tap.done()
	end)
end)
