---What other nodes are to get of the topics that are published here: used by `multicastd`.
---
---A node that wants topics opens an outbox and pulls: each pull is answered, as soon as there is
---something, with messages that follow each other, and says which ones have arrived. What has not
---been acknowledged stays, so that nothing is lost or doubled when the connection changes. A node
---that does not keep up loses the oldest messages, which are counted.
---@class skynet.topic_outbox
local outbox = {}

local skynet = require "skynet"

---An answer to a pull ends with the message that brings it to this size.
local BATCH_BYTES <const> = 256 << 10
local BATCH_COUNT <const> = 1000
---Memory that a message takes beyond its payload, roughly.
local OVERHEAD <const> = 128
---A pull is answered after this time, with nothing; a node that does not pull is forgotten.
local SWEEP_CS <const> = 3000
local SILENCE_CS <const> = 9000
---The same for a node whose pull could not be answered: its connection was lost.
local RETURN_CS <const> = 1000

---@class topic_outbox.message
---@field topic string
---@field source integer
---@field payload string

---@class topic_outbox.peer
---@field token integer
---@field number integer  of this outbox: message numbers begin with it
---@field topics table<string, boolean>  what the node wants
---@field messages table<integer, topic_outbox.message>  by number
---@field first integer  number of the oldest message that is kept
---@field last integer  number of the newest one
---@field bytes integer
---@field dropping boolean
---@field response (fun(ok: boolean, ...): boolean)?  of a pull that waits
---@field node integer?  harbor id of who pulled last, if that is another node of the harbor network
---@field heard integer  time of the last pull

---Token of a node to its outbox.
---@type table<integer, topic_outbox.peer>
local peers = {}

---Topic to the outboxes that want it.
---@type table<string, table<topic_outbox.peer, boolean>>
local interested = {}

local limit = math.huge
local dropped_count, box_count = 0, 0
local sweeping = false

---@param bytes integer  that may wait for one node
function outbox.set_limit(bytes)
	limit = bytes
end

---@param peer topic_outbox.peer
---@param topic string
local function want(peer, topic)
	peer.topics[topic] = true
	interested[topic] = interested[topic] or {}
	interested[topic][peer] = true
end

---@param peer topic_outbox.peer
---@param topic string
local function unwant(peer, topic)
	peer.topics[topic] = nil
	local set = interested[topic]
	if set then
		set[peer] = nil
		if not next(set) then
			interested[topic] = nil
		end
	end
end

---@param peer topic_outbox.peer
local function drop_oldest(peer)
	local message = peer.messages[peer.first]
	peer.messages[peer.first] = nil
	peer.first = peer.first + 1
	peer.bytes = peer.bytes - #message.payload - OVERHEAD
end

---Messages up to number `ack` have arrived.
---@param peer topic_outbox.peer
---@param ack integer
local function acknowledge(peer, ack)
	while peer.first <= ack and peer.first <= peer.last do
		drop_oldest(peer)
	end
end

---@param token integer
local function forget(token)
	local peer = peers[token]
	peers[token] = nil
	for topic in pairs(peer.topics) do
		unwant(peer, topic)
	end
end

