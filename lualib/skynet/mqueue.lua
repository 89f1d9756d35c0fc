---Requests that a service handles strictly one after the other, even when a handler waits.
---
---Deprecated: `skynet.queue` does the same for any protocol. Kept for services that use it.
---@class skynet.mqueue
local mqueue = {}

local skynet = require "skynet"
local queue = require "skynet.queue"

local PROTOCOL <const> = "queue"

---Requests that have arrived and whose handler has not begun.
local waiting = 0

---A request that waits; also when its task is killed meanwhile it is counted once.
local ticket_methods = {}
local ticket_meta = { __index = ticket_methods }

function ticket_methods:leave()
	if self.waits then
		self.waits = false
		waiting = waiting - 1
	end
end

ticket_meta.__close = ticket_methods.leave

local function new_ticket()
	waiting = waiting + 1
	return setmetatable({ waits = true }, ticket_meta)
end

local protocol = {
	name = PROTOCOL,
	id = skynet.PTYPE_QUEUE,
	pack = skynet.pack,
	unpack = skynet.unpack,
}
skynet.register_protocol(protocol)

---Handle the requests of this service with `func`, in the order in which they arrive.
---@param func fun(...): ...
function mqueue.register(func)
	if type(func) ~= "function" then
		error("bad argument #1 to 'register' (function expected, got " .. type(func) .. ")", 2)
	end
	if skynet.dispatch(PROTOCOL) then
		error("mqueue.register was called before", 2)
	end
	local one_at_a_time = queue()

	local function begin(ticket, ...)
		ticket:leave()
		return func(...)
	end

	local function handle(session, ...)
		local ticket <close> = new_ticket()
		if session == 0 then
			one_at_a_time(begin, ticket, ...)
		else
			skynet.ret(skynet.pack(pcall(one_at_a_time, begin, ticket, ...)))
		end
	end

	skynet.dispatch(PROTOCOL, function(session, _, ...)
		handle(session, ...)
	end)
end

local function results(addr, ok, ...)
	if not ok then
		error(string.format("call of queue of %s: %s", skynet.address(addr), tostring((...))), 3)
	end
	return ...
end

---Ask the queue of another service and wait for the results of its function, whose errors are
---raised here.
---@async
---@param addr integer|string
---@param ... any
---@return any ...
function mqueue.call(addr, ...)
	return results(addr, skynet.call(addr, PROTOCOL, ...))
end

---Send to the queue of another service without waiting.
---@param addr integer|string
---@param ... any
function mqueue.send(addr, ...)
	return skynet.send(addr, PROTOCOL, ...)
end

---Requests that wait for their turn.
---@return integer
function mqueue.size()
	return waiting
end

return mqueue
