--- Messages published to 1,000 subscribers of the same node; each receipt counts as one operation.
local skynet = require "skynet"
local multicast = require "skynet.multicast"
local common = require "case.common"

local SUBSCRIBERS <const> = 1000

return function(count)
	local channel, peers = multicast.new(), {}
	for i = 1, SUBSCRIBERS do
		peers[i] = common.peer()
		skynet.call(peers[i], "lua", "subscribe", channel.channel)
	end
	local rounds = count // SUBSCRIBERS
	local begin = common.clock()
	for i = 1, rounds do
		channel:publish("tick", i)
	end
	for _, peer in ipairs(peers) do
		while skynet.call(peer, "lua", "count") < rounds do
			skynet.yield()
		end
	end
	return rounds * SUBSCRIBERS, common.clock() - begin
end
