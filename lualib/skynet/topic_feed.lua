---The nodes whose publications this node wants: used by `multicastd`.
---
---There is a feed for each name in the table of cluster nodes and for each other node of the harbor
---network. As long as something is wanted here, each tries to reach its node: it asks whether there
---is a multicast service, opens an outbox there and pulls. Nodes know each other by a token that is
---new at each start: this node itself, and one that has several names, are recognised by it.
---@class skynet.topic_feed
local topic_feed = {}

local skynet = require "skynet"

local RETRY_FIRST_CS <const> = 100
local RETRY_LAST_CS <const> = 6000
---How long a subscription waits for nodes that are being asked.
local PATIENCE_CS <const> = 500

---@enum topic_feed.state
local STATE <const> = {
	IDLE = 1, -- nothing is wanted
	OPENING = 2, -- being asked
	OPEN = 3,
	LOST = 4, -- cannot be reached, or has no multicast service: asked again later
	SPARE = 5, -- this node itself, or one that has another feed
}

---@class topic_feed.feed
---@field find async fun(): integer|string  address of the service; raises when there is none
---@field call async fun(service: integer|string, ...: any): ...  raises when it fails
---@field send fun(service: integer|string, ...: any)
---@field state topic_feed.state
---@field service (integer|string)?
---@field token integer?  of the node at the other end
---@field attempt integer  number of the attempt that counts
---@field delay integer  until the next attempt
---@field waiting table[]  tokens of tasks that wait for the end of the attempt

---Cluster name or harbor id to feed.
---@type table<string|integer, topic_feed.feed>
local feeds = {}

---@class topic_feed.progress
---@field outbox integer  number of our outbox there
---@field last integer  number of the last message that has come from it

---Token of a node to what has come from there; also kept while it cannot be reached.
---@type table<integer, topic_feed.progress>
local progress = {}

---@type table<string, boolean>
local wanted = {}

local own_token = 0

---@type fun(topic: string, source: integer, payload: string)
local deliver

---@type async fun(feed: topic_feed.feed)
local attempt

---@type async fun(feed: topic_feed.feed, number: integer): boolean
local open

---End the attempt to reach a node, with this result, and wake the tasks that wait for it.
---@param feed topic_feed.feed
---@param state topic_feed.state
local function settle(feed, state)
	feed.state = state
	local waiting = feed.waiting
	feed.waiting = {}
	for _, token in ipairs(waiting) do
		skynet.wakeup(token)
	end
end

---@param feed topic_feed.feed
local function begin(feed)
	feed.attempt = feed.attempt + 1
	feed.state = STATE.OPENING
	skynet.fork(attempt, feed)
end

---@param feed topic_feed.feed
local function retry_later(feed)
	if not next(wanted) then
		return
	end
	local number = feed.attempt
	skynet.timeout(feed.delay, function()
		if feed.attempt == number and feed.state == STATE.LOST and next(wanted) then
			begin(feed)
		end
	end)
	feed.delay = math.min(feed.delay * 2, RETRY_LAST_CS)
end

---A feed was lost: another feed, spare so far, may lead to the same node.
local function try_spare()
	for _, feed in pairs(feeds) do
		if feed.state == STATE.SPARE and feed.token ~= own_token then
			begin(feed)
		end
	end
end

---@param feed topic_feed.feed
---@param token integer
---@return boolean
local function has_other_feed(feed, token)
	for _, other in pairs(feeds) do
		if other ~= feed and other.token == token and other.state == STATE.OPEN then
			return true
		end
	end
	return token == own_token
end

---@param seen topic_feed.progress
---@param first integer  number of the first message
---@param batch any[]  topic, source and payload of each
local function accept(seen, first, batch)
	for i = 1, #batch, 3 do
		local number = first + i // 3
		if number > seen.last then
			seen.last = number
			deliver(batch[i], batch[i + 1], batch[i + 2])
		end
	end
end

---Pull until nothing is wanted. Raises when the node is lost.
---@async
---@param feed topic_feed.feed
---@param number integer  of the attempt
local function pull(feed, number)
	local seen = progress[feed.token]
	while true do
		local first, batch = feed.call(feed.service, "PULL", own_token, seen.last)
		if feed.attempt ~= number or feed.state ~= STATE.OPEN then
			return
		end
		if first then
			accept(seen, first, batch)
		end
	end
end

