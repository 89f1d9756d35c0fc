---Sixteen callers send large messages to the other node, which sends them back, while it does the
---same here; one more caller asks for little. Config: `who` of "left" and "right", `size`,
---`rounds`; harbor 0: over the cluster. Starts itself as what answers.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local CALLERS <const> = 16
local WHO <const> = skynet.getenv "who"
local OTHER <const> = WHO == "left" and "right" or "left"
local SIZE <const> = tonumber(skynet.getenv "size")
local ROUNDS <const> = tonumber(skynet.getenv "rounds")
local HARBOR <const> = skynet.getenv "harbor" ~= "0"

local role = ...
local wrong, failed, small, running = 0, 0, 0, CALLERS

local function call(service, ...)
	if HARBOR then
		return skynet.call(service .. OTHER, "lua", ...)
	end
	return cluster.call(OTHER, "@" .. service, ...)
end

---@param caller integer
local function ask_large(caller)
	local text = string.char(64 + caller):rep(SIZE)
	for round = 1, ROUNDS do
		local ok, back, number = pcall(call, "large", text, round)
		if not ok then
			skynet.error("large_calls: failed:", back)
			failed = failed + 1
		elseif back ~= text or number ~= round then
			wrong = wrong + 1
		end
	end
	running = running - 1
end

local function ask_small()
	while running > 0 do
		small = small + 1
		wrong = wrong + (call("small", small) == small and 0 or 1)
	end
end

---Bytes of answers that have waited at a time.
local function most()
	if HARBOR then
		return 0
	end
	local _, _, incoming = skynet.call(".clusterd", "lua", "links")
	return incoming[1].most
end

local function serve(service)
	local answers = skynet.newservice("large_calls", "answers")
	if HARBOR then
		require("skynet.harbor").globalname(service .. WHO, answers)
	else
		cluster.register(service, answers)
	end
end

local function ask()
	repeat
		skynet.sleep(1)
	until pcall(call, "small", 0)
	for caller = 1, CALLERS do
		skynet.fork(ask_large, caller)
	end
	ask_small()
	skynet.error(("large_calls: wrong %d, failed %d, small %s, most %d"):format(wrong, failed,
		small > 1, most()))
end

skynet.start(function()
	if role == "answers" then
		skynet.dispatch("lua", function(_, _, ...)
			skynet.retpack(...)
		end)
		return
	end
	serve "large"
	serve "small"
	if not HARBOR then
		cluster.open(WHO)
	end
	skynet.fork(ask)
end)
