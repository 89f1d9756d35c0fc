-- config: cluster_heartbeat = 1
---A node that is reached at another of its own addresses, while a call is under way.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local tap = require "tap"

local function link()
	return skynet.call(".clusterd", "lua", "links").here
end

---An address at which this node listens.
local function opened()
	local host, port = cluster.open(0)
	return ("127.0.0.1:%d"):format(port), host
end

tap.run(function()
	local response
	skynet.dispatch("lua", function()
		response = skynet.response()
	end)
	cluster.register "holder"
	cluster.reload { here = opened() }
	local result
	skynet.fork(function()
		result = table.pack(pcall(cluster.call, "here", "@holder"))
	end)
	tap.eventually(function() return response and link().peer == "ours" end, "a call is under way")
	local first = response
	for i = 1, 2 do
		cluster.reload { here = opened() }
		cluster.send("here", "@holder")
		tap.eventually(function() return link().state == "up" and link().peer == "ours" end,
			"the node is known again at address " .. i)
		tap.is(link().draining, 1, "the connection that brings the answer is still there")
	end
	tap.ok(not result, "the call waits on")
	first(true, "answer")
	tap.eventually(function() return result end, "it ends with its answer")
	tap.is(result[2], "answer", "which is that of the service")
end)
