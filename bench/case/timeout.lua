--- Timers of 0 to 49 hundredths of a second, each with a function of its own, all armed first,
-- until the last has fired.
local skynet = require "skynet"
local common = require "case.common"

local SPREAD_CS <const> = 50

return function(count)
	local waiting, left = coroutine.running(), count
	local begin = common.clock()
	for i = 1, count do
		skynet.timeout(i % SPREAD_CS, function()
			left = left - 1
			if left == 0 then
				skynet.wakeup(waiting)
			end
		end)
	end
	local armed = common.clock() - begin
	skynet.wait(waiting)
	return count, common.clock() - begin, string.format("arm_ns=%.0f", armed / count * 1e9)
end
