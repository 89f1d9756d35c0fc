---Multicast inside one node.
local skynet = require "skynet"
local manager = require "skynet.manager"
local multicast = require "skynet.multicast"
local core = require "skynet.multicast.core"
local memory = require "skynet.memory"
local tap = require "tap"

local PEER <const> = "multicast_peer"

local function peer()
	local address = skynet.newservice(PEER)
	return function(name, ...)
		if name == "leave" then
			return skynet.send(address, "lua", name)
		end
		return skynet.call(address, "lua", name, ...)
	end, address
end

local function ids()
	local one, two = multicast.new(), multicast.new()
	tap.is(one.channel, 0, "the first channel has the harbor id as its id")
	tap.is(two.channel, 256, "the next one is 256 higher")
	tap.is(tostring(two), "[Multicast:100]", "an object names its channel")
	tap.is(core.nextid(0x7fffff03), 3, "ids stay below 2^31")
	tap.raises(function()
		multicast.new { channel = -1 }
	end, "test_multicast.lua:%d+: bad channel", "a negative id is refused")
	tap.raises(function()
		multicast.new { channel = "x" }
	end, "bad channel", "an id that is no number is refused")
	tap.raises(function()
		multicast.new { channel = 1.5 }
	end, "bad channel '1.5'", "so is one that is not whole")
	tap.is(multicast.new({ channel = 256.0 }).channel, two.channel, "a whole float is an id")
	tap.raises(function()
		one:subscribe()
	end, "no dispatch function", "subscribing needs a dispatch function")
	one:delete()
	two:delete()
end

