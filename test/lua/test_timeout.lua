--- skynet.timeout, cancel, call_timeout and the clock.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local function test_timeout()
	local fired = {}
	local co = skynet.timeout(1, function() fired.once = coroutine.running() end)
	tap.is(type(co), "thread", "timeout returns a coroutine")
	skynet.timeout(2, function() fired.twice = true end)
	tap.is(fired.once, nil, "it does not run at once")
	tap.eventually(function() return fired.once and fired.twice end, "timeouts fire")
	tap.is(fired.once, co, "the function runs in the coroutine that was returned")
	skynet.timeout(-5, function() fired.negative = true end)
	skynet.timeout(1.0, function() fired.float = true end)
	skynet.timeout("1", function() fired.text = true end)
	tap.eventually(function() return fired.negative and fired.float and fired.text end,
		"negative, integral and numeric delays are taken")
	tap.raises(function() skynet.timeout(0.5, print) end, "number has no integer representation",
		"a fraction is refused")
	tap.raises(function() skynet.timeout(nil, print) end, "number expected", "so is nil")
	skynet.timeout(0, nil)
	tap.eventually(function() return subject.logged "attempt to call a nil value" end,
		"the function is looked at when it runs")
	skynet.timeout(1 << 60, function() fired.never = true end)
	local start = skynet.now()
	skynet.sleep(3)
	tap.ok(skynet.now() - start >= 2, "sleep takes its time")
	tap.is(fired.never, nil, "a very long delay does not overflow")
end

local function test_cancel()
	local fired = 0
	local function count() fired = fired + 1 end
	local co = skynet.timeout(2, count)
	tap.is(skynet.cancel(co), true, "cancel of a pending timeout returns true")
	tap.is(skynet.cancel(co), false, "the second time false")
	local soon = skynet.timeout(0, count)
	tap.is(skynet.cancel(soon), true, "a timeout whose message is on the way can be cancelled")
	local done = skynet.timeout(0, count)
	skynet.sleep(4)
	tap.is(fired, 1, "cancelled timeouts do not fire")
	tap.is(skynet.cancel(done), false, "one that has fired cannot be cancelled")
	local later
	for _ = 1, 300 do
		skynet.timeout(0, count)
	end
	later = skynet.timeout(2, count)
	skynet.yield()
	tap.isnt(later, done, "a coroutine of a timeout is no second timeout's")
	tap.is(skynet.cancel(done), false, "so an old one cancels nothing")
	tap.is(skynet.cancel(later), true, "and a new one its own")
	tap.raises(function() skynet.cancel(1) end, "thread expected", "cancel takes a coroutine")
	tap.is(skynet.cancel(coroutine.running()), false, "a running task is no timeout")
	tap.is(skynet.cancel(coroutine.create(print)), false, "nor is a foreign coroutine")
end

local function test_many()
	local left = 20000
	for i = 1, left do
		skynet.timeout(i % 5, function() left = left - 1 end)
	end
	tap.eventually(function() return left == 0 end, "many timeouts all fire")
end

local function listed()
	local tasks, count = {}, 0
	skynet.task(tasks)
	for _ in pairs(tasks) do
		count = count + 1
	end
	return count
end

local function test_burst()
	local before, count = skynet.task(), 3000
	local function burst(fired)
		for i = 1, count do
			skynet.timeout(2, function() fired[#fired + 1] = i end)
		end
	end
	local function in_order(fired)
		for i = 1, count do
			if fired[i] ~= i then
				return false
			end
		end
		return true
	end
	local first, second, third = {}, {}, {}
	burst(first)
	tap.is(skynet.task(), before + count, "timeouts of a burst are counted")
	tap.is(listed(), before + count, "and listed")
	burst(second)
	tap.eventually(function() return #first == count and #second == count end,
		"those that were listed fire, and those that were not")
	tap.ok(in_order(first) and in_order(second), "all in the order in which they were made")
	tap.is(skynet.task(), before, "none is left")
	burst(third)
	tap.eventually(function() return #third == count end, "the next burst fires")
	tap.ok(in_order(third), "in order too")
end

local function test_call_timeout(peer)
	tap.is(skynet.call_timeout(3000, peer, "lua", "require 'skynet'.retpack(42)"), 42,
		"call_timeout returns the reply")
	local start = skynet.now()
	local ok, err = pcall(skynet.call_timeout, 2, peer, "lua",
		"state.late = require 'skynet'.response()")
	tap.ok(not ok, "without reply it raises")
	tap.like(err, "call failed: timeout", "and says timeout")
	tap.is(skynet.error_kind(err), "timeout", "its kind is timeout")
	tap.ok(skynet.now() - start >= 1, "after its time")
	tap.is(subject.eval(peer, "return state.late(true, 'too late')"), true, "the late reply is sent")
	tap.is(subject.eval(peer, "return 1"), 1, "and dropped")
	tap.ok(not subject.logged "Unknown session", "without a log line")
	tap.raises(function() skynet.call_timeout(0, peer, "lua", "") end, "must be positive",
		"a deadline must lie in the future")
	local gone = subject.new()
	ok, err = pcall(skynet.call_timeout, 3000, gone, "lua", "require 'skynet'.exit()")
	tap.ok(not ok and skynet.error_kind(err) == "dead_service", "a death comes before the deadline")
	tap.is(skynet.task(), 0, "nothing waits any more")
end

local function test_clock()
	local now = skynet.now()
	tap.is(math.type(now), "integer", "now is an integer")
	tap.is(math.type(skynet.hpc()), "integer", "hpc is an integer")
	tap.ok(math.abs(skynet.time() - os.time()) < 60, "time is the time of day")
	tap.ok(skynet.starttime() <= os.time(), "the node has started before now")
end

local function test_trace_timeout()
	skynet.trace_timeout(true)
	local co = skynet.timeout(1000, function() end)
	skynet.trace_timeout(false)
	local tasks = {}
	skynet.task(tasks)
	local text
	for key, value in pairs(tasks) do
		if key:find(tostring(co), 1, true) then
			text = value
		end
	end
	tap.like(text, "^TIMER %d+%+1000 : \nstack traceback:\n.*test_timeout.lua",
		"with trace_timeout the origin of a timeout is shown")
	tap.is(skynet.cancel(co), true, "and it can be cancelled")
end

tap.run(function()
	local peer = subject.new()
	test_call_timeout(peer)
	test_timeout()
	test_cancel()
	test_many()
	test_burst()
	test_clock()
	test_trace_timeout()
end)
