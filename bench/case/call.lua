--- Requests from one service to another, one after the other.
local skynet = require "skynet"
local common = require "case.common"

return function(count)
	local peer = common.peer()
	local begin = common.clock()
	for i = 1, count do
		skynet.call(peer, "lua", "echo", i, "hello")
	end
	return count, common.clock() - begin
end
