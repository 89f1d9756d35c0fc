--- Calls with large messages, from a service of their own, until it is told to stop.
local skynet = require "skynet"
local link = require "case.link"

local CALLERS <const> = 2

local calls, running = 0, true

local command = {}

function command.start(size)
	local peer = link.open(skynet.getenv "bench_link", "LARGE")
	local text = ("0123456789abcdef"):rep(size // 16)
	for _ = 1, CALLERS do
		skynet.fork(function()
			while running do
				assert(#peer.call("echo", text) == #text)
				calls = calls + 1
			end
		end)
	end
	skynet.ret()
end

---Answers with how many calls were answered.
function command.stop()
	running = false
	skynet.ret(skynet.pack(calls))
end

---The same, without stopping.
function command.count()
	skynet.ret(skynet.pack(calls))
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
