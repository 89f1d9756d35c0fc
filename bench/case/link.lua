--- The two ways to another node, as a table of send(...) and call(...) each.
local skynet = require "skynet"

local link = {}

local NODE <const> = "server"
local CLUSTER_NAME <const> = "@echo"
local HARBOR_NAME <const> = "BENCHECHO"

---Make the service `peer` reachable for the other node.
---@async
function link.serve(kind, peer)
	if kind == "cluster" then
		local cluster = require "skynet.cluster"
		cluster.register("echo", peer)
		cluster.open(NODE)
	else
		require("skynet.harbor").globalname(HARBOR_NAME, peer)
	end
end

---@async
function link.open(kind)
	if kind == "cluster" then
		local cluster = require "skynet.cluster"
		return {
			send = function(...) cluster.send(NODE, CLUSTER_NAME, ...) end,
			call = function(...) return cluster.call(NODE, CLUSTER_NAME, ...) end,
		}
	end
	local peer = require("skynet.harbor").queryname(HARBOR_NAME)
	return {
		send = function(...) skynet.send(peer, "lua", ...) end,
		call = function(...) return skynet.call(peer, "lua", ...) end,
	}
end

return link
