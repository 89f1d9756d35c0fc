--- A table like one of a game, packed and unpacked again.
local skynet = require "skynet"
local common = require "case.common"

local function sample()
	local friends, bag = {}, {}
	for i = 1, 7 do
		friends[i] = 10001 + i
	end
	for i, item in ipairs { 1, 2, 305 } do
		bag[i] = { id = item, count = 100 // i - 1 }
	end
	return {
		id = 10001, name = "player-10001", level = 57, vip = true, score = 1234567.875,
		bag = bag, friends = friends, note = ("x"):rep(200),
	}
end

return function(count)
	local pack, unpack, trash = skynet.pack, skynet.unpack, skynet.trash
	local value = sample()
	local begin = common.clock()
	for i = 1, count do
		local message, size = pack("update", i, value)
		unpack(message, size)
		trash(message, size)
	end
	return count, common.clock() - begin
end
