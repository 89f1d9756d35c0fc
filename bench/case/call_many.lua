--- Requests of 100 coroutines of one service, spread over four others.
local skynet = require "skynet"
local common = require "case.common"

local CALLERS <const> = 100
local PEERS <const> = 4

return function(count)
	local peers = {}
	for i = 1, PEERS do
		peers[i] = common.peer()
	end
	local each = count // CALLERS
	local begin = common.clock()
	common.parallel(CALLERS, function(caller)
		local peer = peers[caller % PEERS + 1]
		for i = 1, each do
			skynet.call(peer, "lua", "echo", i, "hello")
		end
	end)
	return each * CALLERS, common.clock() - begin
end
