---Channels that services publish in and subscribe to; behind `skynet.multicast`. No arguments. One
---per node, started as a unique service; in a harbor network the datacenter has its address at
---{ "multicast", harbor id }.
---
---The low byte of a channel id is the harbor id of its owner. The owner knows which nodes have
---subscribers, and every node knows its own; what is published goes to the owner, from there to the
---nodes, and from each of them to its subscribers, all of which share one copy.
local skynet = require "skynet"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local core = require "skynet.multicast.core"

local DIRECTORY <const> = "multicast"
local NODE_MASK <const> = 0xff
local CHANNEL_MAX <const> = 0x7fffffff
local NO_CHANNEL <const> = "no such channel"

---Harbor id of this node; 0 when there is no network: every channel is ours then.
local here <const> = skynet.harbor(skynet.self())

---@class multicastd.channel
---@field group skynet.multicast.group  subscribers on this node
---@field nodes table<integer, integer>  ours: harbor id of a subscribed node to its multicastd
---@field joining table<integer, function>?  not ours: who waits until the owner knows about us

---@type table<integer, multicastd.channel>
local channels = {}

---The next channel that NEW gives, and whether the numbers began again.
local next_id, wrapped = here, false

---Harbor id to the multicastd there.
---@type table<integer, integer>
local daemons = {}

local watched_nodes = {}

---@param id integer
---@return boolean
local function is_ours(id)
	return here == 0 or id & NODE_MASK == here
end

---@return multicastd.channel
local function add_channel(id)
	local channel = { group = core.group(), nodes = {} }
	channels[id] = channel
	return channel
end

local function advance()
	local id = core.nextid(next_id)
	wrapped = wrapped or id < next_id
	next_id = id
end

---A channel of ours. One that was never given out by NEW is created: somebody agreed on its number.
---@return multicastd.channel?
local function open_channel(id)
	local channel = channels[id]
	local given_out = id & NODE_MASK == here and (wrapped or id < next_id)
	if not channel and not given_out then
		channel = add_channel(id)
	end
	return channel
end

---What was a number of another node is forgotten with it.
---@param node integer
local function forget_node(node)
	daemons[node] = nil
	for id, channel in pairs(channels) do
		channel.nodes[node] = nil
		if not is_ours(id) and id & NODE_MASK == node then
			channels[id] = nil
		end
	end
end

---@async
local function watch(node)
	watched_nodes[node] = true
	-- a link that is not up yet would count as broken
	local broken = pcall(function()
		harbor.connect(node)
		harbor.link(node)
	end)
	watched_nodes[node] = nil
	if broken then
		forget_node(node)
	end
end

local function watch_node(node)
	if not watched_nodes[node] then
		skynet.fork(watch, node)
	end
end

---The multicastd of the owner of a channel. Raises when its node has none.
---@async
---@param id integer
---@return integer
local function owner_of(id)
	local node = id & NODE_MASK
	local daemon = daemons[node]
	if not daemon then
		daemon = datacenter.get(DIRECTORY, node)
		if math.type(daemon) ~= "integer" or skynet.harbor(daemon) ~= node then
			error(("node %d has no multicast service"):format(node))
		end
		daemons[node] = daemon
		watch_node(node)
	end
	return daemon
end

---Give up a channel of another node that nobody here wants any more.
---@async
local function leave_if_unused(id)
	local channel = channels[id]
	if channel and not channel.joining and channel.group:count() == 0 then
		channels[id] = nil
		skynet.send(owner_of(id), "lua", "USUBR", id)
	end
end

---Messages that full mailboxes have refused.
local refused_count = 0

---@param id integer
---@param channel multicastd.channel
---@param source integer  who published it
---@param request integer  session of a request of `source` that may wait for room; 0: none
---@param message string|lightuserdata  borrowed
---@param size integer?
---@return boolean held  the kernel answers that request
local function deliver(id, channel, source, request, message, size)
	local _, held, full = channel.group:publish(source, id, request, message, size)
	refused_count = refused_count + full
	if next(channel.nodes) then
		local payload = type(message) == "string" and message or skynet.tostring(message, size)
		for _, daemon in pairs(channel.nodes) do
			skynet.redirect(daemon, source, "multicast", id, payload)
		end
	end
	return held
end

---Tell the owner that we have subscribers. Returns nothing, or why that failed.
---@async
---@return string?
local function join(id)
	local ok, refused = pcall(function()
		return skynet.call(owner_of(id), "lua", "SUBR", id)
	end)
	if not ok then
		-- it may come back under another address
		daemons[id & NODE_MASK] = nil
		return tostring(refused)
	end
	return refused and NO_CHANNEL or nil
end

