--- One token that goes round a ring of 1,000 services.
local skynet = require "skynet"
local common = require "case.common"

local SIZE <const> = 1000

return function(count)
	local ring = {}
	for i = 1, SIZE do
		ring[i] = common.peer()
	end
	for i = 1, SIZE do
		skynet.call(ring[i], "lua", "link", ring[i % SIZE + 1], skynet.self())
	end
	local waiting = coroutine.running()
	skynet.dispatch("lua", function()
		skynet.wakeup(waiting)
	end)
	local begin = common.clock()
	skynet.send(ring[1], "lua", "token", count)
	skynet.wait(waiting)
	return count, common.clock() - begin
end
