-- Writes what the allocator tells of itself, says what a heap profile gave, and ends the node.
local memory = require "skynet.memory"
local skynet = require "skynet"
local manager = require "skynet.manager"

skynet.start(function()
	memory.dumpinfo()
	memory.dumpinfo "gm" -- neither what is general nor what was merged
	io.stdout:write("allocated ", memory.mallctl "stats.allocated", "\n")
	io.stdout:write("profile ", math.type(memory.dumpheap()) or "none", "\n")
	for _, wrong in ipairs { "dumpinfo", "mallctl" } do
		local ok, err = pcall(memory[wrong], {})
		io.stdout:write(tostring(ok), " ", err, "\n")
	end
	manager.abort()
end)