---Subscribe to a channel of another node: the first one asks its owner, the others wait for that.
---@async
local function subscribe_foreign(id, source)
	local channel = channels[id]
	if channel and not channel.joining then
		channel.group:add(source)
		return skynet.retpack(nil)
	end
	local first = not channel
	channel = channel or add_channel(id)
	channel.joining = channel.joining or {}
	channel.joining[source] = skynet.response()
	if not first then
		return
	end
	local failure = join(id)
	local waiters = channel.joining
	channel.joining = nil
	for subscriber in pairs(waiters) do
		if not failure then
			channel.group:add(subscriber)
		end
	end
	if failure and channels[id] == channel then
		channels[id] = nil
	elseif channels[id] ~= channel then
		failure = failure or NO_CHANNEL
	end
	for _, response in pairs(waiters) do
		response(true, failure)
	end
	if not failure then
		leave_if_unused(id)
	end
end

---@alias multicastd.command "NEW"|"SUB"|"USUB"|"PUB"|"DEL"|"COUNT"|"SUBR"|"USUBR"|"DELR"
---Handlers get the source of the request; those of requests that want an answer give it.
---@type table<multicastd.command, async fun(source: integer, id: integer, ...: any)>
local command = {}

---A new channel: its id.
function command.NEW()
	while channels[next_id] do
		advance()
	end
	local id = next_id
	add_channel(id)
	advance()
	skynet.retpack(id)
end

---id: the caller wants what is published. Answer: nil, or why that cannot be.
function command.SUB(source, id)
	if not is_ours(id) then
		return subscribe_foreign(id, source)
	end
	local channel = open_channel(id)
	if not channel then
		return skynet.retpack(NO_CHANNEL)
	end
	channel.group:add(source)
	skynet.retpack(nil)
end

---id: the caller wants no more. No answer.
function command.USUB(source, id)
	local channel = channels[id]
	if not channel then
		return
	end
	channel.group:remove(source)
	local waiting = channel.joining and channel.joining[source]
	if waiting then
		channel.joining[source] = nil
		waiting(true, nil)
	end
	if not is_ours(id) then
		leave_if_unused(id)
	end
end

---id payload: answered when every subscriber of this node, or the owner, has been sent it, and none
---of this node is over its limit and asks senders to wait.
function command.PUB(source, id, payload)
	if type(payload) ~= "string" then
		error "PUB needs a payload"
	end
	if is_ours(id) then
		local channel = open_channel(id)
		if channel and deliver(id, channel, source, (skynet.context()), payload) then
			return skynet.ignoreret()
		end
	else
		skynet.redirect(owner_of(id), source, "multicast", id, payload)
	end
	skynet.retpack(nil)
end

---id: there is no such channel any more. No answer.
function command.DEL(_, id)
	if not is_ours(id) then
		skynet.send(owner_of(id), "lua", "DEL", id)
		return
	end
	local channel = channels[id]
	channels[id] = nil
	for _, daemon in pairs(channel and channel.nodes or {}) do
		skynet.send(daemon, "lua", "DELR", id)
	end
end

---id: how many subscribers this node has.
function command.COUNT(_, id)
	local channel = channels[id]
	skynet.retpack(channel and channel.group:count() or 0)
end

---id: the node of the caller has subscribers. Answer: nil, or true when there is no such channel.
function command.SUBR(source, id)
	local node, remote = skynet.harbor(source)
	local channel = remote and is_ours(id) and open_channel(id)
	if not channel then
		return skynet.retpack(true)
	end
	channel.nodes[node] = source
	watch_node(node)
	skynet.retpack(nil)
end

---id: the node of the caller has no more subscribers. No answer.
function command.USUBR(source, id)
	local channel = channels[id]
	if channel then
		channel.nodes[skynet.harbor(source)] = nil
	end
end

---id: from its owner, there is no such channel any more. No answer.
function command.DELR(source, id)
	if not is_ours(id) and skynet.harbor(source) == id & NODE_MASK then
		channels[id] = nil
	end
end

skynet.register_protocol {
	name = "multicast",
	id = skynet.PTYPE_MULTICAST,
	unpack = function(message, size)
		return message, size
	end,
	-- from another node: to us as the owner, or from the owner for those who subscribed here
	dispatch = function(id, source, message, size)
		local channel = channels[id]
		if channel then
			deliver(id, channel, source, 0, message, size)
			if not is_ours(id) then
				leave_if_unused(id)
			end
		end
	end,
}

---For the debug command INFO.
skynet.info_func(function()
	local info = { channels = 0, subscribers = 0, refused = refused_count }
	for _, channel in pairs(channels) do
		info.channels = info.channels + 1
		info.subscribers = info.subscribers + channel.group:count()
	end
	info.messages, info.bytes = core.usage()
	return info
end)

skynet.start(function()
	skynet.dispatch("lua", function(_, source, name, id, ...)
		local f = command[name]
		if not f then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		if name ~= "NEW" and (math.type(id) ~= "integer" or id < 0 or id > CHANNEL_MAX) then
			error(("'%s' is not a channel"):format(tostring(id)))
		end
		f(source, id, ...)
	end)
	if here ~= 0 then
		datacenter.set(DIRECTORY, here, skynet.self())
	end
end)
