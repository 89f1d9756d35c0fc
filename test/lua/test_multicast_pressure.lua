-- config: thread = 8
---Multicast to subscribers that do not keep up, die, leave or fail: memory stays bounded, and
---nothing of what was published is left.
local skynet = require "skynet"
local manager = require "skynet.manager"
local multicast = require "skynet.multicast"
local core = require "skynet.multicast.core"
local subject = require "subject"
local tap = require "tap"

local LIMIT <const> = 5
local PAYLOAD <const> = string.rep("p", 100000)

---A service that subscribes and counts what it gets.
---@param id integer
---@param setup string?  runs first
local function subscriber(id, setup)
	local peer = subject.new()
	subject.eval(peer, (setup or "") .. [[
		state.count = 0
		state.channel = require "skynet.multicast".new { channel = ..., dispatch = function(_, _, text)
			state.count = state.count + 1
			if state.fails then error "told to fail" end
		end }
		state.channel:subscribe()
	]], id)
	return peer
end

local function limited(id, policy)
	return subscriber(id, ("skynet.mailbox_limit(%d, '%s') "):format(LIMIT, policy))
end

local fifos = 0

---Keeps a service in one message (it opens a pipe that nobody writes) until the result is called.
local function occupy(peer)
	fifos = fifos + 1
	local path = ("%s/fifo%d"):format(skynet.getenv "test_tmp", fifos)
	os.execute("mkfifo " .. path)
	subject.call(peer, "skynet.ret() io.open((select(3, ...))):close()", path)
	return function()
		io.open(path, "w"):close()
	end
end

---What the text returns there, as soon as the mailbox has room for the question.
local function ask(peer, text, ...)
	while true do
		local ok, answer = pcall(subject.eval, peer, text, ...)
		if ok then
			return answer
		end
		skynet.sleep(1)
	end
end

local function count_of(peer)
	return ask(peer, "return state.count")
end

local function stat_of(peer, name)
	return ask(peer, "return skynet.stat(...)", name)
end

---Everything that was published is freed.
local function all_freed(name)
	tap.eventually(function()
		local count, bytes = core.usage()
		return count == 0 and bytes == 0
	end, name)
end

local function block()
	local channel = multicast.new()
	local slow, other = limited(channel.channel, "block"), subscriber(channel.channel)
	local release = occupy(slow)
	local published, done = 0, false
	skynet.fork(function()
		for i = 1, 100 do
			channel:publish(i)
			published = i
		end
		done = true
	end)
	tap.eventually(function()
		return published >= LIMIT - 1
	end, "publishing goes on until a subscriber that asks senders to wait is full")
	release()
	tap.eventually(function()
		return done
	end, "and goes on when it has caught up")
	tap.is(count_of(slow), 100, "it has missed nothing")
	tap.is(count_of(other), 100, "nor have the others")
	tap.ok(stat_of(slow, "blocked") > 0, "waits are counted")
	manager.kill(slow)
	manager.kill(other)
	all_freed "nothing is left"
	channel:delete()
end

local function block_and_death()
	local channel = multicast.new()
	local slow = limited(channel.channel, "block")
	local release = occupy(slow)
	local done
	skynet.fork(function()
		for i = 1, 20 do
			channel:publish(i)
		end
		done = true
	end)
	skynet.yield()
	manager.kill(slow)
	release()
	tap.eventually(function()
		return done
	end, "a publisher that waits goes on when the full subscriber dies")
	all_freed "and its messages are freed"
	channel:delete()
end

local function reject_and_drop()
	local channel = multicast.new()
	local id = channel.channel
	local daemon = skynet.queryservice "multicastd"
	local reject, drop = limited(id, "reject"), limited(id, "drop")
	local release, release_other = occupy(reject), occupy(drop)
	local refused = skynet.call(daemon, "debug", "INFO").refused
	for _ = 1, 50 do
		channel:publish(PAYLOAD)
	end
	local count, bytes = core.usage()
	tap.ok(count <= 2 * LIMIT + 2 and bytes < (count + 1) * 1.1 * #PAYLOAD,
		"mailboxes that reject or drop hold no more than their limit")
	release()
	release_other()
	tap.eventually(function()
		return count_of(reject) > 0
	end, "one that rejects gets the first messages")
	local missed = skynet.call(daemon, "debug", "INFO").refused - refused
	tap.is(missed + count_of(reject), 50, "what it has missed is counted")
	tap.ok(stat_of(reject, "rejected") >= missed, "also by the service itself")
	tap.is(stat_of(drop, "dropped") + count_of(drop), 50, "so it is by one that drops")
	all_freed "nothing is left of what was rejected and dropped"
	manager.kill(reject)
	manager.kill(drop)
	channel:delete()
