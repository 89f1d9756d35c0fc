--- One-way messages to one service, until it has counted the last of them.
local skynet = require "skynet"
local common = require "case.common"

local BURST <const> = 1000

return function(count)
	local peer = common.peer()
	local begin = common.clock()
	for i = 1, count do
		skynet.send(peer, "lua", "add", i)
		if i % BURST == 0 then
			skynet.yield()
		end
	end
	assert(skynet.call(peer, "lua", "count") == count)
	return count, common.clock() - begin
end
