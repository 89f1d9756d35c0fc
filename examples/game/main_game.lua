---First service of a game node. Its log says where clients play. The world, which all game nodes
---share, is started by whichever comes first, and lives on the node of the master.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console_port")
	local node = skynet.getenv "node"
	skynet.uniqueservice(true, "world")
	cluster.open(node) -- the battle node tells agents here how their battle goes
	local watchdog = skynet.newservice "watchdog"
	local host, port = skynet.call(watchdog, "lua", "open", node, skynet.getenv "game_host",
		tonumber(skynet.getenv "game_port"))
	skynet.error(("%s: open for players at %s:%d"):format(node, host, port))
	skynet.exit()
end)
