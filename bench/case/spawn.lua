--- Services that are started one after the other; also how much memory each takes.
local common = require "case.common"

return function(count)
	local before = common.resident_kib()
	local begin = common.clock()
	for _ = 1, count do
		common.peer()
	end
	local seconds = common.clock() - begin
	collectgarbage()
	local kib = (common.resident_kib() - before) / count
	return count, seconds, string.format("kib_per_service=%.1f", kib)
end
