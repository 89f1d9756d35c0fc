---Requests of the system that must not fail because a mailbox is full for a moment (settings
---`mailbox_limit` and `mailbox_policy`).
---@class skynet.retry
local retry = {}

local skynet = require "skynet"

---Between two attempts, in centiseconds.
local PAUSE_CS <const> = 10

---Call `func` until no mailbox is too full for what it asks. Other errors are raised as they are.
---@async
---@param func async fun(...): ...  a single request: of several, the first would be made again
---@param ... any
---@return any ...  what it returns
function retry.while_full(func, ...)
	local results = table.pack(pcall(func, ...))
	while not results[1] do
		if skynet.error_kind(results[2]) ~= "overloaded" then
			error(results[2], 0)
		end
		skynet.sleep(PAUSE_CS)
		results = table.pack(pcall(func, ...))
	end
	return table.unpack(results, 2, results.n)
end

return retry