---End a pull: with messages, or with nothing.
---@param peer topic_outbox.peer
local function answer(peer)
	local response = peer.response
	if not response then
		return
	end
	peer.response = nil
	local batch, bytes, number = {}, 0, peer.first
	while number <= peer.last and bytes < BATCH_BYTES and number - peer.first < BATCH_COUNT do
		local message = peer.messages[number]
		table.move({ message.topic, message.source, message.payload }, 1, 3, #batch + 1, batch)
		bytes = bytes + #message.payload
		number = number + 1
	end
	if response(true, peer.first, batch) then
		return
	end
	-- whoever asked is gone: the messages stay for the next pull, if that comes soon
	local heard = peer.heard
	skynet.timeout(RETURN_CS, function()
		if peers[peer.token] == peer and peer.heard == heard then
			forget(peer.token)
		end
	end)
end

local function sweep()
	local now = skynet.now()
	for token, peer in pairs(peers) do
		if peer.response then
			if now - peer.heard >= SWEEP_CS then
				peer.heard = now
				answer(peer)
			end
		elseif now - peer.heard >= SILENCE_CS then
			forget(token)
		end
	end
	sweeping = next(peers) ~= nil
	if sweeping then
		skynet.timeout(SWEEP_CS, sweep)
	end
end

---@param token integer  a node that wants nothing any more
function outbox.close(token)
	local peer = peers[token]
	if peer then
		forget(token)
		if peer.response then
			peer.response(true)
		end
	end
end

---@param token integer
---@return topic_outbox.peer
local function new_peer(token)
	box_count = box_count + 1
	local peer = {
		token = token,
		number = box_count,
		topics = {},
		messages = {},
		first = 1,
		last = 0,
		bytes = 0,
		dropping = false,
		heard = skynet.now(),
	}
	peers[token] = peer
	return peer
end

---A node wants exactly these topics from now on. Its outbox is still there when it comes back soon.
---@param token integer  of that node
---@param topics string[]
---@return integer number  of the outbox
function outbox.open(token, topics)
	local peer = peers[token] or new_peer(token)
	peer.heard = skynet.now()
	local wanted = {}
	for _, topic in ipairs(topics) do
		wanted[topic] = true
		want(peer, topic)
	end
	for topic in pairs(peer.topics) do
		if not wanted[topic] then
			unwant(peer, topic)
		end
	end
	if not sweeping then
		sweeping = true
		skynet.timeout(SWEEP_CS, sweep)
	end
	return peer.number
end

---@param token integer
---@param topic string
---@return boolean known  this node has an outbox
function outbox.want(token, topic)
	local peer = peers[token]
	if peer then
		want(peer, topic)
	end
	return peer ~= nil
end

---@param token integer
---@param topic string
function outbox.unwant(token, topic)
	if peers[token] then
		unwant(peers[token], topic)
	end
end

---The current request is a pull: it is answered with the number of the first message and a list
---of topic, publisher and payload of each, when there are any. The one before, if it waits, ends.
---@param token integer
---@param ack integer  the last message that has arrived
---@return boolean known  this node has an outbox
function outbox.pull(token, ack)
	local peer = peers[token]
	if not peer then
		return false
	end
	if peer.response then
		local response = peer.response
		peer.response = nil
		response(true)
	end
	local _, source = skynet.context()
	local node, remote = skynet.harbor(source)
	peer.heard, peer.node = skynet.now(), remote and node or nil
	peer.response = skynet.response()
	acknowledge(peer, ack)
	peer.dropping = peer.dropping and peer.bytes > limit / 2
	if peer.first <= peer.last then
		answer(peer)
	end
	return true
end

---The link to a node has broken: its pull must not be answered any more. A new process that has the
---id of the node by then would take the answer for that to a request of its own.
---@param id integer  harbor id
function outbox.node_down(id)
	for _, peer in pairs(peers) do
		if peer.node == id then
			peer.response = nil
		end
	end
end

---@param peer topic_outbox.peer
---@param message topic_outbox.message
local function add(peer, message)
	peer.last = peer.last + 1
	peer.messages[peer.last] = message
	peer.bytes = peer.bytes + #message.payload + OVERHEAD
	while peer.bytes > limit and peer.first < peer.last do
		if not peer.dropping then
			peer.dropping = true
			skynet.error "error: a node that does not keep up loses messages of topics"
		end
		dropped_count = dropped_count + 1
		drop_oldest(peer)
	end
	answer(peer)
end

---Keep a message for every node that wants the topic.
---@param topic string
---@param source integer  who published it
---@param payload string
function outbox.publish(topic, source, payload)
	local set = interested[topic]
	if not set then
		return
	end
	local message = { topic = topic, source = source, payload = payload }
	for peer in pairs(set) do
		add(peer, message)
	end
end

---How many nodes get topics from here, the messages and bytes that wait for them, and how many
---were dropped.
---@return integer nodes
---@return integer messages
---@return integer bytes
---@return integer dropped
function outbox.usage()
	local nodes, messages, bytes = 0, 0, 0
	for _, peer in pairs(peers) do
		nodes = nodes + 1
		messages = messages + peer.last - peer.first + 1
		bytes = bytes + peer.bytes
	end
	return nodes, messages, bytes, dropped_count
end

return outbox
