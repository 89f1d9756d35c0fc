-- The debug protocol: what the console asks a service. Loaded with the first debug message.

local core = require "skynet.core"
local skynet = require "skynet"

local M = {}

---@type table<string, async fun(...)>
local command = {}
local info ---@type fun(...): any?
local collecting = false

local function ret(...)
	return skynet.retpack(...)
end

---Answers the size of the Lua state in KiB.
function command.MEM()
	ret(collectgarbage "count")
end

---Collects garbage and logs what that gave, unless it is being done already. Answers nothing, then.
function command.GC()
	if not collecting then
		collecting = true
		local before = collectgarbage "count"
		local start = skynet.hpc()
		collectgarbage()
		collectgarbage()
		skynet.error(("GC %.2f Kb -> %.2f Kb, cost %.2f sec"):format(
			before, collectgarbage "count", (skynet.hpc() - start) / 1e9))
		collecting = false
	end
	skynet.ret()
end

---Answers a table: tasks, messages that wait, processor time in seconds, messages so far and what
---happened at the mailbox limit.
function command.STAT()
	ret {
		task = skynet.task(),
		mqlen = skynet.stat "mqlen",
		cpu = skynet.stat "cpu",
		message = skynet.stat "message",
		mailbox_limit = skynet.stat "mailbox_limit",
		rejected = skynet.stat "rejected",
		dropped = skynet.stat "dropped",
		blocked = skynet.stat "blocked",
	}
end

---session: answers the stack of the task that waits for it; without one, stacks by thread.
function command.TASK(session)
	if session then
		ret(skynet.task(session))
	else
		local tasks = {}
		skynet.task(tasks)
		ret(tasks)
	end
end

---Answers stacks with the number of tasks that have them.
function command.UNIQTASK()
	ret(skynet.uniqtask())
end

---pattern: ends the first task whose thread, as text, matches; answers nothing, or "Not found".
function command.KILLTASK(pattern)
	local thread = skynet.killthread(pattern)
	if thread then
		skynet.error(("Kill %s"):format(thread))
		ret()
	else
		skynet.error(("Kill %s : Not found"):format(pattern))
		ret "Not found"
	end
end

---Answers what the function given to skynet.info_func returns, nothing without one.
function command.INFO(...)
	ret(info and info(...))
end

---Ends this service.
---@async
function command.EXIT()
	skynet.exit()
end

---source filename ...: runs code in this service; answers whether it ran, and its output.
function command.RUN(source, filename, ...)
	local inject = require "skynet.inject"
	local arguments = table.pack(...)
	local ok, output = inject(skynet, source, filename, arguments, skynet.register_protocol)
	collectgarbage "step"
	if type(output) == "table" then
		output = table.concat(output, "\n")
	end
	ret(ok, output)
end

---addr: calls of this service to it fail as if it had ended.
function command.TERM(addr)
	skynet.term(addr)
	if skynet.context() ~= 0 then
		ret()
	end
end

---fd channel: begins a session of the debugger; answers when it has ended.
function command.REMOTEDEBUG(...)
	ret(require "skynet.remotedebug".start({ trash = core.trash }, ...))
end

---protocol: answers whether this service handles it.
function command.SUPPORT(protocol)
	ret(skynet.dispatch(protocol) ~= nil)
end

---Answers nothing, at once.
function command.PING()
	skynet.ret()
end

---Never answered; the request fails when this service ends.
function command.LINK()
	-- never answered, but by the end of this service
	skynet.response()
end

---[protocol] flag: requests of that protocol, by default "lua", are traced or not.
function command.TRACELOG(protocol, flag)
	if type(protocol) ~= "string" then
		flag = protocol
		protocol = "lua"
	end
	skynet.error(("Turn trace log %s for %s"):format(flag, protocol))
	skynet.traceproto(protocol, flag)
	skynet.ret()
end

---Handles one debug message.
---@async
---@param _session integer
---@param _address integer
---@param name string
---@param ... any
function M.dispatch(_session, _address, name, ...)
	local f = command[name]
	if not f then
		error(("unknown debug command '%s'"):format(tostring(name)), 0)
	end
	f(...)
end

---Adds a debug command, or replaces one.
---@param name string
---@param f async fun(...)
function M.reg_debugcmd(name, f)
	command[name] = f
end

---Sets what answers the debug command INFO.
---@param f fun(...): any
function M.info_func(f)
	assert(type(f) == "function")
	info = f
end

-- from now on directly; a handler of the user's own stays
local protocol = skynet._proto.debug
if protocol.dispatch == core.debug_dispatch then
	protocol.dispatch = M.dispatch
end

return M
