--- What several cases share.
local skynet = require "skynet"

local common = {}

---Seconds since some point in the past.
---@return number
function common.clock()
	return skynet.hpc() / 1e9
end

---@return integer address of a new peer
---@async
function common.peer()
	return skynet.newservice "bench_peer"
end

---Run `func(1)` to `func(workers)` at the same time and wait until all have returned.
---@param workers integer
---@param func fun(worker: integer)
---@async
function common.parallel(workers, func)
	local waiting, left = coroutine.running(), workers
	for worker = 1, workers do
		skynet.fork(function()
			func(worker)
			left = left - 1
			if left == 0 then
				skynet.wakeup(waiting)
			end
		end)
	end
	skynet.wait(waiting)
end

---@return number KiB of memory that the process has
function common.resident_kib()
	for line in io.lines "/proc/self/status" do
		local kib = line:match "^VmRSS:%s*(%d+)"
		if kib then
			return tonumber(kib)
		end
	end
	return 0
end

return common
