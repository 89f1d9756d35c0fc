---Topics: channels with a name, which reach the subscribers on every node that knows this one. Used
---by `multicastd`.
---
---On a node with subscribers a topic is a channel of that node. It gets what is published there,
---and what the node pulls from the others: a message waits in an outbox for each node that has said
---that it wants the topic. So it crosses each link once, and only where it is wanted.
---@class skynet.multicast_topics
local topics = {}

local skynet = require "skynet"
local nodes = require "skynet.multicast_nodes"
local outbox = require "skynet.topic_outbox"
local topic_feed = require "skynet.topic_feed"

local TOPIC_MAX <const> = 255
local LIMIT_KEY <const> = "topic_limit"
local CLUSTER_NAME <const> = "skynet.multicast"
local PULL_PATIENCE_CS <const> = 9000
local PATIENCE_CS <const> = 1000
local HANDLE_MAX <const> = 0xffffffff

---What the service does with channels.
---@class multicast_topics.host
---@field open fun(topic: string): integer  a new channel
---@field join fun(id: integer, subscriber: integer)
---@field deliver fun(id: integer, source: integer, request: integer, payload: string): boolean held

---@type multicast_topics.host
local host

local own_token = 0

---@class multicast_topics.topic
---@field id integer  of its channel here
---@field announced boolean?  the other nodes know that it is wanted here

---Topics with subscribers on this node.
---@type table<string, multicast_topics.topic>
local open = {}

---How long an answer may take: a pull waits for something to be published.
---@param request string
---@return integer
local function patience(request)
	return request == "PULL" and PULL_PATIENCE_CS or PATIENCE_CS
end

---Pull topics from another node of the harbor network as well.
---@param id integer
local function feed_from_harbor(id)
	topic_feed.set(id, function()
		return nodes.find(id).handle
	end, function(service, ...)
		return skynet.call_timeout(patience(...), service, "lua", ...)
	end, function(service, ...)
		skynet.send(service, "lua", ...)
	end)
end

---Pull topics from a node of the cluster. Its service is called by name: a connection that is made
---for a call may lead to another process than before, where the same address is another service.
---@param name string
local function feed_from_cluster(cluster, name)
	topic_feed.set(name, function()
		-- unlike a call by name, this leaves no word in the log of a node that has none
		cluster.query(name, CLUSTER_NAME)
		return "@" .. CLUSTER_NAME
	end, function(service, ...)
		return cluster.call_timeout(patience(...), name, service, ...)
	end, function(service, ...)
		cluster.send(name, service, ...)
	end)
end

---What another node has published.
---@param topic any
---@param source any
---@param payload any
local function deliver(topic, source, payload)
	local entry = open[topic]
	local is_handle = math.type(source) == "integer" and source > 0 and source <= HANDLE_MAX
	if entry and type(payload) == "string" and is_handle then
		host.deliver(entry.id, source, 0, payload)
	end
end

---Begin with topics: the first use of one.
---@async
local function start_topics()
	topic_feed.start(own_token, deliver)
	for id in pairs(nodes.list()) do
		feed_from_harbor(id)
	end
	local cluster = require "skynet.cluster"
	cluster.register(CLUSTER_NAME)
	cluster.on_node(function(name, what)
		if what == "changed" then
			feed_from_cluster(cluster, name)
		elseif what == "up" then
			topic_feed.kick(name)
		end
	end)
	for _, name in ipairs(skynet.call(".clusterd", "lua", "nodes")) do
		feed_from_cluster(cluster, name)
	end
end

---@enum multicast_topics.state
local STATE <const> = { UNUSED = 1, STARTING = 2, STARTED = 3 }

local state = STATE.UNUSED

---Tokens of tasks that wait until topics can be used.
---@type table[]
local starting = {}

---@async
local function begin()
	state = STATE.STARTING
	local ok, reason = pcall(start_topics)
	state = ok and STATE.STARTED or STATE.UNUSED
	local waiting = starting
	starting = {}
	for _, wait_token in ipairs(waiting) do
		wait_token.failure = not ok and reason or nil
		skynet.wakeup(wait_token)
	end
	if not ok then
		error(reason, 0)
	end
end

---The first use of a topic here begins with them.
---@async
---@return boolean first
local function need_topics()
	if state == STATE.STARTED then
		return false
	elseif state == STATE.UNUSED then
		begin()
		return true
	end
	local wait_token = {}
	table.insert(starting, wait_token)
	skynet.wait(wait_token)
	if wait_token.failure then
		error(wait_token.failure, 0)
	end
	return false
