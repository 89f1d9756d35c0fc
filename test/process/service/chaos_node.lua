---The first service of a node of a chaos test: its load to all others, what it shares, and a socket
---at setting `ask`.
local skynet = require "skynet"
require "skynet.manager"

local LAST_SESSION <const> = 0x7fffffff
local NUMBERS_LEFT <const> = 100

skynet.start(function()
	-- The same handles are other services after each start.
	local start = tonumber(skynet.getenv "chaos_start")
	for _ = 1, start % 5 do
		skynet.kill(skynet.newservice "idle")
	end
	skynet.name(".sink", skynet.newservice "network_sink")
	skynet.newservice("chaos_shared", start)
	local load_service = skynet.newservice "network_load"
	skynet.name(".load", load_service)
	local others = {}
	for other in skynet.getenv("chaos_others"):gmatch "%d+" do
		table.insert(others, math.tointeger(other))
		-- numbers of calls begin anew when they have reached the last one
		skynet.launch("clustersender", ("n%s %d"):format(other, LAST_SESSION - NUMBERS_LEFT))
	end
	skynet.newservice "harbor_node"
	if skynet.getenv "chaos_running" then
		skynet.call(load_service, "lua", "start", others)
		skynet.call(".shared", "lua", "run", true)
	end
	skynet.exit()
end)
