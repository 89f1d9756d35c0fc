--- The two ways to another node, as a table of send(...) and call(...) each.
local skynet = require "skynet"

local link = {}

local DEFAULT_NODE <const> = "server"
local DEFAULT_NAME <const> = "ECHO"
local HARBOR_PREFIX <const> = "BENCH"

---Make services of this node reachable for others.
---@param kind "cluster"|"harbor"
---@param peers table<string, integer>  name, of the whole network with harbor, to address
---@param node string?  cluster name of this node
---@async
function link.serve(kind, peers, node)
	for name, peer in pairs(peers) do
		if kind == "cluster" then
			require("skynet.cluster").register(name, peer)
		else
			require("skynet.harbor").globalname(HARBOR_PREFIX .. name, peer)
		end
	end
	if kind == "cluster" then
		require("skynet.cluster").open(node or DEFAULT_NODE)
	end
end

---@param kind "cluster"|"harbor"
---@param name string?
---@param node string?  cluster name of the other node
---@async
function link.open(kind, name, node)
	name, node = name or DEFAULT_NAME, node or DEFAULT_NODE
	if kind == "cluster" then
		local cluster = require "skynet.cluster"
		local address = "@" .. name
		return {
			send = function(...) cluster.send(node, address, ...) end,
			call = function(...) return cluster.call(node, address, ...) end,
		}
	end
	local peer = require("skynet.harbor").queryname(HARBOR_PREFIX .. name)
	return {
		send = function(...) skynet.send(peer, "lua", ...) end,
		call = function(...) return skynet.call(peer, "lua", ...) end,
	}
end

return link