end

---@param topic any
local function check_topic(topic)
	if type(topic) ~= "string" or topic == "" or #topic > TOPIC_MAX then
		error("the name of a topic has 1 to " .. TOPIC_MAX .. " bytes", 0)
	end
end

---Who asks is another node: it must say which.
---@param token any
local function check_token(token)
	if math.type(token) ~= "integer" then
		error("a node is known by a token, which is an integer", 0)
	end
end

---A node has no outbox here, because it was silent for long or because this one has started again:
---no mistake of anybody. It will open one.
local function refuse()
	skynet.response()(false)
end

---Requests about topics, from services of this node (JOIN, SETTLE, SAY) and from other nodes (the
---others), which say by which token they are known. Handlers get the source, and answer.
---@type table<string, async fun(source: integer, ...: any)>
local command = {}
topics.command = command

---topic: the caller wants what is published. Answer: the channel that it comes in.
function command.JOIN(source, topic)
	check_topic(topic)
	need_topics()
	local entry = open[topic] or { id = host.open(topic) }
	open[topic] = entry
	host.join(entry.id, source)
	skynet.retpack(entry.id)
end

---topic: answered when the other nodes know that there are subscribers here.
function command.SETTLE(_, topic)
	local entry = open[topic]
	if entry and not entry.announced then
		topic_feed.want(topic)
		entry.announced = true
	end
	skynet.retpack()
end

---topic payload: answered as PUB is.
function command.SAY(source, topic, payload)
	check_topic(topic)
	if type(payload) ~= "string" then
		error "SAY needs a payload"
	end
	if need_topics() then
		-- those who wait for this node are to get the first message too
		topic_feed.settle()
	end
	outbox.publish(topic, source, payload)
	local entry = open[topic]
	if entry and host.deliver(entry.id, source, (skynet.context()), payload) then
		skynet.ignoreret()
	else
		skynet.retpack(nil)
	end
end

---token topics: a node has come, and wants these. Answer: our token, and the number of its outbox.
function command.OPEN(source, theirs, list)
	check_token(theirs)
	if type(list) ~= "table" then
		error("a list of topics is needed", 0)
	end
	for _, topic in ipairs(list) do
		check_topic(topic)
	end
	need_topics()
	-- a node of the harbor network may not be in the datacenter yet
	nodes.here(source, theirs)
	local number
	if theirs ~= own_token then
		topic_feed.heard_of(theirs)
		number = #list > 0 and outbox.open(theirs, list) or nil
	end
	skynet.retpack(own_token, number)
end

---token topic: it wants this too.
function command.WANT(_, theirs, topic)
	check_token(theirs)
	check_topic(topic)
	if outbox.want(theirs, topic) then
		skynet.retpack()
	else
		refuse()
	end
end

---token topic: it wants this no more. No answer.
function command.UNWANT(_, theirs, topic)
	check_token(theirs)
	outbox.unwant(theirs, topic)
end

---token number: messages behind that number, as soon as there are some.
function command.PULL(_, theirs, ack)
	check_token(theirs)
	if math.type(ack) ~= "integer" then
		error("a pull has the number of the last message", 0)
	end
	if not outbox.pull(theirs, ack) then
		refuse()
	end
end

---token: it wants nothing any more. No answer.
function command.CLOSE(_, theirs)
	check_token(theirs)
	outbox.close(theirs)
end

---A topic has no subscriber here any more.
---@param topic string
function topics.closed(topic)
	open[topic] = nil
	topic_feed.unwant(topic)
end

---There is another node of the harbor network.
---@param id integer
function topics.node_found(id)
	if state == STATE.STARTED and not topic_feed.kick(id) then
		feed_from_harbor(id)
	end
end

---The link to it has broken.
---@param id integer
function topics.node_down(id)
	outbox.node_down(id)
end

---It can be reached again.
---@param id integer
function topics.node_up(id)
	topic_feed.kick(id)
end

---Add what there is to tell.
---@param info table<string, integer>
---@return table<string, integer>
function topics.describe(info)
	info.feeds = topic_feed.count()
	info.outboxes, info.outbox_messages, info.outbox_bytes, info.outbox_dropped = outbox.usage()
	return info
end

---@param token integer  of this start of the service
---@param with multicast_topics.host
function topics.start(token, with)
	own_token, host = token, with
	outbox.set_limit(math.tointeger(tonumber(skynet.getenv(LIMIT_KEY))) or math.maxinteger)
end

return topics
