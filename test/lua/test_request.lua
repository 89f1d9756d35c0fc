--- skynet.request: several requests at once.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local DEAD <const> = 0xfffff0
-- long enough for an answer that comes at once, short enough to wait for
local MIXED_CS <const> = 300
local SLEEP <const> = [[
	local skynet = require "skynet"
	local _, _, delay, value = ...
	skynet.sleep(delay)
	skynet.retpack(value)]]

-- Answers "waits" when the request "lets" of the same name comes.
local WAITS <const> = [[
	local skynet = require "skynet"
	local _, _, name = ...
	state[name] = skynet.response()]]
local LETS <const> = [[state[(select(3, ...))](true, (select(3, ...)))]]

local function test_order(peer)
	local got = {}
	local order = { "fast", "middle", "slow" }
	local slow = { peer, "lua", WAITS, "slow", extra = "kept" }
	local fast = { peer, "lua", WAITS, "fast" }
	skynet.fork(function()
		skynet.send(peer, "lua", LETS, order[1])
	end)
	for req, resp in skynet.request { peer, "lua", WAITS, "middle" } (slow)(fast):select() do
		got[#got + 1] = resp[1]
		if order[#got + 1] then
			skynet.send(peer, "lua", LETS, order[#got + 1])
		end
		if req == slow then
			tap.is(req.extra, "kept", "the request is the table that was given")
		end
	end
	tap.is(table.concat(got, " "), "fast middle slow", "answers come in the order of arrival")
	got = {}
	for _, resp in skynet.request():add { peer, "lua",
		"require 'skynet'.retpack(nil, 2, nil)" }:select() do
		got = resp
	end
	tap.is(got.n, 3, "all values of an answer are kept")
	for _ in skynet.request():select() do
		tap.fail "nothing was asked"
	end
	tap.pass "without request there is no answer"
end

local function test_failures(peer)
	local results = {}
	local one, two = { DEAD, "lua", 1 }, { DEAD + 1, "lua", 2 }
	local broken = { peer, "lua", "error 'broken'" }
	local good = { peer, "lua", "require 'skynet'.retpack(true)" }
	for req, resp in skynet.request(one)(broken)(two)(good):select(3000) do
		results[#results + 1] = { req, resp }
	end
	tap.is(#results, 4, "every request has an answer")
	tap.ok(results[1][1] == two and results[1][2] == nil, "invalid addresses first, the last before")
	tap.ok(results[2][1] == one and results[2][2] == nil, "the first, without answer")
	tap.ok(results[3][1] == broken and results[3][2] == false, "a failed one gives false")
	tap.ok(results[4][1] == good and results[4][2][1] == true, "a good one its values")
end

local function test_timeout(peer)
	local request = skynet.request { peer, "lua", WAITS, "late" }
	for _ in request:select(2) do
		tap.fail "nothing is answered"
	end
	tap.is(request.timeout, true, "the loop ends when the time is over, and says so")
	skynet.send(peer, "lua", LETS, "late")
	tap.is(subject.eval(peer, "return 1"), 1, "the answer is sent after all")
	local mixed = skynet.request { peer, "lua", WAITS, "never" } { peer, "lua", SLEEP, 0, "soon" }
	local got = {}
	for _, resp in mixed:select(MIXED_CS) do
		got[#got + 1] = resp[1]
	end
	tap.is(table.concat(got, " "), "soon", "what was in time is given")
	tap.is(mixed.timeout, true, "what was not ends the loop")
	skynet.send(peer, "lua", LETS, "never")
	tap.is(subject.eval(peer, "return 1"), 1, "another late answer is sent")
	tap.ok(not subject.logged "Unknown session", "late answers are dropped")
	tap.raises(function() request:select() end, "once", "a request is used once")
	tap.raises(function() request:add {} end, "assertion failed", "nothing is added behind")
	tap.raises(function() skynet.request(1) end, "assertion failed", "a request is a table")
	tap.raises(function()
		for _ in skynet.request { peer, "nonesuch" }:select() do
			tap.fail "an unknown protocol cannot be sent"
		end
	end, "unknown protocol", "the protocol must be known")
end

local function test_break(peer)
	local answers = 0
	for _ in skynet.request { peer, "lua", SLEEP, 0 } { peer, "lua", SLEEP, 3 }:select(3000) do
		answers = answers + 1
		if answers == 1 then
			break
		end
	end
	pcall(function()
		for _ in skynet.request { peer, "lua", SLEEP, 0 } { peer, "lua", SLEEP, 3 }:select(3000) do
			error "leave"
		end
	end)
	tap.is(skynet.task(), 0, "leaving the loop ends the wait")
	skynet.sleep(5)
	tap.ok(not subject.logged "Unknown session", "what comes then is dropped")
end

local function test_nested(peer)
	local values = {}
	for _, resp in skynet.request { peer, "lua", SLEEP, 0, 1 } { peer, "lua", SLEEP, 1, 2 }:select() do
		skynet.sleep(3)
		values[#values + 1] = resp[1] + subject.eval(peer, "return 10")
	end
	tap.is(table.concat(values, " "), "11 12", "the loop body may call and sleep")
end

local function test_death()
	local peer = subject.new()
	skynet.timeout(1, function() subject.send(peer, "skynet.exit()") end)
	local answers = 0
	for _, resp in skynet.request { peer, "lua", SLEEP, 100000 } { peer,
		"lua", SLEEP, 100000 }:select() do
		answers = answers + (resp == false and 1 or 0)
	end
	tap.is(answers, 2, "requests fail when the service dies")
	local other = subject.new()
	local co = skynet.fork(function()
		for _ in skynet.request { other, "lua", SLEEP, 2 }:select() do
			tap.fail "killed"
		end
	end)
	skynet.yield()
	skynet.killthread(co)
	skynet.sleep(5)
	tap.is(skynet.task(), 0, "a task that selects can be killed")
end

tap.run(function()
	skynet.fork(function() end)
	local peer = subject.new()
	local base = skynet.task()
	tap.is(base, 0, "nothing waits at first")
	test_order(peer)
	test_failures(peer)
	test_timeout(peer)
	test_break(peer)
	test_nested(peer)
	test_death()
end)
