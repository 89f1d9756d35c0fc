---Nodes of the harbor network and the global names that they share.
---
---Everything here asks the service `.cslave` of this node: the member of the harbor network, or its
---stand-in when `harbor` is 0.
---@class skynet.harbor
local harbor = {}

local skynet = require "skynet"

local MEMBER <const> = ".cslave"

---The number that `id` stands for, if need be as text. Raises in the caller of a public function
---when it is none.
---@param what string
---@param id any
---@return integer
local function number_of(what, id)
	return math.tointeger(tonumber(id))
		or error(("harbor %s cannot be %s: ids are integers"):format(tostring(id), what), 3)
end

---Register a global name of at most 15 bytes. A name that is taken shows up in the log only.
---@param name string
---@param handle? integer  default: this service
function harbor.globalname(name, handle)
	if type(name) ~= "string" then
		error("bad argument #1 to 'globalname' (name expected, got " .. type(name) .. ")", 2)
	elseif handle ~= nil and math.type(handle) ~= "integer" then
		error("bad argument #2 to 'globalname' (address expected, got " .. type(handle) .. ")", 2)
	end
	skynet.send(MEMBER, "lua", "REGISTER", name, handle or skynet.self())
end

---Wait until a global name is known. A name that begins with a dot is looked up on this node,
---without waiting.
---@async
---@param name string
---@return integer? handle
function harbor.queryname(name)
	return skynet.call_forever(MEMBER, "lua", "QUERYNAME", name)
end

---Wait until the link to a node breaks; returns at once when there is none.
---@async
---@param id integer  harbor id
---@return string? reason  why there is none any more
function harbor.link(id)
	return skynet.call_forever(MEMBER, "lua", "LINK", number_of("linked", id))
end

---Wait until there is a link to a node; returns at once when there is one.
---@async
---@param id integer  harbor id
function harbor.connect(id)
	skynet.call_forever(MEMBER, "lua", "CONNECT", number_of("connected", id))
end

---Wait until the link to the master breaks.
---@async
function harbor.linkmaster()
	skynet.call_forever(MEMBER, "lua", "LINKMASTER")
end

return harbor
