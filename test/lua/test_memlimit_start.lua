-- Services whose memory limit leaves too little to start: who started them always gets an answer.
local skynet = require "skynet"
local tap = require "tap"

local SWEEP_FROM <const>, SWEEP_TO <const>, SWEEP_STEP <const> = -150000, 20000, 1000

---Starts a service whose limit is the value of a Lua expression.
local function start(limit)
	return pcall(skynet.newservice, "evaluator",
		("require('skynet').memlimit(%s)"):format(limit))
end

tap.run(function()
	local ok, message = start "1"
	tap.is(ok, false, "a service without any memory does not start")
	tap.is(message:find "not enough memory" ~= nil, true, "and says why")

	local started, failed, other = 0, 0, nil
	for spare = SWEEP_FROM, SWEEP_TO, SWEEP_STEP do
		local expression = "math.max(1,collectgarbage('count')*1024//1+%d)"
		ok, message = start(expression:format(spare))
		if ok then
			started = started + 1
			skynet.kill(message)
		else
			failed = failed + 1
			other = other or not message:find "memory" and message or nil
		end
	end
	tap.is(other, nil, "wherever memory ends, the error says so")
	tap.is(failed > 0, true, "small limits fail")
	tap.is(started > 0, true, "larger ones do not")
	tap.is(skynet.call(".launcher", "lua", "LIST")[skynet.address(skynet.self())] ~= nil, true,
		"the launcher lives on")
end)