local function deliveries()
	local a, b = peer(), peer()
	local channel = multicast.new()
	local id = channel.channel
	channel:publish "nobody hears"
	a("subscribe", id)
	a("subscribe", id)
	b("subscribe", id)
	for i = 1, 100 do
		channel:publish(i, "text", { nested = i })
	end
	local got = a "got"
	tap.is(#got, 100, "a subscriber gets each message once, though it subscribed twice")
	local ordered = true
	for i = 1, 100 do
		ordered = ordered and got[i][3] == i
	end
	tap.ok(ordered, "the order is that of the publisher")
	tap.is_deeply(got[7], { id, skynet.self(), 7, "text", { nested = 7 } },
		"a handler gets channel, publisher and values")
	tap.is_deeply(b "got", got, "another subscriber gets the same")
	a("unsubscribe", id)
	a("unsubscribe", id)
	channel:publish "last"
	tap.is(a "count", 100, "nothing comes after unsubscribe")
	tap.is(b "count", 101, "the other one goes on")
	b("publish", id, "own")
	tap.is(b "count", 102, "a publisher gets its own message when it has subscribed")
	a("subscribe", id)
	a("forget")
	channel:publish "x"
	tap.is(a "count", 101, "a subscription outlives its last reference")
	a("publish", id, string.rep("y", 1 << 20))
	tap.is(#b "got"[104][3], 1 << 20, "a large message arrives")
	a("publish", id)
	tap.is(#b "got"[105], 2, "an empty message arrives")
	channel:delete()
	a "leave"
	b "leave"
end

local function failures()
	local a, address = peer()
	local b = peer()
	local channel = multicast.new()
	local id = channel.channel
	a("subscribe", id)
	b("subscribe", id)
	channel:publish "fail"
	channel:publish "good"
	tap.is(a "count", 2, "a handler that raises does not end the subscription")
	tap.is(b "count", 2, "nor does it concern the others")
	local daemon = skynet.queryservice "multicastd"
	for _, bytes in ipairs { "", "\xff\xff", string.pack("<I8", 0x1000), string.rep("\x7f", 64) } do
		skynet.redirect(address, skynet.self(), "multicast", id, bytes)
		skynet.redirect(daemon, skynet.self(), "multicast", id, bytes)
		skynet.redirect(daemon, skynet.self(), "multicast", 12345, bytes)
	end
	channel:publish "after the bytes"
	tap.is(a "got"[a "count"][3], "after the bytes", "bytes are never taken for more than bytes")
	tap.is(b "got"[b "count"][3], "after the bytes", "neither here nor in the service")
	local count_a = a "count"
	channel:delete()
	tap.raises(function()
		channel:publish "x"
	end, "deleted", "a deleted object does not publish")
	tap.raises(function()
		channel:subscribe()
	end, "test_multicast.lua:%d+: the channel was deleted", "nor subscribe")
	tap.raises(function()
		channel:unsubscribe()
	end, "deleted", "nor unsubscribe")
	tap.raises(function()
		channel:delete()
	end, "deleted", "nor is it deleted twice")
	b("publish", id, "into the void")
	tap.is(a "count", count_a, "publishing in a deleted channel is silent")
	local late = multicast.new { channel = id, dispatch = print }
	tap.raises(function()
		late:subscribe()
	end, "cannot subscribe to %[Multicast:%x+%]: no such channel", "subscribing to it is an error")
	local wrong = { { "SUB" }, { "SUB", "x" }, { "SUB", -1 }, { "SUB", 1 << 31 }, { "PUB", 0 },
		{ "NONE", 0 }, {} }
	for _, request in ipairs(wrong) do
		tap.raises(function()
			skynet.call(daemon, "lua", table.unpack(request))
		end, "call failed", "the service refuses " .. table.concat(request, " "))
	end
	a "leave"
	b "leave"
end

local function fixed_numbers()
	local a = peer()
	a("subscribe", 77)
	a("subscribe", 0x7fffffff)
	local channel = multicast.new { channel = 77 }
	channel:publish "hello"
	tap.is_deeply(a "got", { { 77, skynet.self(), "hello" } }, "a number is created by its subscriber")
	multicast.new { channel = 78 }:publish "first"
	a("subscribe", 78)
	tap.is(a "count", 1, "or by its publisher")
	channel:delete()
	a("publish", 77, "nothing")
	tap.is(a "count", 1, "it can be deleted")
	a "leave"
end

---Nothing of what was published is left when its subscribers have died, left or handled it.
local function references()
	local daemon = skynet.queryservice "multicastd"
	local payload <const> = string.rep("z", 1 << 20)
	local before = memory.total()
	local list, channel = {}, multicast.new()
	for i = 1, 20 do
		local call, address = peer()
		call("subscribe", channel.channel)
		list[i] = { call = call, address = address }
	end
	for round = 1, 40 do
		channel:publish(payload)
		if round <= 10 then
			-- with messages in its mailbox
			manager.kill(list[round].address)
		elseif round <= 20 then
			list[round].call("unsubscribe", channel.channel)
		elseif round <= 30 then
			manager.kill(list[round - 10].address)
		end
	end
	channel:delete()
	tap.eventually(function()
		collectgarbage()
		skynet.send(daemon, "debug", "GC")
		return memory.total() < before + (8 << 20)
	end, "the bytes of all messages are freed, whoever died or left")
end

local function custom_codec()
	local got = {}
	local channel = multicast.new {
		pack = function(text)
			return skynet.pack(text, "packed")
		end,
		unpack = function(message, size)
			return message, size
		end,
		dispatch = function(_, _, message, size)
			skynet.sleep(1)
			collectgarbage()
			table.insert(got, { skynet.unpack(message, size) })
		end,
	}
	channel:subscribe()
	channel:publish "one"
	tap.eventually(function()
		return #got == 1
	end, "own pack and unpack are used")
	tap.is_deeply(got[1], { "one", "packed" }, "the message is there until the handler is done")
	local text = {}
	local other = multicast.new {
		channel = channel.channel,
		pack = tostring,
		unpack = skynet.tostring,
		dispatch = function(_, _, value)
			table.insert(text, value)
		end,
	}
	other:subscribe()
	other:publish(12)
	tap.is_deeply(text, { "12" }, "the object that subscribed last gets the message")
	channel:unsubscribe()
	other:publish(13)
	tap.is(#text, 2, "an object that lost its subscription does not end that of another one")
	other:unsubscribe()
	other:publish(14)
	tap.is(#text, 2, "until that one leaves")
	other:delete()
end

---A service that takes its messages raw must own them.
local function forwarder()
	local a = peer()
	local channel = multicast.new()
	local raw = skynet.newservice "multicast_raw"
	skynet.call(raw, "lua", channel.channel)
	a("subscribe", channel.channel)
	for i = 1, 10 do
		channel:publish(i)
	end
	local count = 0
	tap.eventually(function()
		count = skynet.call(raw, "lua", "count")
		return count == 10
	end, "a service with a callback of its own may keep and free what it gets")
	tap.is(a "count", 10, "and the others get theirs")
	channel:delete()
	a "leave"
end

local function dead_subscribers()
	local daemon = skynet.queryservice "multicastd"
	local a, b = peer(), peer()
	local _, killed = peer()
	skynet.call(killed, "lua", "subscribe", 4711)
	a("subscribe", 4711)
	b("subscribe", 4711)
	tap.is(skynet.call(daemon, "lua", "COUNT", 4711), 3, "the service counts subscribers")
	a "leave"
	manager.kill(killed)
	tap.eventually(function()
		return skynet.call(daemon, "lua", "COUNT", 4711) == 1
	end, "those that ended or were killed are gone, without a message being published")
	b "leave"
end

---A channel ends while others publish in it, one of them in its own handler.
local function deleted_while_publishing()
	local daemon = skynet.queryservice "multicastd"
	local a, b = peer(), peer()
	local ended, failed, handled = 0, 0, 0
	local channel
	channel = multicast.new {
		dispatch = function(_, _, number)
			handled = handled + 1
			if number == 20 then
				channel:delete()
			end
		end,
	}
	local id = channel.channel
	a("subscribe", id)
	b("subscribe", id)
	channel:subscribe()
	for _ = 1, 5 do
		local object = multicast.new { channel = id }
		skynet.fork(function()
			for number = 1, 40 do
				failed = failed + (pcall(object.publish, object, number) and 0 or 1)
			end
			ended = ended + 1
		end)
	end
	tap.eventually(function()
		return ended == 5
	end, "publishers end when the channel is deleted meanwhile")
	tap.is(failed, 0, "none of them fails")
	tap.eventually(function()
		return skynet.call(daemon, "debug", "INFO").messages == 0
	end, "and nothing of what they have published stays")
	local count = a "count"
	tap.ok(count >= 20 and count < 200, "subscribers got what came before the end, and no more")
	tap.is(b "count", count, "all of them the same")
	tap.ok(handled >= 20 and handled <= count, "but for the one who has ended it")
	a "leave"
	b "leave"
end

---The node of a channel starts anew, and gives its number again: the end of the old one comes while
---a service subscribes to the new one.
local function ended_while_subscribing()
	local daemon = skynet.queryservice "multicastd"
	local closed, heard = {}, {}
	local function object(name, id)
		return multicast.new {
			channel = id,
			dispatch = function(_, _, text)
				heard[#heard + 1] = name .. text
			end,
			closed = function()
				closed[#closed + 1] = name
			end,
		}
	end
	local old = object "old"
	old:subscribe()
	local new, newest = object("new", old.channel), object("newest", old.channel)
	skynet.redirect(skynet.self(), daemon, "multicast", old.channel, "")
	skynet.fork(newest.subscribe, newest)
	new:subscribe()
	tap.eventually(function()
		return #closed > 0
	end, "who had subscribed before is told")
	newest:publish "!"
	tap.eventually(function()
		return #heard > 0
	end, "who subscribes meanwhile hears what is published")
	tap.is(table.concat(heard, " "), "newest!", "once, the last one")
	tap.is(table.concat(closed, " "), "old", "and has not ended")
	newest:delete()
end

tap.run(function()
	ids()
	deliveries()
	failures()
	fixed_numbers()
	references()
	custom_codec()
	forwarder()
	dead_subscribers()
	deleted_while_publishing()
	ended_while_subscribing()
end)
