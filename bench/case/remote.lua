--- The cases between two nodes; setting bench_remote says which: send, call, call_many, call_big;
--- callers_N by N coroutines, size_N with N bytes each way, p99: calls alone and beside large ones.
local skynet = require "skynet"
local common = require "case.common"
local link = require "case.link"

local CALLERS <const> = 100
local BURST <const> = 100
local BIG_SIZE <const> = 256 * 1024
local MIB <const> = 1024 * 1024

local LARGE_SIZE <const> = 16 * MIB - 1024 -- 16 MiB and its head are too much for a harbor frame
local LARGE_CALLS <const> = 8 -- that have been answered before the others are timed

local case = {}

function case.send(peer, count)
	local begin = common.clock()
	for i = 1, count do
		peer.send("add", i)
		if i % BURST == 0 then
			skynet.yield()
		end
	end
	while peer.call "count" < count do
		skynet.sleep(1)
	end
	return count, common.clock() - begin
end

function case.call(peer, count)
	local begin = common.clock()
	for i = 1, count do
		peer.call("echo", i, "hello")
	end
	return count, common.clock() - begin
end

function case.call_many(peer, count)
	local each = count // CALLERS
	local begin = common.clock()
	common.parallel(CALLERS, function()
		for i = 1, each do
			peer.call("echo", i, "hello")
		end
	end)
	return each * CALLERS, common.clock() - begin
end

function case.call_big(peer, count)
	local text = ("0123456789abcdef"):rep(BIG_SIZE // 16)
	local begin = common.clock()
	for _ = 1, count do
		assert(#peer.call("echo", text) == BIG_SIZE)
	end
	local seconds = common.clock() - begin
	return count, seconds, string.format("mib_per_s=%.0f", 2 * count * BIG_SIZE / MIB / seconds)
end

function case.callers(peer, count, callers)
	local each = math.max(1, count // callers)
	local begin = common.clock()
	common.parallel(callers, function()
		for i = 1, each do
			peer.call("echo", i, "hello")
		end
	end)
	return each * callers, common.clock() - begin
end

function case.size(peer, count, size)
	size = math.min(size, LARGE_SIZE)
	local text = ("0123456789abcdef"):rep(size // 16)
	local begin = common.clock()
	for _ = 1, count do
		assert(#peer.call("echo", text) == #text)
	end
	local seconds = common.clock() - begin
	return count, seconds, string.format("mib_per_s=%.1f", 2 * count * size / MIB / seconds)
end

---@return number microseconds that 99 of 100 calls need at most
---@return number seconds for all
local function time_calls(peer, count)
	local times = {}
	local begin = common.clock()
	for i = 1, count do
		local from = common.clock()
		peer.call("echo", i, "hello")
		times[i] = common.clock() - from
	end
	local seconds = common.clock() - begin
	table.sort(times)
	return times[math.ceil(count * 0.99)] * 1e6, seconds
end

function case.p99(peer, count)
	local alone = time_calls(peer, count)
	local large = skynet.newservice "bench_large"
	skynet.call(large, "lua", "start", LARGE_SIZE)
	while skynet.call(large, "lua", "count") < LARGE_CALLS do
		skynet.sleep(1)
	end
	local beside, seconds = time_calls(peer, count)
	local calls = skynet.call(large, "lua", "stop") - LARGE_CALLS
	return count, seconds, string.format("p99_us=%.0f alone_us=%.0f times=%.1f large_per_s=%.1f",
		beside, alone, beside / alone, calls / seconds)
end

return function(count)
	local peer = link.open(skynet.getenv "bench_link")
	peer.call "count" -- the link is up before the clock runs
	local what = skynet.getenv "bench_remote"
	local name, parameter = what:match "^(%a+)_(%d+)$"
	return case[name or what](peer, count, tonumber(parameter))
end
