--- Runs one benchmark case and ends the node; settings bench_case, bench_n (operations), ...
--- A case is a module bench/case/<name>.lua that returns a function: it gets the number of
--- operations and returns how many it did, the seconds they took and, optionally, "key=value".
--- Uses only the public Lua API, so that builds of any origin can be compared.
local skynet = require "skynet"
local manager = require "skynet.manager"

local name <const> = skynet.getenv "bench_case"
local count <const> = math.tointeger(tonumber(skynet.getenv "bench_n") or 0)

local function say(...)
	print("bench", ...)
	io.stdout:flush()
end

local function run()
	local case = require("case." .. name)
	local done, seconds, extra = case(count)
	if done then
		say("result", string.format("%.0f", done / seconds), extra or "")
		manager.abort()
	else
		say "ready"
	end
end

skynet.start(function()
	skynet.fork(function()
		local ok, err = xpcall(run, debug.traceback)
		if not ok then
			say("failed", err)
			manager.abort()
		end
	end)
end)
