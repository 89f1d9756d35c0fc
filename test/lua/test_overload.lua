--- Bounded mailboxes: what senders see with each policy.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local LIMIT <const> = 5

--- A service with a bounded mailbox.
local function busy(policy)
	local peer = subject.new()
	subject.eval(peer, ("skynet.mailbox_limit(%d, '%s') return 1"):format(LIMIT, policy))
	return peer
end

--- Keeps the service in one message; returns when it is in it. Gives what ends the message.
local occupied = 0
local function occupy(peer)
	occupied = occupied + 1
	local key = "test_release_" .. occupied
	subject.call(peer, "skynet.ret() repeat until skynet.getenv(select(3, ...))", key)
	return function()
		skynet.setenv(key, "now")
	end
end

local function test_reject()
	local peer = busy "reject"
	local release = occupy(peer)
	local rejected
	for _ = 1, 1000 do
		local result = subject.send(peer, "state.count = (state.count or 0) + 1")
		if result == false then
			rejected = true
			break
		end
	end
	tap.ok(rejected, "a full mailbox rejects: send returns false")
	local ok, err = pcall(subject.eval, peer, "return 1")
	tap.ok(not ok, "a call to it raises")
	tap.like(err, "call failed: overloaded :%x+", "overloaded")
	tap.is(skynet.error_kind(err), "overloaded", "which is its kind")
	release()
	tap.eventually(function()
		return (pcall(subject.eval, peer, "return 1"))
	end, "there is room again when it has caught up")
	tap.ok(subject.eval(peer, "return skynet.stat 'rejected'") > 0, "rejected messages are counted")
	tap.is(subject.eval(peer, "return skynet.stat 'mailbox_limit'"), LIMIT, "the limit is known")
end

local function test_block()
	local peer = busy "block"
	local release = occupy(peer)
	local sent, done = 0, false
	skynet.fork(function()
		for _ = 1, 50 do
			tap.is(subject.send(peer, "state.count = (state.count or 0) + 1"), 0, "a blocked send returns 0")
			sent = sent + 1
		end
		done = true
	end)
	skynet.yield()
	tap.ok(sent < 50, "a full mailbox makes the sender wait")
	release()
	tap.eventually(function() return done end, "until there is room")
	tap.is(subject.eval(peer, "return state.count"), 50, "nothing is lost")
	tap.ok(subject.eval(peer, "return skynet.stat 'blocked'") > 0, "waits are counted")
end

local function test_drop()
	local peer = busy "drop"
	local release = occupy(peer)
	for i = 1, 50 do
		subject.send(peer, ("state.first = state.first or %d state.last = %d"):format(i, i))
	end
	release()
	tap.is(subject.eval(peer, "return state.last"), 50, "a mailbox that drops takes new messages")
	release = occupy(peer)
	local kinds, count = {}, 0
	for i = 1, LIMIT + 3 do
		skynet.fork(function()
			local ok, err = pcall(subject.eval, peer, "return 1")
			kinds[i] = ok and "answered" or skynet.error_kind(err) or err
			count = count + 1
		end)
	end
	skynet.yield()
	release()
	tap.eventually(function() return count == LIMIT + 3 end, "every request is answered")
	tap.is(table.concat(kinds, " "), "overloaded overloaded overloaded"
		.. string.rep(" answered", LIMIT), "those that are dropped with an error")
	tap.ok(subject.eval(peer, "return state.first") > 1, "not the oldest")
	tap.ok(subject.eval(peer, "return skynet.stat 'dropped'") > 0, "dropped messages are counted")
end

tap.run(function()
	tap.raises(function() skynet.mailbox_limit(-1) end, "must not be negative",
		"a limit is not negative")
	tap.raises(function() skynet.mailbox_limit(1, "other") end, "invalid option", "a policy is known")
	test_reject()
	test_block()
	test_drop()
end)
