---Opens a port for the cluster, on all addresses or on setting `open_host`.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	local host = skynet.getenv "open_host"
	if host then
		cluster.reload { me = host .. ":0" }
	end
	cluster.open(host and "me" or 0)
	skynet.error "cluster_open: open"
end)