end

---A message from another node cannot make its publisher wait.
local function nobody_can_wait()
	local channel = multicast.new()
	local id = channel.channel
	local daemon = skynet.queryservice "multicastd"
	local slow = limited(id, "block")
	local release = occupy(slow)
	for _ = 1, 50 do
		skynet.redirect(daemon, 0x7f000001, "multicast", id, skynet.packstring(PAYLOAD))
	end
	tap.eventually(function()
		return skynet.call(daemon, "debug", "INFO").refused > 0
	end, "what comes from elsewhere is refused by a full mailbox")
	tap.ok(core.usage() <= LIMIT + 1, "which does not grow")
	release()
	tap.eventually(function()
		return stat_of(slow, "rejected") + count_of(slow) == 50
	end, "and counts what it has missed")
	manager.kill(slow)
	channel:delete()
	all_freed "nothing is left"
end

local function dead_with_messages()
	local channel = multicast.new()
	local peers, releases = {}, {}
	for i = 1, 5 do
		peers[i] = subscriber(channel.channel)
		releases[i] = occupy(peers[i])
	end
	for _ = 1, 20 do
		channel:publish(PAYLOAD)
	end
	tap.is((core.usage()), 20, "messages wait in the mailboxes, one copy of each")
	for i = 1, 5 do
		if i % 2 == 0 then
			manager.kill(peers[i])
		else
			subject.send(peers[i], "skynet.exit()")
		end
		releases[i]()
	end
	all_freed "they are freed when the services are killed or leave"
	channel:delete()
end

local function failing_and_ignoring()
	local channel = multicast.new()
	local failing, gone = subscriber(channel.channel), subscriber(channel.channel)
	subject.eval(failing, "state.fails = true")
	local release = occupy(gone)
	subject.send(gone, "state.channel:unsubscribe()")
	for _ = 1, 10 do
		channel:publish(PAYLOAD)
	end
	release()
	tap.eventually(function()
		return count_of(failing) == 10
	end, "a handler that raises gets the next message")
	tap.is(count_of(gone), 0, "a service that has left gets what was under way without noticing")
	local deaf = skynet.newservice "multicast_deaf"
	skynet.call(deaf, "lua", channel.channel)
	channel:publish(PAYLOAD)
	all_freed "messages that nobody handles, or that fail, are freed"
	manager.kill(deaf)
	manager.kill(failing)
	manager.kill(gone)
	channel:delete()
end

---Publishers that end while their message is on its way.
local function dying_publishers()
	local channel = multicast.new()
	local slow = limited(channel.channel, "block")
	local release = occupy(slow)
	local publishers = {}
	for i = 1, 6 do
		publishers[i] = subject.new()
		subject.eval(publishers[i], [[
			local id, payload = ...
			local channel = require "skynet.multicast".new { channel = id }
			skynet.fork(function()
				for i = 1, 50 do
					channel:publish(payload)
				end
			end)
		]], channel.channel, PAYLOAD)
	end
	tap.eventually(function()
		return core.usage() > LIMIT
	end, "publishers wait for a full subscriber")
	for i = 1, 6 do
		if i % 2 == 0 then
			manager.kill(publishers[i])
		else
			subject.send(publishers[i], "skynet.exit()")
		end
	end
	tap.ok(core.usage() <= LIMIT + 6, "each holds at most one message more than the limit")
	release()
	all_freed "nothing is left of publishers that have died"
	tap.ok(count_of(slow) < 300, "who is dead publishes no more")
	manager.kill(slow)
	channel:delete()
end

local function shows_in_the_console()
	local channel = multicast.new()
	local peer = subscriber(channel.channel)
	local release = occupy(peer)
	channel:publish(PAYLOAD)
	local info = skynet.call(skynet.queryservice "multicastd", "debug", "INFO")
	tap.is(info.messages, 1, "the service tells how many messages are alive")
	tap.ok(info.bytes >= #PAYLOAD, "and their bytes")
	tap.ok(info.channels >= 1 and info.subscribers >= 1, "and channels and subscribers")
	release()
	all_freed "until they are handled"
	manager.kill(peer)
	channel:delete()
end

tap.run(function()
	block()
	block_and_death()
	reject_and_drop()
	nobody_can_wait()
	dead_with_messages()
	failing_and_ignoring()
	dying_publishers()
	shows_in_the_console()
end)
