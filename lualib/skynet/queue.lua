-- A critical section for the tasks of one service:
--     local lock = queue()
--     lock(f, ...)    -- runs f(...) when no other task is inside; returns what it returns

local skynet = require "skynet"

local running <const> = coroutine.running
local traceback <const> = debug.traceback

---Adds where an error came from, unless it is an object.
local function describe(err)
	if type(err) == "string" then
		return traceback(err, 2)
	end
	return err
end

---A new lock, as a function that runs its argument exclusively: tasks enter in the order in
---which they came; the one inside may enter again. An error of `f` is raised again, with its
---traceback.
---@return async fun(f: function, ...: any): ...: any
local function queue()
	local owner ---@type thread?
	local depth = 0
	local waiting = {} ---@type table[]
	local first, last = 1, 0

	---Lets the next one in, also when the task inside is killed.
	local leave = setmetatable({}, {
		__close = function()
			depth = depth - 1
			if depth > 0 then
				return
			end
			owner = nil
			while first <= last do
				local ticket = waiting[first]
				waiting[first] = nil
				first = first + 1
				if not ticket.gone then
					owner, depth = ticket.thread, 1
					ticket.inside = true
					skynet.wakeup(ticket)
					return
				end
			end
		end,
	})

	---Closes a ticket of a task that was killed while it waited.
	local ticket_meta = {
		__close = function(ticket)
			if not ticket.done then
				ticket.gone = true
				if ticket.inside then
					local _ <close> = leave -- it had been let in, but did not run yet
				end
			end
		end,
	}

	---@async
	local function wait_for_turn(thread)
		local ticket <close> = setmetatable({ thread = thread }, ticket_meta)
		last = last + 1
		waiting[last] = ticket
		repeat
			skynet.wait(ticket)
		until ticket.inside
		ticket.done = true
	end

	local function finish(ok, ...)
		if not ok then
			error((...), 0)
		end
		return ...
	end

	return function(f, ...)
		local thread = running()
		if owner == thread then
			depth = depth + 1
		elseif owner then
			wait_for_turn(thread)
		else
			owner, depth = thread, 1
		end
		local _ <close> = leave
		return finish(xpcall(f, describe, ...))
	end
end

return queue
