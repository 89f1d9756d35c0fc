---Tells a service when a node of the harbor network is lost, so that it can forget what it keeps
---for that node. For the services datacenterd and service_mgr.
---@class skynet.harbor_watch
local harbor_watch = {}

local skynet = require "skynet"
local harbor = require "skynet.harbor"
local retry = require "skynet.retry"

---Harbor ids of nodes that are watched.
---@type table<integer, boolean>
local watched = {}

---@async
---@param id integer
---@param lost fun(id: integer)
local function watch(id, lost)
	pcall(function()
		-- a link that is not up yet would count as broken
		retry.while_full(harbor.connect, id)
		retry.while_full(harbor.link, id)
	end)
	watched[id] = nil
	lost(id)
end

---Call `lost` when the link to the node of `handle` breaks, unless that is watched already or it is
---this node.
---@param handle integer
---@param lost fun(id: integer)  gets the harbor id; the same function in all calls of a service
function harbor_watch.node_of(handle, lost)
	local id, remote = skynet.harbor(handle)
	if remote and not watched[id] then
		watched[id] = true
		skynet.fork(watch, id, lost)
	end
end

return harbor_watch
