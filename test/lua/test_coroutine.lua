--- skynet.coroutine: coroutines in which blocking calls work.
local skynet = require "skynet"
local co = require "skynet.coroutine"
local subject = require "subject"
local tap = require "tap"

local function test_plain()
	local c = co.create(function(a, b)
		local x = co.yield(a + b)
		local y, z = co.yield(x * 2)
		return y, z, "end"
	end)
	tap.is(co.status(c), "suspended", "a new coroutine is suspended")
	tap.is_deeply({ co.resume(c, 1, 2) }, { true, 3 }, "resume passes arguments and yields")
	tap.is_deeply({ co.resume(c, 5) }, { true, 10 }, "and back")
	tap.is_deeply({ co.resume(c, "y", "z") }, { true, "y", "z", "end" }, "and results at the end")
	tap.is(co.status(c), "dead", "then it is dead")
	tap.is_deeply({ co.resume(c) }, { false, "cannot resume dead coroutine" }, "and is not resumed")
	local e = co.create(function() error "oops" end)
	local ok, err = co.resume(e)
	tap.ok(not ok and err:find "oops", "errors are returned")
	tap.is(co.status(e), "dead", "and end it")
	local w = co.wrap(function(...) co.yield(select("#", ...)) error "wrapped" end)
	tap.is(w(nil, nil), 2, "wrap makes a function")
	ok, err = pcall(w)
	tap.ok(not ok, "which raises")
	tap.like(err, "test_coroutine.lua:%d+: .*wrapped", "with the position of both")
	tap.is_deeply({ co.resume(coroutine.create(print)) },
		{ false, "cannot resume none skynet coroutine" }, "foreign coroutines are refused")
	tap.raises(function() co.resume(1) end, "coroutine expected", "other values too")
	tap.raises(co.yield, "Call skynet.coroutine.yield out of skynet.coroutine.resume",
		"yield outside of one raises")
	local outer
	outer = co.create(function()
		local inner = co.create(function()
			tap.is(co.status(outer), "normal", "the one that resumed another is normal")
			tap.is(co.status((co.running())), "running", "the running one is running")
			tap.is_deeply({ co.resume(outer) }, { false, "cannot resume non-suspended coroutine" },
				"and is not resumed")
		end)
		co.resume(inner)
	end)
	co.resume(outer)
	tap.ok(co.isyieldable(), "a task can yield")
end

local function test_blocking(peer)
	local task = coroutine.running()
	local seen
	local c = co.create(function(...)
		local first = subject.eval(peer, "skynet.sleep(1) return ...", "reply")
		seen = { co.thread() }
		skynet.sleep(1)
		local back = co.yield(first, ...)
		skynet.sleep(1)
		return back, subject.eval(peer, "return 2")
	end)
	tap.is_deeply({ co.resume(c, "arg") }, { true, "reply", "arg" },
		"a call inside suspends the task and goes on")
	tap.is(seen[1], task, "thread tells the task")
	tap.is(seen[2], false, "which is another thread")
	tap.is_deeply({ co.resume(c, "back") }, { true, "back", 2 }, "also after a yield")
	tap.is_deeply({ co.thread() }, { task, true }, "a task is its own thread")

	local depth = 0
	local function nest(n)
		return co.wrap(function()
			depth = depth + 1
			if n == 0 then
				return subject.eval(peer, "skynet.sleep(1) return 'deep'")
			end
			return nest(n - 1)()
		end)
	end
	tap.is(nest(10)(), "deep", "ten levels deep")
	tap.is(depth, 11, "all of them")

	local ok, err = co.resume(co.create(function() return subject.call(peer,
		"error 'remote trouble'") end))
	tap.ok(not ok and err:find "remote trouble", "a failed call raises inside")
end

local function test_blocked(peer)
	local c = co.create(function() return subject.eval(peer, "skynet.sleep(3) return 1") end)
	local done
	skynet.fork(function() done = { co.resume(c) } end)
	skynet.yield()
	tap.is(co.status(c), "blocked", "one that waits for the framework is blocked")
	tap.is_deeply({ co.resume(c) },
		{ false, "cannot resume a skynet coroutine suspend by skynet framework" },
		"and not resumed by others")
	tap.raises(function() co.close(c) end, "cannot close a blocked coroutine", "nor closed")
	local ok, err = coroutine.resume(c)
	tap.ok(not ok and err:find "cannot resume", "not by the stock library either: " .. tostring(err))
	tap.eventually(function() return done end, "its task goes on")

	local orphan = co.create(function() skynet.wait {} end)
	local task = skynet.fork(function() co.resume(orphan) end)
	skynet.yield()
	skynet.killthread(task)
	tap.is(co.status(orphan), "blocked", "when the task is killed it stays blocked")
	tap.is(co.close(orphan), true, "and can be closed")
end

local function test_close()
	local closed
	local c = co.create(function()
		local _ <close> = setmetatable({}, { __close = function() closed = true end })
		co.yield()
	end)
	co.resume(c)
	tap.is(co.close(c), true, "a suspended one can be closed")
	tap.ok(closed, "its to-be-closed variables run")
	tap.is(co.status(c), "dead", "it is dead")
	local broken = co.create(function()
		local _ <close> = setmetatable({}, { __close = function() error "in close" end })
		co.yield()
	end)
	co.resume(broken)
	local ok, err = co.close(broken)
	tap.ok(ok == false and err:find "in close", "an error in closing is returned")
end

local function test_tokens()
	local c
	local result
	skynet.fork(function()
		c = co.create(function() return skynet.sleep(100000) end)
		result = { co.resume(c) }
	end)
	skynet.yield()
	tap.is(skynet.wakeup(c), true, "the coroutine is the token of a sleep in it")
	skynet.yield()
	tap.is(result[2], "BREAK", "which it ends")
end

local function test_sort(peer)
	local c = co.create(function()
		return pcall(table.sort, { 2, 1, 3 }, function(a, b)
			subject.eval(peer, "return 1")
			return a < b
		end)
	end)
	local _, ok, err = co.resume(c)
	tap.ok(ok == false and err:find "C%-call boundary", "a call under a C function raises")
	local outer = co.create(function()
		local list = { 2, 1 }
		return pcall(table.sort, list, function(a, b)
			local _, inner_ok, inner_err = co.resume(co.create(function() return pcall(skynet.sleep, 1) end))
			tap.ok(inner_ok == false and inner_err, "also further inside")
			return a < b
		end)
	end)
	co.resume(outer)
end

local function test_garbage()
	for _ = 1, 200 do
		local c = co.create(function() co.yield() end)
		co.resume(c)
	end
	collectgarbage()
	collectgarbage()
	tap.pass "unfinished coroutines are collected"
end

tap.run(function()
	local peer = subject.new()
	test_plain()
	test_blocking(peer)
	test_blocked(peer)
	test_close()
	test_tokens()
	test_sort(peer)
	test_garbage()
end)
