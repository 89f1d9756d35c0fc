---A node of a cluster that calls itself over TCP: all of the protocol, with one process.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local manager = require "skynet.manager"
local tap = require "tap"

local function echo_service()
	return skynet.newservice "cluster_echo"
end

---Calls in a task that is traced: what the other side knows of it.
local function traced_call(...)
	local tag, own
	local task = coroutine.running()
	skynet.fork(function(...)
		skynet.trace "test"
		own = skynet.tracetag()
		tag = cluster.call("me", ...)
		skynet.wakeup(task)
	end, ...)
	skynet.wait(task)
	return tag, own
end

local function traces()
	local tag, own = traced_call("@echo", "tag")
	tap.ok(tag and tag:sub(-#own) == own, "a trace goes on in the other node: " .. tostring(tag))
	tap.like(tag, "^%([^ ]+%-me%-%d+%):", "its tag names the caller and the node")
	tag, own = traced_call("@echo", "tag", ("x"):rep(100000))
	tap.ok(tag and tag:sub(-#own) == own, "so does that of a large request")
	tap.is(cluster.call("me", "@echo", "tag"), nil, "the next request is not traced")
end

tap.run(function()
	local echo = echo_service()
	cluster.register("echo", echo)
	local events = {}
	cluster.on_node(function(node, what)
		events[#events + 1] = node .. " " .. what
	end)
	local address, port = cluster.open(0)
	tap.is(address, "0.0.0.0", "open returns the address that is bound")
	tap.ok(port > 0, "open picks a port")
	cluster.reload { me = "127.0.0.1:" .. port, __nowaiting = true }

	tap.is(cluster.call("me", "@echo", "echo", 1, "two"), 1, "a name is called")
	tap.is(select("#", cluster.call("me", "@echo", "echo", nil, nil)), 2, "nils are kept")
	tap.is(cluster.query("me", "echo"), echo, "query finds a registered name")
	tap.is(cluster.call("me", echo, "echo", "x"), "x", "a handle is called")
	tap.raises(function() cluster.query("me", "nobody") end, "name not found",
		"query of an unknown name raises")
	tap.raises(function() cluster.call("me", "@nobody", "echo") end, "Invalid name",
		"a call to an unknown name raises")
	tap.raises(function() cluster.call("me", ".nobody", "echo") end, "call failed",
		"a call to an unknown local name raises")
	tap.raises(function() cluster.call("me", "@echo", "fail") end, "call failed",
		"a call whose handler raises, raises")
	tap.raises(function() cluster.call("me", 1.5, "echo") end, "an address is a handle",
		"a fractional address is refused")
	tap.raises(function() cluster.call("nowhere", "@echo", "echo") end, "absent",
		"a call to an unknown node raises with __nowaiting")

	for _, size in ipairs { 0, 1, 32760, 32761, 32762, 32763, 32764, 32765, 32766, 32767, 32768,
		32769, 65535, 65536, 100000, 262144, 3000000 } do
		local text = ("x"):rep(size)
		local back = cluster.call("me", "@echo", "echo", text)
		tap.ok(back == text, ("%d bytes go and come back"):format(size))
	end

	traces()
	for i = 1, 100 do
		cluster.send("me", "@echo", "note", i, i % 10 == 0 and ("y"):rep(70000) or "")
	end
	local notes = cluster.call("me", "@echo", "notes")
	local expected = {}
	for i = 1, 100 do
		expected[i] = i
	end
	tap.is(table.concat(notes, " "), table.concat(expected, " "),
		"messages arrive in order, small and large")

	local done, waiter = 0, coroutine.running()
	for i = 1, 200 do
		skynet.fork(function()
			if cluster.call("me", "@echo", "later", i) == i then
				done = done + 1
			end
			if i == 200 then
				skynet.wakeup(waiter)
			end
		end)
	end
	skynet.wait(waiter)
	tap.eventually(function() return done == 200 end, "many calls at once get their own answers")

	local proxy = cluster.proxy("me", "@echo")
	tap.is(skynet.call(proxy, "lua", "echo", 5), 5, "a proxy is called")
	tap.is(cluster.proxy "me@echo", proxy, "there is one proxy for each address")
	skynet.send(proxy, "lua", "note", 101)
	tap.eventually(function()
		return #cluster.call("me", "@echo", "notes") == 101
	end, "a proxy is sent to")

	tap.raises(function() cluster.register("echo", echo) end, "taken", "a taken name is refused")
	local mortal, heir = echo_service(), echo_service()
	cluster.register("mortal", mortal)
	tap.is(cluster.call("me", "@mortal", "echo", 8), 8, "another service has a name of its own")
	tap.raises(function() cluster.register("mortal", heir) end, "taken", "which is its alone")
	manager.kill(mortal)
	cluster.register("mortal", heir)
	tap.is(cluster.query("me", "mortal"), heir, "until it has ended")
	tap.is(cluster.call("me", "@mortal", "echo", 9), 9, "its successor is called then")
	cluster.register("echo2", echo)
	tap.raises(function() cluster.call("me", "@echo", "echo") end, "Invalid name",
		"another name replaces the first, for agents too")
	tap.is(cluster.call("me", "@echo2", "echo", 3), 3, "the new name is called")
	cluster.unregister "echo2"
	tap.raises(function() cluster.query("me", "echo2") end, "not found", "names are taken back")
	tap.ok(cluster.get_sender "me", "get_sender finds the sender")
	tap.is(cluster.get_sender "nowhere", nil, "there is no sender for an absent node")

	local _, other = cluster.open(0)
	cluster.reload { me = "127.0.0.1:" .. other }
	tap.is(cluster.call("me", echo, "echo", 4), 4, "a changed address is used")
	cluster.reload { me = false }
	tap.raises(function() cluster.call("me", echo, "echo", 4) end, "down",
		"a node that is down on purpose fails")
	cluster.reload { me = "127.0.0.1:" .. port }
	tap.is(cluster.call("me", echo, "echo", 6), 6, "and comes back")
	tap.eventually(function()
		return table.concat(events, ", ") == "me changed, me up, me changed, me up, me changed, "
			.. "me down, me changed, me up"
	end, "nodes that come and go are told: " .. table.concat(events, ", "))
	tap.raises(function() cluster.call_timeout(5, "me", echo, "never") end, "timeout",
		"a call has a deadline")
	cluster.register("third", echo)
	local node, handle = cluster.query(nil, "third")
	tap.is(node, "me", "query without a node finds the node")
	tap.is(handle, echo, "and the service")
	tap.raises(function() cluster.query(nil, "nobody") end, "no node",
		"query without a node raises when none has the name")
	tap.raises(function() cluster.reload { bad = 5 } end, "bad", "a wrong address is refused")
	tap.raises(function() cluster.open "me" end, "cannot listen", "a busy port is refused")
end)
