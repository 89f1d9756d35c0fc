---First service of the data node. Its log says "data: open" when other nodes can call "@store"
---here.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console_port")
	cluster.register("store", skynet.newservice "store")
	cluster.open(skynet.getenv "node")
	skynet.error "data: open"
	skynet.exit()
end)
