---Nodes of the harbor network and the global names that they share.
---
---Everything here asks the service `.cslave` of this node: the member of the harbor network, or its
---stand-in when `harbor` is 0.
---@class skynet.harbor
local harbor = {}

local skynet = require "skynet"

local MEMBER <const> = ".cslave"

---Register a global name of at most 15 bytes. A name that is taken shows up in the log only.
---@param name string
---@param handle? integer  default: this service
function harbor.globalname(name, handle)
	skynet.send(MEMBER, "lua", "REGISTER", name, handle or skynet.self())
end

---Wait until a global name is known. A name that begins with a dot is looked up on this node,
---without waiting.
---@async
---@param name string
---@return integer? handle
function harbor.queryname(name)
	return skynet.call(MEMBER, "lua", "QUERYNAME", name)
end

---Wait until the link to a node breaks; returns at once when there is none.
---@async
---@param id integer  harbor id
function harbor.link(id)
	skynet.call(MEMBER, "lua", "LINK", id)
end

---Wait until there is a link to a node; returns at once when there is one.
---@async
---@param id integer  harbor id
function harbor.connect(id)
	skynet.call(MEMBER, "lua", "CONNECT", id)
end

---Wait until the link to the master breaks.
---@async
function harbor.linkmaster()
	skynet.call(MEMBER, "lua", "LINKMASTER")
end

return harbor
