---Channels: what one service publishes, every subscriber gets, on all nodes of a harbor network.
---
---All subscribers of a node share one copy of a message; it is unpacked once for each of them. What
---one service publishes in one channel arrives in that order.
---@class skynet.multicast
local multicast = {}

local skynet = require "skynet"
local core = require "skynet.multicast.core"

local CHANNEL_MAX <const> = 0x7fffffff
local TOPIC_MAX <const> = 255

local unpack <const> = skynet.unpack

---The multicast service of this node.
local daemon

---Channel id to the object that gets its messages.
---@type table<integer, skynet.multicast.channel>
local receivers = {}

---@class skynet.multicast.conf
---@field channel integer?  an id; one that nobody has is created by its first user. Default: new
---@field dispatch (async fun(channel: skynet.multicast.channel, source: integer, ...: any))?
---@field closed (async fun(channel: skynet.multicast.channel))?  called when its node ended it
---@field pack (fun(...: any): string|lightuserdata, integer?)?  gives a block; default: skynet.pack
---@field unpack (fun(message: lightuserdata, size: integer): ...: any)?  default: skynet.unpack

---@class skynet.multicast.channel
---@field channel integer?  its id, low byte: the harbor id of its owner; nil when deleted
---@field private conf skynet.multicast.conf
---@field private owner integer?  token of the node of the owner, when this object first met it
---@field private given boolean?  the number came from `multicast.new` there
---@field private asking boolean?  it waits for the answer to its request to subscribe
---@field private before skynet.multicast.channel?  the receiver until then, while `asking`
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

---Send the values to all subscribers. Returns when those of this node have them in the mailbox, and
---have room there if they want senders to wait. Raises when the node of the owner is down.
---@async
---@param ... any
function methods:publish(...)
	local id = check_alive(self)
	local failure, owner, given =
		skynet.call(daemon, "lua", "PUB", id, packed(self, ...), self.owner, self.given)
	if failure then
		error(("cannot publish in %s: %s"):format(tostring(self), failure), 2)
	end
	self.owner, self.given = owner, given
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
	receivers[id], self.asking, self.before = self, true, before
	local ok, failure, owner, given = pcall(skynet.call, daemon, "lua", "SUB", id)
	before, self.asking, self.before = self.before, nil, nil
	if ok and not failure then
		self.owner, self.given = owner, given
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

---@param conf skynet.multicast.conf?
---@return skynet.multicast.conf
local function check_conf(conf)
	if conf ~= nil and type(conf) ~= "table" then
		error("bad configuration (table expected, got " .. type(conf) .. ")", 3)
	end
	return conf or {}
end

---@param conf skynet.multicast.conf
local function copy_conf(conf)
	return {
		dispatch = conf.dispatch,
		pack = conf.pack,
		unpack = conf.unpack,
		closed = conf.closed,
	}
end

---A new channel, or the one of a given id.
---@async
---@param conf skynet.multicast.conf?
---@return skynet.multicast.channel
function multicast.new(conf)
	conf = check_conf(conf)
	local id = conf.channel
	if id == nil then
		id = skynet.call(daemon, "lua", "NEW")
	else
		-- a whole float is one, as JSON has it
		id = type(id) == "number" and math.tointeger(id)
		if not id or id < 0 or id > CHANNEL_MAX then
			error(("bad channel '%s' (an integer from 0 to %d expected)"):format(
				tostring(conf.channel), CHANNEL_MAX), 2)
		end
	end
	return setmetatable({ channel = id, conf = copy_conf(conf) }, meta)
end

---@class skynet.multicast.topic
---@field topic string?  its name; nil when deleted
---@field private channel integer?  of this node, while subscribed
---@field private conf skynet.multicast.conf
local topic_methods = {}

local topic_meta = { __index = topic_methods }

function topic_meta:__tostring()
	return ("[Topic:%s]"):format(self.topic or "")
end

---@param object skynet.multicast.topic
---@return string name
local function check_topic(object)
	local name = object.topic
	if not name then
		error("the topic object was deleted", 3)
	end
	return name
end

---Send the values to all subscribers, on all nodes. Returns when those of this node have them in
---the mailbox, and have room there if they want senders to wait.
---@async
---@param ... any
function topic_methods:publish(...)
	local name = check_topic(self)
	skynet.call(daemon, "lua", "SAY", name, packed(self, ...))
end

---Get what is published from now on, on every node that can be reached now. Of the objects of one
---service for one topic, the last one that subscribed gets it.
---@async
function topic_methods:subscribe()
	local name = check_topic(self)
	if not self.conf.dispatch then
		error("the topic has no dispatch function", 2)
	end
	if self.channel and receivers[self.channel] == self then
		return
	end
	local id = skynet.call(daemon, "lua", "JOIN", name)
	receivers[id], self.channel = self, id
	skynet.call(daemon, "lua", "SETTLE", name)
end

---Get no more.
function topic_methods:unsubscribe()
	check_topic(self)
	leave(self)
	self.channel = nil
end

---End this object. The topic itself has no owner and no end: others go on.
function topic_methods:delete()
	check_topic(self)
	leave(self)
	self.channel, self.topic = nil, nil
end

topic_meta.__gc = leave

---A topic: a channel with a name, which reaches subscribers on all nodes of the cluster and of the
---harbor network.
---@param name string  1 to 255 bytes
---@param conf skynet.multicast.conf?  without `channel`
---@return skynet.multicast.topic
function multicast.topic(name, conf)
	if type(name) ~= "string" or name == "" or #name > TOPIC_MAX then
		error(("bad topic '%s' (a name of 1 to %d bytes expected)"):format(tostring(name), TOPIC_MAX), 2)
	end
	return setmetatable({ topic = name, conf = copy_conf(check_conf(conf)) }, topic_meta)
end

---The daemon says that a channel has ended with its node.
---An object that still asks is not meant: its node may give the same number again, and the answer
---would have come first.
---@async
---@param object skynet.multicast.channel?
local function close(object)
	local asking
	while object and object.asking do
		asking, object = object, object.before
	end
	if not object then
		return
	elseif asking then
		asking.before = nil
	else
		receivers[object.channel] = nil
	end
	if object.conf.closed then
		object.conf.closed(object)
	end
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
		elseif source == daemon then
			return close(object)
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
