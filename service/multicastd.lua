---Channels and topics that services publish in and subscribe to; behind `skynet.multicast`. No
---arguments. One per node, started as a unique service.
---
---The low byte of a channel id is the harbor id of its owner. The owner knows which nodes have
---subscribers, and every node knows its own; what is published goes to the owner, from there to the
---nodes, and from each of them to its subscribers, all of which share one copy.
---
---Topics, which have names and no owner, are channels of each node that has subscribers:
---`skynet.multicast_topics`.
local skynet = require "skynet"
local core = require "skynet.multicast.core"
local nodes = require "skynet.multicast_nodes"
local topics = require "skynet.multicast_topics"

local NODE_MASK <const> = 0xff
local CHANNEL_MAX <const> = 0x7fffffff
local NO_CHANNEL <const> = "no such channel"

---Harbor id of this node; 0 when there is no network: every channel is ours then.
local here <const> = skynet.harbor(skynet.self())

---Tells this start of the service from all others, here and elsewhere.
local token <const> = (os.time() << 31 ~ skynet.hpc() ~ math.random(0)) & math.maxinteger

---@class multicastd.channel
---@field group skynet.multicast.group  subscribers on this node
---@field nodes table<integer, integer>  ours: harbor id of a subscribed node to its multicastd
---@field joining table<integer, function>?  not ours: who waits until the owner knows about us
---@field owner integer?  not ours: the token of its node when we joined
---@field given boolean?  not ours: its number came from NEW there, so it ends with that node
---@field lost boolean?  not ours: its node is down
---@field topic string?  this node's part of a topic

---@type table<integer, multicastd.channel>
local channels = {}

---The next channel that NEW gives, and whether the numbers began again.
local next_id, wrapped = here, false

---Messages that full mailboxes have refused.
local refused_count = 0

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

---@return integer id
---@return multicastd.channel
local function new_channel()
	while channels[next_id] do
		advance()
	end
	local id = next_id
	advance()
	return id, add_channel(id)
end

---Whether NEW has given this number, so that it is nobody else's to agree on.
---@param id integer
local function is_given(id)
	return id & NODE_MASK == here and (wrapped or id < next_id)
end

---A channel of ours. One that was never given out by NEW is created: somebody agreed on its number.
---@return multicastd.channel?
local function open_channel(id)
	return channels[id] or not is_given(id) and add_channel(id) or nil
end

---The node of the owner of a channel. Raises when it has no multicast service, or is down.
---@async
---@param id integer
---@return multicast_nodes.node
local function owner_of(id)
	return nodes.find(id & NODE_MASK)
end

---Tell the owner of a channel something that does not matter when it is down.
---@async
---@param id integer
---@param what string
local function tell_owner(id, what)
	local ok, owner = pcall(owner_of, id)
	if ok then
		skynet.send(owner.handle, "lua", what, id)
	end
end

---Give up a channel that nobody here wants any more.
---@async
local function leave_if_unused(id)
	local channel = channels[id]
	if not channel or channel.joining or channel.group:count() > 0 then
		return
	end
	if channel.topic then
		channels[id] = nil
		topics.closed(channel.topic)
	elseif not is_ours(id) then
		channels[id] = nil
		if not channel.lost then
			tell_owner(id, "USUBR")
		end
	end
end

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

-- ---- owners that end and come back ----

---The subscribers of a channel learn that it is no more: the message comes from ourselves.
local function end_channel(id, channel)
	skynet.error(("multicast: channel %x has ended with its node"):format(id))
	channels[id] = nil
	channel.group:publish(skynet.self(), id, 0, "")
end

---Subscribe this node again to a channel of a node that was lost.
---@async
local function renew(id, channel, node)
	if channel.given and channel.owner ~= node.token then
		return end_channel(id, channel)
	end
	local ok, refused = pcall(skynet.call, node.handle, "lua", "SUBR", id, token)
	if not ok or channels[id] ~= channel or not channel.lost then
		return
	end
	if refused then
		end_channel(id, channel)
	else
		channel.lost, channel.owner = nil, node.token
		leave_if_unused(id)
	end
end

---@param node integer
local function node_down(node)
	topics.node_down(node)
	for id, channel in pairs(channels) do
		channel.nodes[node] = nil
		if not is_ours(id) and id & NODE_MASK == node then
			channel.lost = true
		end
	end
end

local function node_up(number, node)
	for id, channel in pairs(channels) do
		if channel.lost and id & NODE_MASK == number then
			skynet.fork(renew, id, channel, node)
		end
	end
	topics.node_up(number)
end

-- ---- requests ----

---Call the owner of a channel, whose node may be lost meanwhile: raises as if it had been before.
---@async
---@param owner multicast_nodes.node
local function ask_owner(owner, what, id, ...)
	local ok, answer, more = pcall(skynet.call, owner.handle, "lua", what, id, ...)
	if not ok then
		error(("node %d cannot be reached (%s)"):format(id & NODE_MASK, tostring(answer)), 0)
	end
	return answer, more
end

---Tell the owner that we have subscribers. Returns nothing, or why that failed.
---@async
---@param channel multicastd.channel
---@return string?
local function join(id, channel)
	local ok, refused, given = pcall(function()
		local owner = owner_of(id)
		channel.owner = owner.token
		if owner.token then
			return ask_owner(owner, "SUBR", id, token)
		end
		return ask_owner(owner, "SUBR", id)
	end)
	channel.given = given
	if not ok then
		return tostring(refused)
	end
	return refused and NO_CHANNEL or nil
