-- skynet.signal: 0 interrupts running Lua code, and only that.
local skynet = require "skynet"
local core = require "skynet.core"
local tap = require "tap"

local looping = 0

---Waits until the log has `text`.
local function logs(text, name)
	tap.eventually(function()
		local file <close> = assert(io.open(skynet.getenv "logger"))
		return file:read("a"):find(text)
	end, name)
end

local function signal(address, number)
	core.command("SIGNAL", string.format(":%x %d", address, number))
end

---Starts `command` in the service, waits until it loops, interrupts it.
local function interrupt(service, command)
	local before = looping
	local answer
	skynet.fork(function()
		answer = table.pack(pcall(skynet.call, service, "lua", command, skynet.self()))
	end)
	tap.eventually(function()
		return looping > before
	end, "the service runs " .. command)
	local sent = 0
	tap.eventually(function()
		-- the loop may not have begun when the first one arrives
		if sent % 20 == 0 and not answer then
			signal(service, 0)
		end
		sent = sent + 1
		return answer
	end, command .. " is interrupted")
	return table.unpack(answer, 1, answer.n)
end

tap.run(function()
	skynet.dispatch("lua", function()
		looping = looping + 1
	end)
	local service = skynet.newservice "endless"

	local ok, caught, message = interrupt(service, "loop")
	tap.ok(ok and caught == false, "a protected loop gets an error")
	tap.like(message, "endless%.lua:%d+: signal 0$", "which is signal 0, where it struck")
	ok, caught, message = interrupt(service, "coroutine")
	tap.ok(ok and caught == false, "a loop in a coroutine gets it, too")
	tap.like(message, "endless%.lua:%d+: signal 0$", "with the same text")
	ok, caught = interrupt(service, "wrap")
	tap.ok(ok and caught == false, "and one in a wrapped coroutine")
	ok, message = interrupt(service, "uncaught")
	tap.ok(not ok and message:find "call failed", "without protection the request fails")
	logs("recv a signal 0", "the log has the signal")
	logs("endless.lua:%d+: signal 0", "and where it struck")

	for _ = 1, 5 do
		signal(service, 0)
		tap.is(skynet.call(service, "lua", "ping"), "pong", "an idle service is not disturbed")
	end
	signal(service, 1)
	logs("recv a signal 1", "signal 1 is logged")
	logs("Current Memory %d+%.%d%d%dK", "with the memory of the service")
	signal(service, 7)
	logs("recv a signal 7", "others are logged")

	-- many at a time, while the service runs and sleeps by turns
	local ended = false
	skynet.fork(function()
		for _ = 1, 300 do
			pcall(skynet.call, service, "lua", "ping")
		end
		ended = true
	end)
	repeat
		signal(service, 0)
		skynet.yield()
	until ended
	tap.is(skynet.call(service, "lua", "ping"), "pong", "a service survives a storm of signals")
end)
