--- Requests from one node to all others of its process in turn, by 100 coroutines. Setting
--- bench_nodes is how many nodes there are, bench_node the number of this one; the first one calls.
local skynet = require "skynet"
local common = require "case.common"
local link = require "case.link"

local CALLERS <const> = 100
local RETRY_CS <const> = 5

local function open_all(kind, nodes)
	local peers = {}
	for node = 2, nodes do
		local peer = link.open(kind, "ECHO" .. node, "node" .. node)
		-- the link is up before the clock runs; that node may be starting still
		while not pcall(peer.call, "count") do
			skynet.sleep(RETRY_CS)
		end
		peers[node - 1] = peer
	end
	return peers
end

return function(count)
	local kind = skynet.getenv "bench_link"
	local node = tonumber(skynet.getenv "bench_node")
	local nodes = tonumber(skynet.getenv "bench_nodes")
	link.serve(kind, { ["ECHO" .. node] = common.peer() }, "node" .. node)
	if node > 1 then
		return
	end
	local peers = open_all(kind, nodes)
	local boot = skynet.now() / 100
	local each = count // CALLERS
	local begin = common.clock()
	common.parallel(CALLERS, function(caller)
		for i = 1, each do
			peers[(caller + i) % #peers + 1].call("echo", i, "hello")
		end
	end)
	return each * CALLERS, common.clock() - begin, ("boot_s=%.1f"):format(boot)
end
