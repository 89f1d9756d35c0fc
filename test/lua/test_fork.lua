--- Order of forks, wakeups, timeouts and failed calls inside one service.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local function test_fork()
	local order = {}
	local co = skynet.fork(function(...)
		order[#order + 1] = "a"
		order.count, order.nothing, order.last = select("#", ...), ...
	end, nil, 2, nil)
	tap.is(type(co), "thread", "fork returns a coroutine")
	tap.is(#order, 0, "a fork does not run at once")
	skynet.fork(function()
		order[#order + 1] = "b"
		skynet.fork(function() order[#order + 1] = "d" end)
	end)
	skynet.fork(function() order[#order + 1] = "c" end)
	skynet.yield()
	tap.is(table.concat(order), "abcd", "forks run in order, those of forks behind them")
	tap.is(order.count, 3, "nil arguments are kept")
	tap.is(order.last, 2, "arguments are passed")
	skynet.fork()
	skynet.yield()
	tap.eventually(function() return subject.logged "attempt to call a nil value" end,
		"what is forked is looked at when it runs")
	skynet.fork(error, "first trouble")
	skynet.fork(error, "second trouble")
	skynet.fork(function() order.after = true end)
	skynet.yield()
	tap.ok(order.after, "an error in a fork does not stop the next")
	tap.eventually(function()
		return subject.logged "error : \27%[31mfirst trouble\nstack.-second trouble\nstack.-\27%[0m"
	end, "the errors of one turn are logged together")
	local sum = 0
	for i = 1, 1000 do
		skynet.fork(function(...) sum = sum + select("#", ...) end, table.unpack({}, 1, i % 200))
	end
	skynet.yield()
	tap.is(sum, 5 * 199 * 100, "forks with many arguments run")
end

local function test_order()
	local order = {}
	local function note(text) return function() order[#order + 1] = text end end
	skynet.timeout(0, note "timeout")
	skynet.fork(note "fork")
	local sleeper = skynet.fork(function()
		skynet.sleep(1000)
		order[#order + 1] = "woken"
		skynet.fork(note "late fork")
	end)
	skynet.fork(function()
		skynet.wakeup(sleeper)
		order[#order + 1] = "waker"
	end)
	skynet.fork(note "last fork")
	skynet.sleep(1)
	tap.is(table.concat(order, " "), "fork waker woken last fork late fork timeout",
		"woken tasks run before further forks, forks before timeouts")
end

local function test_equal_deadlines()
	local order = {}
	for i = 1, 20 do
		skynet.timeout(2, function() order[#order + 1] = i end)
	end
	skynet.sleep(5)
	local sorted = #order == 20
	for i = 1, #order do
		sorted = sorted and order[i] == i
	end
	tap.ok(sorted, "timeouts for the same moment fire in the order in which they were made")
end

local function test_wakeup_and_failure()
	local peer = subject.new()
	local order = {}
	for i = 1, 2 do
		skynet.fork(function()
			pcall(subject.call, peer, "skynet.wait {}")
			order[#order + 1] = "failed " .. i
			skynet.wakeup(order)
		end)
	end
	skynet.fork(function()
		skynet.wait(order)
		order[#order + 1] = "woken"
	end)
	skynet.yield()
	skynet.term(peer)
	tap.eventually(function() return #order == 3 end, "all tasks end")
	tap.is(table.concat(order, ", "), "failed 1, woken, failed 2",
		"failed calls go on one by one, woken tasks between them")
end

local function test_pool()
	local threads, reused = {}, 0
	for _ = 1, 100 do
		threads[skynet.fork(function() end)] = true
		skynet.yield()
	end
	for _ in pairs(threads) do
		reused = reused + 1
	end
	tap.ok(reused < 20, "coroutines are used again")
	local before = collectgarbage "count"
	local left = 5000
	for _ = 1, left do
		skynet.fork(function()
			skynet.sleep(1)
			left = left - 1
		end)
	end
	tap.eventually(function() return left == 0 end, "5000 tasks end")
	for _ = 1, 6 do
		collectgarbage()
	end
	tap.ok(collectgarbage "count" < before + 2000, "a burst of tasks leaves no memory behind")
end

tap.run(function()
	test_fork()
	test_order()
	test_equal_deadlines()
	test_wakeup_and_failure()
	test_pool()
end)
