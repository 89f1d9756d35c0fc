---How the service manager of a node makes itself known to the one of the network: when the node
---boots, and again after each loss. For the service service_mgr.
---@class skynet.service_report
local report = {}

local skynet = require "skynet"
local harbor = require "skynet.harbor"
local retry = require "skynet.retry"

---Between two attempts, the first and the longest, in centiseconds.
local PAUSE_CS <const> = 100
local PAUSE_MAX_CS <const> = 500
---So long an answer is waited for.
local PATIENCE_CS <const> = 1000
---A boot that waits for so long says what it waits for.
local NOTICE_CS <const> = 300

---Wait until node `id` is linked again, or `manager` is on another one.
---@async
---@param manager string
---@param id integer
local function await_return(manager, id)
	local connected = false
	skynet.fork(function()
		connected = pcall(retry.while_full, harbor.connect, id)
	end)
	local pause = PAUSE_CS
	skynet.yield()
	while not connected and skynet.harbor(retry.while_full(harbor.queryname, manager)) == id do
		skynet.sleep(pause)
		pause = math.min(pause * 2, PAUSE_MAX_CS)
	end
end

---Tell `manager` about this node, as often as it takes: the name may still be that of a process
---that is gone.
---@async
---@param manager string
local function tell(manager)
	while true do
		local ok, _, err = pcall(skynet.call_timeout, PATIENCE_CS, manager, "lua", "REPORT",
			skynet.self())
		if ok and not err then
			return
		end
		skynet.sleep(PAUSE_CS)
	end
end

---Tell `manager` again whenever the link to its node has been broken: it has forgotten this node,
---or is another process, perhaps with another harbor id.
---@async
---@param manager string
local function follow(manager)
	while true do
		local id = skynet.harbor(retry.while_full(harbor.queryname, manager))
		retry.while_full(harbor.link, id)
		await_return(manager, id)
		tell(manager)
	end
end

---Tell `manager` about this service, and see to it that it stays told. Waits for it as long as it
---takes, since no node is complete without.
---@async
---@param manager string  a global name
function report.keep(manager)
	local told = false
	skynet.timeout(NOTICE_CS, function()
		if not told then
			skynet.error(("waiting for the global name %s: is the node with the master up?")
				:format(manager))
		end
	end)
	retry.while_full(harbor.queryname, manager)
	tell(manager)
	told = true
	-- fails only when the slave ends, which it does with the node
	skynet.fork(pcall, follow, manager)
end

return report
