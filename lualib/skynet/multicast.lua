---Channels: what one service publishes, every subscriber gets, on all nodes of a harbor network.
---
---All subscribers of a node share one copy of a message; it is unpacked once for each of them. What
---one service publishes in one channel arrives in that order.
---@class skynet.multicast
local multicast = {}

local skynet = require "skynet"
local core = require "skynet.multicast.core"

local CHANNEL_MAX <const> = 0x7fffffff

local unpack <const> = skynet.unpack

---The multicast service of this node.
local daemon

---Channel id to the object that gets its messages.
---@type table<integer, skynet.multicast.channel>
local receivers = {}

---@class skynet.multicast.conf
---@field channel integer?  an id; one that nobody has is created by its first user. Default: new
---@field dispatch (async fun(channel: skynet.multicast.channel, source: integer, ...: any))?
---@field pack (fun(...: any): string|lightuserdata, integer?)?  gives a block; default: skynet.pack
---@field unpack (fun(message: lightuserdata, size: integer): ...: any)?  default: skynet.unpack

---@class skynet.multicast.channel
---@field channel integer?  its id, low byte: the harbor id of its owner; nil when deleted
---@field private conf skynet.multicast.conf
local methods = {}

local meta = { __index = methods }

function meta:__tostring()
	return ("[Multicast:%x]"):format(self.channel or 0)
end

---@param object skynet.multicast.channel
---@return integer id
local function check_alive(object)
	local id = object.channel
	if not id then
		error("the channel was deleted", 3)
	end
	return id
end

---@param object skynet.multicast.channel
---@return string
local function packed(object, ...)
	local pack = object.conf.pack
	if not pack or pack == skynet.pack then
		return skynet.packstring(...)
	end
	local message, size = pack(...)
	if type(message) == "string" then
		return message
	end
	local text = skynet.tostring(message, size) or ""
	if message then
		skynet.trash(message, size)
	end
	return text
end

---Send the values to all subscribers. Returns when those of this node have them in the mailbox.
---@async
---@param ... any
function methods:publish(...)
	local id = check_alive(self)
	skynet.call(daemon, "lua", "PUB", id, packed(self, ...))
end

---Get what is published from now on. Of the objects of one service for one channel, the last one
---that subscribed gets it. Raises when there is no such channel.
---@async
function methods:subscribe()
	local id = check_alive(self)
	local before = receivers[id]
	if before == self then
		return
	end
	if not self.conf.dispatch then
		error("the channel has no dispatch function", 2)
	end
	receivers[id] = self
	local ok, failure = pcall(skynet.call, daemon, "lua", "SUB", id)
	if ok and not failure then
		return
	end
	if receivers[id] == self then
		receivers[id] = before
	end
	error(("cannot subscribe to %s: %s"):format(tostring(self), failure), 2)
end

---@param object skynet.multicast.channel
local function leave(object)
	local id = object.channel
	if id and receivers[id] == object then
		receivers[id] = nil
		skynet.send(daemon, "lua", "USUB", id)
	end
end

---Get no more.
function methods:unsubscribe()
	check_alive(self)
	leave(self)
end

---End the channel for everybody. What others publish in it from then on vanishes.
function methods:delete()
	local id = check_alive(self)
	self.channel = nil
	if receivers[id] == self then
		receivers[id] = nil
	end
	skynet.send(daemon, "lua", "DEL", id)
end

-- A subscribed object lives as long as its service: then this tells the multicast service.
meta.__gc = leave

---A new channel, or the one of a given id.
---@async
---@param conf skynet.multicast.conf?
---@return skynet.multicast.channel
function multicast.new(conf)
	conf = conf or {}
	local id = conf.channel
	if id == nil then
		id = skynet.call(daemon, "lua", "NEW")
	elseif math.type(id) ~= "integer" or id < 0 or id > CHANNEL_MAX then
		error(("bad channel '%s' (an integer from 0 to %d expected)"):format(id, CHANNEL_MAX), 2)
	end
	local own = { dispatch = conf.dispatch, pack = conf.pack, unpack = conf.unpack }
	return setmetatable({ channel = id, conf = own }, meta)
end

skynet.register_protocol {
	name = "multicast",
	id = skynet.PTYPE_MULTICAST,
	unpack = function(message, size)
		return message, size
	end,
	dispatch = function(id, source, message, size)
		local object = receivers[id]
		if not object then
			return
		end
		local conf = object.conf
		if not conf.unpack or conf.unpack == unpack then
			return conf.dispatch(object, source, unpack(message, size))
		end
		-- what it returns may point into the message, which is gone when the handler has waited
		local _copy, pointer = core.keep(message, size) -- luacheck: ignore 211
		conf.dispatch(object, source, conf.unpack(pointer, size))
	end,
}

skynet.init(function()
	daemon = skynet.uniqueservice "multicastd"
end)

return multicast
