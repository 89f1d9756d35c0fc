---First service of the slave node: calls the scoreboard of the master in both ways there are.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console_port")

	-- By global name: one address space with the other nodes. Waits until the name is known.
	local points = skynet.call("SCOREBOARD", "lua", "add", "alice", 3)
	skynet.error("slave: by global name: alice has", points, "points")

	-- By cluster: a node by its name in clustername.lua, a service by its name there.
	points = cluster.call("master", "@scoreboard", "add", "bob", 5)
	skynet.error("slave: by cluster: bob has", points, "points")

	local leader, best = cluster.call("master", "@scoreboard", "best")
	skynet.error("slave: the leader is", leader, "with", best, "points")
	skynet.exit()
end)
