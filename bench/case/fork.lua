--- Coroutines that are forked, each with a function of its own, run once and end.
local skynet = require "skynet"
local common = require "case.common"

local BURST <const> = 1000

return function(count)
	local sum = 0
	local begin = common.clock()
	for i = 1, count do
		skynet.fork(function(value)
			sum = sum + value
		end, 1)
		if i % BURST == 0 then
			skynet.yield()
		end
	end
	skynet.yield()
	assert(sum == count)
	return count, common.clock() - begin
end