---Ask the node for its token, and open an outbox there when something is wanted. Raises when it
---cannot be reached.
---@async
---@param feed topic_feed.feed
---@param number integer  of the attempt
---@return boolean opened
function open(feed, number)
	local service, sent = feed.find(), {}
	for topic in pairs(wanted) do
		sent[#sent + 1] = topic
	end
	local token, box = feed.call(service, "OPEN", own_token, sent)
	if feed.attempt ~= number then
		return false
	end
	if math.type(token) ~= "integer" then
		error "a node without a token"
	end
	feed.service, feed.token, feed.delay = service, token, RETRY_FIRST_CS
	if #sent == 0 and next(wanted) then
		-- the first topic became wanted while the node was asked
		return open(feed, number)
	elseif #sent == 0 or has_other_feed(feed, token) then
		settle(feed, #sent == 0 and STATE.IDLE or STATE.SPARE)
		return false
	end
	if not progress[token] or progress[token].outbox ~= box then
		progress[token] = { outbox = box, last = 0 }
	end
	settle(feed, STATE.OPEN)
	if not next(wanted) then
		feed.send(service, "CLOSE", own_token)
		feed.state = STATE.IDLE
		return false
	end
	for _, topic in ipairs(sent) do
		if not wanted[topic] then
			feed.send(service, "UNWANT", own_token, topic)
		end
	end
	return true
end

function attempt(feed)
	local number = feed.attempt
	local ok = pcall(function()
		if open(feed, number) then
			pull(feed, number)
		end
	end)
	if ok or feed.attempt ~= number then
		return
	end
	local was_open = feed.state == STATE.OPEN
	settle(feed, STATE.LOST)
	if was_open then
		try_spare()
	end
	retry_later(feed)
end

---Ask a node again, unless it is being asked or there is a reason not to.
---@param key string|integer
---@return boolean known  there is a feed for it
function topic_feed.kick(key)
	local feed = feeds[key]
	if feed and feed.state == STATE.LOST then
		begin(feed)
	end
	return feed ~= nil
end

---Add the node with this key, or replace the way to it after its address has changed.
---@param key string|integer
---@param find async fun(): integer|string
---@param call async fun(service: integer|string, ...: any): ...
---@param send fun(service: integer|string, ...: any)
function topic_feed.set(key, find, call, send)
	local feed = feeds[key]
	if not feed then
		feed = { attempt = 0, delay = RETRY_FIRST_CS, waiting = {}, state = STATE.IDLE }
		feeds[key] = feed
	end
	feed.find, feed.call, feed.send = find, call, send
	begin(feed)
end

---Wait until no node is being asked.
---@async
---@param feed topic_feed.feed
local function wait_settled(feed)
	while feed.state == STATE.OPENING do
		local token = {}
		table.insert(feed.waiting, token)
		skynet.wait(token)
	end
end

---Call `func` for each feed as soon as it is not being asked any more. Returns when all calls are
---done, after PATIENCE_CS at the latest.
---@async
---@param list topic_feed.feed[]
---@param func async fun(feed: topic_feed.feed)
local function for_each_settled(list, func)
	local left, token = #list, {}
	for _, feed in ipairs(list) do
		skynet.fork(function()
			wait_settled(feed)
			func(feed)
			left = left - 1
			if left == 0 then
				skynet.wakeup(token)
			end
		end)
	end
	if left > 0 then
		skynet.sleep(PATIENCE_CS, token)
	end
end

local function nothing() end

---Wait until every node that can be reached was asked, but not for long.
---@async
function topic_feed.settle()
	local list = {}
	for _, feed in pairs(feeds) do
		list[#list + 1] = feed
	end
	for_each_settled(list, nothing)
end

---A node has opened an outbox here, so it can be reached: try the lost feeds again, one of which
---may lead to it. Returns when these attempts have ended, if anything is wanted.
---@async
---@param token integer  of that node
function topic_feed.heard_of(token)
	local list = {}
	for _, feed in pairs(feeds) do
		if feed.token == token and feed.state == STATE.OPEN then
			return
		elseif feed.state == STATE.LOST then
			list[#list + 1] = feed
		end
	end
	for _, feed in ipairs(list) do
		begin(feed)
	end
	if next(wanted) then
		for_each_settled(list, nothing)
	end
end

---Tell all nodes about a topic. Returns when those that can be reached know, or after a while.
---@async
---@param topic string
function topic_feed.want(topic)
	local first = not next(wanted)
	wanted[topic] = true
	local list = {}
	for _, feed in pairs(feeds) do
		list[#list + 1] = feed
		if first and feed.state ~= STATE.OPENING and feed.state ~= STATE.OPEN then
			begin(feed)
		end
	end
	for_each_settled(list, function(feed)
		if feed.state == STATE.OPEN and wanted[topic] then
			-- when it fails, the pull fails as well
			pcall(feed.call, feed.service, "WANT", own_token, topic)
		end
	end)
end

---A topic is not wanted here any more.
---@param topic string
function topic_feed.unwant(topic)
	wanted[topic] = nil
	local last = not next(wanted)
	for _, feed in pairs(feeds) do
		if feed.state == STATE.OPEN then
			feed.send(feed.service, last and "CLOSE" or "UNWANT", own_token, topic)
			if last then
				feed.attempt = feed.attempt + 1
				settle(feed, STATE.IDLE)
			end
		end
	end
end

---How many nodes this node gets topics from.
---@return integer
function topic_feed.count()
	local count = 0
	for _, feed in pairs(feeds) do
		if feed.state == STATE.OPEN then
			count = count + 1
		end
	end
	return count
end

---@param token integer  of this node
---@param func fun(topic: string, source: integer, payload: string)  gets what comes
function topic_feed.start(token, func)
	own_token, deliver = token, func
end

return topic_feed
