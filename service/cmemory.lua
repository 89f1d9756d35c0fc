-- Prints what is known about C memory: the allocator's report, bytes per service, totals. Then
-- exits.

local skynet = require "skynet"
local memory = require "skynet.memory"
local multicast = require "skynet.multicast.core"

skynet.start(function()
	memory.dumpinfo()
	local info = memory.info()
	local handles = {}
	for handle in pairs(info) do
		handles[#handles + 1] = handle
	end
	table.sort(handles)
	for _, handle in ipairs(handles) do
		print(string.format(":%08x %gK", handle, info[handle] / 1024))
	end
	print("Total memory:", memory.total())
	print("Total block:", memory.block())
	print(("Multicast messages:\t%d\t%d bytes"):format(multicast.usage()))
	skynet.exit()
end)
