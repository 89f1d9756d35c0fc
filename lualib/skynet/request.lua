-- Several requests at once, whose answers are taken in the order in which they come:
--     local request = skynet.request { addr, "lua", ... } { other, "lua", ... }
--     for req, resp in request:select(100) do ... end
-- `skynet.request` is `new` of this module.
-- luacheck: max comment line length 180

local core = require "skynet.core"
local skynet = require "skynet"

local M = {}

---@class skynet.request
---@field timeout boolean? true when the time was over before all had answered
---@field package list table[] requests in the order in which they were added
---@field package selected boolean?
local request = {}
request.__index = request

---Adds a request: `{ address, protocol, arguments..., [n =] }`.
---@param obj table
---@return skynet.request self
function request:add(obj)
	assert(type(obj) == "table" and not self.selected)
	self.list[#self.list + 1] = obj
	return self
end

request.__call = request.add

---Sends all requests. Returns those that could not be sent, and session -> request of the others.
---@param selection userdata
---@param list table[]
---@return table[] failed
---@return table<integer, table> sent
local function send_all(selection, list)
	local failed, sent = {}, {}
	for _, obj in ipairs(list) do
		local address, name = obj[1], obj[2]
		local protocol = skynet._proto[name]
		if not protocol then
			error(("unknown protocol '%s'"):format(tostring(name)), 0)
		end
		local session = core.select_send(selection, address, name,
			protocol.pack(table.unpack(obj, 3, obj.n)))
		if session then
			sent[session] = obj
		else
			failed[#failed + 1] = obj
		end
	end
	return failed, sent
end

---Sends the requests and iterates over the answers: `request, table.pack(values)`; `request,
---false` for one that failed; `request, nil` for one whose address is invalid. Ends when all
---have come, or after `timeout_cs`; then `self.timeout` is true. May be used once.
---@async
---@param timeout_cs integer? nil waits for all
---@return fun(): table?, table|false|nil iterator
---@return nil
---@return nil
---@return userdata closing ends what is still outstanding when the loop is left
function request:select(timeout_cs)
	assert(not self.selected, "select may be used once")
	self.selected = true
	local selection = core.select_open(timeout_cs)
	local ok, failed, sent = pcall(send_all, selection, self.list)
	if not ok then
		core.select_close(selection)
		error(failed, 2)
	end

	local function next_answer()
		local obj = table.remove(failed)
		if obj then
			return obj, nil
		end
		local session, answered, msg, size = core.select_wait(selection)
		if not session then
			self.timeout = answered
			core.select_close(selection)
			return nil
		end
		obj = sent[session]
		if not answered then
			return obj, false
		end
		return obj, table.pack(skynet._proto[obj[2]].unpack(msg, size))
	end
	return next_answer, nil, nil, selection
end

---Starts a list of requests.
---@param obj table? the first one
---@return skynet.request
function M.new(obj)
	local self = setmetatable({ list = {} }, request)
	if obj then
		self:add(obj)
	end
	return self
end

return M
