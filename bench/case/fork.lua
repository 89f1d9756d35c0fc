--- Coroutines that are forked, run once and end.
local skynet = require "skynet"
local common = require "case.common"

local BURST <const> = 1000

return function(count)
	local sum = 0
	local function add(value)
		sum = sum + value
	end
	local begin = common.clock()
	for i = 1, count do
		skynet.fork(add, 1)
		if i % BURST == 0 then
			skynet.yield()
		end
	end
	skynet.yield()
	assert(sum == count)
	return count, common.clock() - begin
end
