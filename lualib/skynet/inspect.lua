-- What `skynet.task`, `skynet.uniqtask` and `skynet.killthread` show and end: the tasks of this
-- service.

local core = require "skynet.core"

local M = {}

local MAX_SESSIONS <const> = 9 -- listed for one traceback by uniqtask

---@class skynet.inspect.task
---@field thread thread
---@field session integer 0 when it waits for nothing
---@field state string
---@field origin string? where a timeout was made

---@param task skynet.inspect.task
---@return string
local function describe(task)
	return task.origin or debug.traceback(task.thread)
end

---@return fun(): skynet.inspect.task?
local function waiting_tasks()
	local list = core.task_list()
	local i = 0
	return function()
		repeat
			i = i + 1
		until not list[i] or list[i].session ~= 0
		return list[i]
	end
end

---@param ret table
local function fill(ret)
	for task in waiting_tasks() do
		ret[("%s session: %d"):format(task.thread, task.session)] = describe(task)
	end
	for _, session in ipairs(core.task_abandoned()) do
		ret[("BREAK session: %d"):format(session)] = "BREAK"
	end
end

---Looks at the tasks that wait: without argument their number; with a table fills it, key
---"thread: 0x... session: N" to traceback; with a session its traceback; with a thread its
---session; with "init" the traceback of the unfinished start function.
---@param what nil|table|integer|thread|"init"
---@return integer|string|nil
function M.task(what)
	if what == nil then
		return core.task_count()
	elseif what == "init" then
		local thread = core.task_starting()
		return thread and debug.traceback(thread)
	end
	local kind = type(what)
	if kind == "table" then
		---@cast what table
		fill(what)
	elseif kind == "thread" then
		for task in waiting_tasks() do
			if task.thread == what then
				return task.session
			end
		end
	else
		for task in waiting_tasks() do
			if task.session == what then
				return describe(task)
			end
		end
		return "No session"
	end
end

---Groups the waiting tasks by where they wait.
---@return table<string, string> map "<count>\tsessions:[a,b,...]\n" to traceback
function M.uniqtask()
	local groups = {}
	for task in waiting_tasks() do
		local trace = describe(task)
		local group = groups[trace]
		if not group then
			group = { count = 0, sessions = {} }
			groups[trace] = group
		end
		group.count = group.count + 1
		if group.count <= MAX_SESSIONS then
			group.sessions[group.count] = task.session
		elseif group.count == MAX_SESSIONS + 2 then
			group.sessions[MAX_SESSIONS + 1] = "..."
		end
	end
	local ret = {}
	for trace, group in pairs(groups) do
		local key = ("%d\tsessions:[%s]\n"):format(group.count, table.concat(group.sessions, ","))
		ret[key] = trace
	end
	return ret
end

---@param thread thread
---@return thread? thread
local function kill(thread)
	local killed, ends = core.task_kill(thread)
	if ends then
		require("skynet").exit()
	end
	return killed and thread or nil
end

---Ends a task that is suspended or has not begun: its to-be-closed variables run, and its
---request gets an error. With the task that starts the service the service ends.
---@param thread thread|string the coroutine, or a pattern that its text matches
---@return thread? thread nothing when there is no such task
function M.killthread(thread)
	if type(thread) == "thread" then
		return kill(thread)
	end
	for _, task in ipairs(core.task_list()) do
		if tostring(task.thread):find(thread) and kill(task.thread) then
			return task.thread
		end
	end
end

return M
