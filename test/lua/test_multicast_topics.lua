---Topics inside one node, and what the service makes of requests of other nodes.
local skynet = require "skynet"
local multicast = require "skynet.multicast"
local subject = require "subject"
local tap = require "tap"

local function subscriber(name)
	local peer = subject.new()
	subject.eval(peer, [[
		state.got = {}
		state.topic = require "skynet.multicast".topic(..., { dispatch = function(object, source, ...)
			table.insert(state.got, { object.topic, source, ... })
		end })
		state.topic:subscribe()
		state.topic:subscribe()
	]], name)
	return peer
end

local function got(peer)
	return subject.eval(peer, "return state.got")
end

local function deliveries()
	local a, b = subscriber "world", subscriber "world"
	local other = subscriber "other"
	local world = multicast.topic "world"
	tap.is(tostring(world), "[Topic:world]", "an object names its topic")
	for i = 1, 100 do
		world:publish(i, "text")
	end
	local list = got(a)
	tap.is(#list, 100, "a subscriber gets each message once")
	tap.is_deeply(list[100], { "world", skynet.self(), 100, "text" }, "with its origin")
	tap.is_deeply(got(b), list, "another subscriber gets the same")
	tap.is(#got(other), 0, "topics are apart")
	subject.eval(a, "state.topic:unsubscribe() state.topic:unsubscribe()")
	world:publish "more"
	tap.is(#got(a), 100, "nothing comes after unsubscribe")
	subject.eval(a, "state.topic:subscribe()")
	world:publish "again"
	tap.is(#got(a), 101, "one may come back")
	world:delete()
	tap.raises(function()
		world:publish(1)
	end, "deleted", "a deleted object does not publish")
	tap.raises(function()
		world:subscribe()
	end, "test_multicast_topics.lua:%d+: the topic object was deleted", "nor subscribe")
	multicast.topic "world":publish "others"
	tap.is(#got(b), 103, "the topic goes on")
	subject.send(a, "skynet.exit()")
	subject.send(b, "skynet.exit()")
	subject.send(other, "skynet.exit()")
	local daemon = skynet.queryservice "multicastd"
	tap.eventually(function()
		return skynet.call(daemon, "debug", "INFO").topics == 0
	end, "a topic is forgotten with its last subscriber")
	multicast.topic "world":publish "nobody"
	tap.is(skynet.call(daemon, "debug", "INFO").topics, 0, "publishing alone makes none")
end

local function own_objects()
	local seen = {}
	local function hear(tag)
		return multicast.topic("mine", {
			pack = function(text)
				return tag .. text
			end,
			unpack = skynet.tostring,
			dispatch = function(_, _, text)
				table.insert(seen, tag .. " " .. text)
			end,
		})
	end
	local one, two = hear "one", hear "two"
	one:subscribe()
	two:subscribe()
	one:publish "x"
	tap.is_deeply(seen, { "two onex" }, "the object that subscribed last gets it")
	one:unsubscribe()
	one:publish "y"
	tap.is(#seen, 2, "the other one's end is not its end")
	two:delete()
	one:publish "z"
	tap.is(#seen, 2, "until it leaves")
end

local function misuse()
	for _, name in ipairs { "", ("x"):rep(256), 7 } do
		tap.raises(function()
			multicast.topic(name)
		end, "test_multicast_topics.lua:%d+: bad topic", "no topic: " .. tostring(name):sub(1, 9))
	end
	tap.raises(function()
		multicast.topic()
	end, "bad topic", "nor nothing")
	tap.raises(function()
		multicast.topic "x":subscribe()
	end, "no dispatch function", "subscribing needs a dispatch function")
	local daemon = skynet.queryservice "multicastd"
	local wrong = { { "JOIN" }, { "JOIN", "" }, { "SAY", "x" }, { "WANT", 4711, "x" },
		{ "PULL", 4711, 0 }, { "OPEN" }, { "OPEN", "x", {} },
		{ "OPEN", 4711, 7 }, { "OPEN", 4711, { {} } },
		{ "PULL", "x", "y" } }
	for _, request in ipairs(wrong) do
		tap.raises(function()
			skynet.call_timeout(1000, daemon, "lua", table.unpack(request))
		end, "remote error", "the service refuses " .. tostring(request[1]))
	end
end

---Speaks for another node.
local function outbox()
	local daemon = skynet.queryservice "multicastd"
	local token <const> = 4711
	local function ask(...)
		return skynet.call(daemon, "lua", ...)
	end
	local theirs, box = ask("OPEN", token, { "far", "near" })
	tap.is(math.type(theirs), "integer", "a node opens an outbox")
	local far = multicast.topic "far"
	for i = 1, 3 do
		far:publish(i)
	end
	multicast.topic "unasked":publish(4)
	local first, batch = ask("PULL", token, 0)
	tap.is(first, 1, "a pull gives messages")
	tap.is(#batch, 9, "those of its topics")
	tap.is_deeply({ batch[1], batch[2], skynet.unpack(batch[3]) }, { "far", skynet.self(), 1 },
		"each with topic, publisher and payload")
	first, batch = ask("PULL", token, 0)
	tap.is(first * #batch, 9, "again when they have not arrived")
	first, batch = ask("PULL", token, 2)
	tap.is(first * #batch, 9, "but not those that have")
	local answered
	skynet.fork(function()
		answered = table.pack(ask("PULL", token, 3))
	end)
	skynet.yield()
	local second
	skynet.fork(function()
		second = table.pack(ask("PULL", token, 3))
	end)
	tap.eventually(function()
		return answered
	end, "a new pull ends the one before")
	tap.is(answered.n, 0, "with nothing")
	tap.is(second, nil, "and waits itself")
	ask("WANT", token, "later")
	multicast.topic "later":publish(5)
	tap.eventually(function()
		return second
	end, "until there is something")
	tap.is(second[1], 4, "with the next number")
	skynet.send(daemon, "lua", "UNWANT", token, "later")
	multicast.topic "later":publish(6)
	local _, again = ask("OPEN", token, { "far" })
	tap.is(again, box, "an outbox is still there when its node comes back")
	far:publish(7)
	first, batch = ask("PULL", token, 4)
	tap.is_deeply({ first, #batch, skynet.unpack(batch[3]) }, { 5, 3, 7 }, "with what came meanwhile")
	local bad = pcall(ask, "PULL", token, "x")
	tap.ok(not bad, "a number that is none is refused")
	local payload <const> = ("x"):rep(1 << 20)
	for _ = 1, 40 do
		far:publish(payload)
	end
	local info = skynet.call(daemon, "debug", "INFO")
	tap.ok(info.outbox_bytes <= 16 << 20, "an outbox is bounded")
	tap.ok(info.outbox_dropped >= 24, "what it loses is counted")
	first, batch = ask("PULL", token, 5)
	tap.is(first, 5 + info.outbox_dropped, "the oldest messages go")
	tap.is(#batch, 3, "a large message travels alone")
	skynet.send(daemon, "lua", "CLOSE", token)
	tap.raises(function()
		ask("PULL", token, first)
	end, "remote error", "a closed outbox is gone")
	info = skynet.call(daemon, "debug", "INFO")
	tap.is(info.outbox_bytes + info.outboxes, 0, "with its messages")
end

tap.run(function()
	deliveries()
	own_objects()
	misuse()
	outbox()
end)
