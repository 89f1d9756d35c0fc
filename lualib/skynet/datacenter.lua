---A tree of values that all nodes of a harbor network share. It lives in memory, on one node.
---@class skynet.datacenter
local datacenter = {}

local skynet = require "skynet"

local STORE <const> = "DATACENTER"

---Read the value at a path; a subtree comes as a copy.
---@async
---@param ... any  keys from the root down
---@return any value  nil when there is none
function datacenter.get(...)
	return skynet.call(STORE, "lua", "QUERY", ...)
end

---Store a value at a path, creating the levels above it; nil deletes.
---@async
---@param ... any  keys from the root down, then the value
---@return any previous  what was there before
function datacenter.set(...)
	return skynet.call(STORE, "lua", "UPDATE", ...)
end

---Read the value at a path, waiting for somebody to store one when there is none.
---@async
---@param ... any  keys from the root down
---@return any value
function datacenter.wait(...)
	return skynet.call_forever(STORE, "lua", "WAIT", ...)
end

return datacenter
