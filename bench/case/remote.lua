--- The cases between two nodes; setting bench_remote says which: send, call, call_many, call_big.
local skynet = require "skynet"
local common = require "case.common"
local link = require "case.link"

local CALLERS <const> = 100
local BURST <const> = 100
local BIG_SIZE <const> = 256 * 1024
local MIB <const> = 1024 * 1024

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

return function(count)
	local peer = link.open(skynet.getenv "bench_link")
	peer.call "count" -- the link is up before the clock runs
	return case[skynet.getenv "bench_remote"](peer, count)
end
