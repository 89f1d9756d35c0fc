---Calls node "server" again and again, and logs who answered whenever that changes.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	skynet.fork(function()
		local ok, message = pcall(cluster.call, "server", "@echo", "wait")
		skynet.error("cluster_client: waiting call ended:", ok, skynet.error_kind(message))
	end)
	skynet.fork(function()
		local last
		while true do
			local ok, who = pcall(cluster.call, "server", "@echo", "who")
			who = ok and who or "nobody"
			if who ~= last then
				skynet.error("cluster_client: answered by", who)
				last = who
			end
			skynet.sleep(2)
		end
	end)
	cluster.on_node(function(node, what)
		skynet.error("cluster_client: event", node, what)
	end)
end)
