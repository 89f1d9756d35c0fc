---Listens at the address of node "server" and says which one it is.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, word)
		if word == "wait" then
			skynet.wait(coroutine.running())
		end
		skynet.retpack(skynet.getenv "who")
	end)
	cluster.register "echo"
	cluster.open "server"
	skynet.error("cluster_server: up")
end)
