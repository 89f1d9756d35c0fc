---First service of the battle node. Its log says "battle: open" when game nodes can call "@arena"
---here.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console_port")
	cluster.register("arena", skynet.newservice "arena")
	cluster.open(skynet.getenv "node")
	skynet.error "battle: open"
	skynet.exit()
end)
