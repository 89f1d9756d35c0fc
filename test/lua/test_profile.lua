-- skynet.profile: CPU time of coroutines.
local skynet = require "skynet"
local profile = require "skynet.profile"
local tap = require "tap"

local function spin(ms)
	local limit = os.clock() + ms / 1000
	repeat until os.clock() >= limit
end

tap.run(function()
	tap.is(profile.resume, coroutine.resume, "coroutine.resume is the timing one")
	tap.is(profile.wrap, coroutine.wrap, "coroutine.wrap is the timing one")

	profile.start()
	spin(20)
	local spent = profile.stop()
	tap.is(math.type(spent), "float", "stop gives a float")
	tap.ok(spent > 0.001, "work is counted")
	profile.start()
	skynet.sleep(20)
	tap.ok(profile.stop() < 0.1, "sleep is not")
	profile.start()
	skynet.sleep(1)
	spin(20)
	skynet.sleep(1)
	spin(20)
	tap.ok(profile.stop() > 0.001, "it goes on after the coroutine was suspended")

	tap.raises(profile.stop, "Call profile.start%(%) before profile.stop%(%)", "stop without start")
	profile.start()
	tap.raises(profile.start, "start profile more than once", "a second start")
	profile.stop()

	local co = coroutine.create(function()
		spin(20)
		coroutine.yield(1)
		spin(20)
		return 2
	end)
	profile.start(co)
	spin(30)
	coroutine.resume(co)
	local outer = profile.start()
	tap.is(outer, nil, "start gives nothing")
	coroutine.resume(co)
	local inside, whole = profile.stop(co), profile.stop()
	tap.ok(inside > 0.002, "another coroutine can be timed")
	tap.ok(whole > 0.001 and whole <= inside + 0.1, "what it resumes counts for the one who resumes")
	tap.raises(function()
		profile.stop(co)
	end, "before profile.stop", "its time is told once")
	tap.raises(function()
		profile.start "text"
	end, "bad argument", "start wants a coroutine")

	-- the same as the stock functions
	co = coroutine.create(function(...)
		local x = coroutine.yield(...)
		error(x, 0)
	end)
	tap.is_deeply({ coroutine.resume(co, 1, nil, 3) }, { true, 1, nil, 3 }, "resume passes values")
	tap.is_deeply({ coroutine.resume(co, "bad") }, { false, "bad" }, "resume passes the error")
	tap.is_deeply({ coroutine.resume(co) }, { false, "cannot resume dead coroutine" },
		"resume knows a dead coroutine")
	tap.is(coroutine.status(co), "dead", "whose status stays")
	tap.is_deeply({ coroutine.close(co) }, { false, "bad" }, "closing it gives its error")
	tap.is_deeply({ coroutine.resume(coroutine.running()) },
		{ false, "cannot resume non-suspended coroutine" }, "resume of the running one fails")

	local step = coroutine.wrap(function(a)
		local b = coroutine.yield(a + 1)
		error("raised with " .. b)
	end)
	tap.is(step(1), 2, "wrap passes values")
	tap.raises(function()
		step "x"
	end, "test_profile.lua:%d+: .*test_profile.lua:%d+: raised with x", "wrap adds a position")
	local closed
	step = coroutine.wrap(function()
		-- luacheck: ignore 211
		local variable <close> = setmetatable({}, {
			__close = function(_, err)
				closed = err
			end,
		})
		error { "object" }
	end)
	local ok, err = pcall(step)
	tap.ok(not ok and err[1] == "object", "wrap passes error objects")
	tap.is(closed, err, "and closes what is to be closed, with the error")
	step = coroutine.wrap(function()
		local variable <close> = setmetatable({}, { -- luacheck: ignore 211
			__close = function()
				error("while closing", 0)
			end,
		})
		error "first"
	end)
	tap.raises(step, "while closing", "an error while closing replaces the first")
	tap.raises(function()
		coroutine.resume(1)
	end, "bad argument", "resume wants a coroutine")
	tap.raises(function()
		coroutine.wrap(1)
	end, "bad argument", "wrap wants a function")
end)
