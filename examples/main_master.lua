---First service of the master node. Offers the scoreboard to the harbor network under the name
---SCOREBOARD, and to the cluster as "@scoreboard" on node "master".
local skynet = require "skynet"
local cluster = require "skynet.cluster"
require "skynet.manager"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console_port")
	local scoreboard = skynet.newservice "scoreboard"
	cluster.register("scoreboard", scoreboard)
	cluster.open "master"
	-- The name comes last: whoever can see it finds the cluster port open too.
	skynet.name("SCOREBOARD", scoreboard)
	skynet.error "master: the scoreboard is ready"
	skynet.exit()
end)
