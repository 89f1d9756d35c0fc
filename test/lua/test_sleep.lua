--- skynet.sleep, wait and wakeup, and their tokens.
local skynet = require "skynet"
local tap = require "tap"

local function test_sleep()
	tap.is(select("#", skynet.sleep(1)), 0, "a sleep that ends returns nothing")
	tap.is(select("#", skynet.yield()), 0, "so does yield")
	local co = coroutine.running()
	skynet.fork(function() skynet.wakeup(co) end)
	tap.is(skynet.sleep(1000), "BREAK", "a woken one returns BREAK")
	local token = {}
	skynet.fork(function() skynet.wakeup(token) end)
	tap.is(skynet.sleep(1000, token), "BREAK", "any value can be the token")
	skynet.fork(function() skynet.wakeup "name" end)
	tap.is(skynet.sleep(1000, "name"), "BREAK", "also a string")
	tap.raises(function() skynet.sleep() end, "number expected", "the time is needed")
	tap.raises(function() skynet.sleep(0.5) end, "integer representation", "and integral")
end

local function test_wait()
	local co = coroutine.running()
	skynet.fork(function() skynet.wakeup(co) end)
	tap.is(select("#", skynet.wait()), 0, "wait returns nothing")
	skynet.fork(function() skynet.wakeup(co) end)
	skynet.wait(co)
	tap.pass "the own coroutine is a token"
	local order, token = {}, {}
	skynet.fork(function()
		order[#order + 1] = "before"
		tap.is(skynet.wakeup(token), true, "wakeup of a sleeper is true")
		tap.is(skynet.wakeup(token), true, "also when it is about to wake")
		order[#order + 1] = "after"
	end)
	skynet.wait(token)
	order[#order + 1] = "woken"
	tap.is(table.concat(order, " "), "before after woken", "wakeup does not switch")
	tap.is(skynet.wakeup(token), nil, "nobody sleeps any more")
	tap.is(select("#", skynet.wakeup(token)), 0, "then wakeup returns nothing")
	tap.is(skynet.sleep(1, token), nil, "a wakeup is bound to its sleep: two of one slice")
	skynet.timeout(1, function() skynet.wakeup(token) end)
	tap.is(skynet.sleep(100000, token), "BREAK", "do not shorten the next one")
end

local function test_duplicate()
	local token, err = {}, nil
	skynet.fork(function() skynet.wait(token) end)
	skynet.yield()
	tap.raises(function() skynet.sleep(1, token) end, "token duplicative",
		"two cannot sleep under one token")
	skynet.fork(function()
		err = select(2, pcall(skynet.wait, token))
	end)
	skynet.sleep(3)
	tap.like(err, "token duplicative", "neither wait")
	tap.is(skynet.wakeup(token), true, "the first still sleeps")
	skynet.yield()
	local co = skynet.fork(function() skynet.sleep(1000) end)
	skynet.yield()
	tap.raises(function() skynet.sleep(1, co) end, "token duplicative",
		"nor under the coroutine of another that sleeps")
	tap.is(skynet.wakeup(co), true, "which is woken by it")
	skynet.yield()
	local refused, done = {}, false
	co = skynet.fork(function()
		skynet.wait(token)
		for i, sleep in ipairs { skynet.sleep, skynet.wait, skynet.yield } do
			refused[i] = select(2, pcall(sleep, i == 1 and 1 or nil))
		end
		done = true
	end)
	skynet.yield()
	skynet.fork(function() skynet.wait(co) end)
	skynet.yield()
	skynet.wakeup(token)
	tap.eventually(function() return done end, "one whose own coroutine is a token of another")
	for i = 1, 3 do
		tap.like(refused[i], "token duplicative", "cannot sleep under it")
	end
	tap.is(skynet.wakeup(co), true, "the other still sleeps")
	skynet.yield()
end

local function test_foreign_thread()
	local joined = {}
	local worker = skynet.fork(function() skynet.wait(joined) end)
	skynet.fork(function()
		skynet.wait(worker)
		joined.done = true
	end)
	skynet.yield()
	tap.is(skynet.wakeup(worker), true, "a coroutine can be the token of another task")
	skynet.yield()
	tap.ok(joined.done, "which wakes the one that waits under it")
	skynet.wakeup(joined)
	local main = coroutine.create(print)
	skynet.fork(function() skynet.wakeup(main) end)
	skynet.wait(main)
	tap.pass "also a foreign coroutine"
end

local function test_blocked_call()
	local co, got
	co = skynet.fork(function()
		got = skynet.call(".launcher", "lua", "LIST")
	end)
	skynet.fork(function()
		tap.is(skynet.wakeup(co), nil, "wakeup does not reach a task in a call")
	end)
	tap.eventually(function() return got end, "whose reply comes")
end

local function test_cancelled_timers()
	local tokens = {}
	for i = 1, 100 do
		tokens[i] = {}
		skynet.fork(function() skynet.sleep(100000, tokens[i]) end)
	end
	skynet.yield()
	tap.is(skynet.task(), 100, "sleepers are tasks")
	for i = 1, 100 do
		skynet.wakeup(tokens[i])
	end
	skynet.yield()
	tap.is(skynet.task(), 0, "woken they are not")
	local tasks = {}
	skynet.task(tasks)
	tap.is(next(tasks), nil, "and their timers are gone")
end

local function test_illegal()
	local co = coroutine.wrap(function()
		return pcall(skynet.sleep, 1)
	end)
	local ok, err = co()
	tap.ok(not ok, "a sleep in a native coroutine raises")
	tap.like(err, "native coroutine", "and says why")
	ok, err = pcall(table.sort, { 1, 2, 3 }, function() skynet.sleep(1) end)
	tap.ok(not ok, "so does one under a C function")
	tap.like(err, "across a C%-call boundary", "which cannot yield")
	tap.is(skynet.sleep(1), nil, "the task is not harmed")
end

tap.run(function()
	test_sleep()
	test_wait()
	test_duplicate()
	test_foreign_thread()
	test_blocked_call()
	test_cancelled_timers()
	test_illegal()
end)