end

---Subscribe to a channel of another node: the first one asks its owner, the others wait for that.
---@async
local function subscribe_foreign(id, source)
	local channel = channels[id]
	if channel and channel.lost and not channel.joining then
		return skynet.retpack(("node %d is down"):format(id & NODE_MASK))
	elseif channel and not channel.joining then
		channel.group:add(source)
		return skynet.retpack(nil, channel.owner, channel.given)
	end
	local first = not channel
	channel = channel or add_channel(id)
	channel.joining = channel.joining or {}
	channel.joining[source] = skynet.response()
	if not first then
		return
	end
	local failure = join(id, channel)
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
		response(true, failure, channel.owner, channel.given)
	end
	if not failure then
		leave_if_unused(id)
	end
end

---@alias multicastd.command
---| "NEW"|"SUB"|"USUB"|"PUB"|"DEL"|"COUNT"|"GIVEN"|"SUBR"|"USUBR"|"DELR"
---Handlers get the source of the request; those of requests that want an answer give it.
---@type table<multicastd.command, async fun(source: integer, id: integer, ...: any)>
local command = {}

---A new channel: its id.
function command.NEW()
	skynet.retpack((new_channel()))
end

---id: the caller wants what is published. Answer: nil or why that cannot be; of a foreign channel
---also the token of the owner, and whether the number was given there.
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
	leave_if_unused(id)
end

---id payload [token given]: answered when every subscriber of this node, or the owner, has been
---sent it, and none of this node is over its limit and asks senders to wait. Answer: nil, or why
---that cannot be; for a foreign channel also the token of its owner and whether the number was
---given there. The caller passes them next time: a number that was given means nothing when its
---node has started again.
function command.PUB(source, id, payload, known_owner, given)
	if type(payload) ~= "string" then
		error "PUB needs a payload"
	end
	if is_ours(id) then
		local channel = open_channel(id)
		if channel and deliver(id, channel, source, (skynet.context()), payload) then
			return skynet.ignoreret()
		end
		return skynet.retpack(nil)
	end
	local ok, owner = pcall(owner_of, id)
	if not ok then
		return skynet.retpack(owner)
	end
	if not known_owner and owner.token then
		ok, given = pcall(ask_owner, owner, "GIVEN", id)
		if not ok then
			return skynet.retpack(given)
		end
	elseif given and known_owner ~= owner.token then
		return skynet.retpack "it has ended with its node"
	end
	skynet.redirect(owner.handle, source, "multicast", id, payload)
	skynet.retpack(nil, owner.token, given)
end

---id: there is no such channel any more. No answer.
function command.DEL(_, id)
	if not is_ours(id) then
		return tell_owner(id, "DEL")
	end
	local channel = channels[id]
	if channel and not channel.topic then
		channels[id] = nil
		for _, daemon in pairs(channel.nodes) do
			skynet.send(daemon, "lua", "DELR", id)
		end
	end
end

---id: how many subscribers this node has.
function command.COUNT(_, id)
	local channel = channels[id]
	skynet.retpack(channel and channel.group:count() or 0)
end

---id: whether NEW has given it.
function command.GIVEN(_, id)
	skynet.retpack(is_given(id))
end

---id [token]: the node of the caller, known by that token, has subscribers. Answer: nil, or true
---when there is no such channel; if there was a token, also whether the number was given.
function command.SUBR(source, id, theirs)
	local node, remote = skynet.harbor(source)
	local channel = remote and is_ours(id) and open_channel(id)
	if not channel then
		return skynet.retpack(true)
	end
	channel.nodes[node] = source
	nodes.asked_by(source, theirs)
	if theirs then
		skynet.retpack(nil, is_given(id))
	else
		skynet.retpack(nil)
	end
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

---Requests that are not about a channel.
---@type table<string, async fun(source: integer, ...: any)>
local node_command = {}

---token: the service of another node of the harbor network has started. No answer.
function node_command.HERE(source, theirs)
	nodes.here(source, theirs)
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

---For the debug command INFO, by which the services of other nodes also recognise this one.
skynet.info_func(function()
	local info = { token = token, channels = 0, subscribers = 0, refused = refused_count, topics = 0 }
	for _, channel in pairs(channels) do
		info.channels = info.channels + 1
		info.topics = info.topics + (channel.topic and 1 or 0)
		info.subscribers = info.subscribers + channel.group:count()
	end
	info.messages, info.bytes = core.usage()
	return topics.describe(info)
end)

skynet.start(function()
	skynet.dispatch("lua", function(_, source, name, first, ...)
		local other = node_command[name] or topics.command[name]
		if other then
			return other(source, first, ...)
		end
		local f = command[name]
		if not f then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		if name ~= "NEW" and (math.type(first) ~= "integer" or first < 0 or first > CHANNEL_MAX) then
			error(("'%s' is not a channel"):format(tostring(first)))
		end
		f(source, first, ...)
	end)
	topics.start(token, {
		open = function(topic)
			local id, channel = new_channel()
			channel.topic = topic
			return id
		end,
		join = function(id, source)
			channels[id].group:add(source)
		end,
		deliver = function(id, source, request, payload)
			local held = deliver(id, channels[id], source, request, payload)
			leave_if_unused(id)
			return held
		end,
	})
	nodes.start(token, {
		found = topics.node_found,
		up = node_up,
		down = node_down,
	})
end)
