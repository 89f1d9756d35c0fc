-- The debugger inside the service that is debugged. Lines arrive through a channel and are
-- evaluated here; the answers go straight to the console's socket. `watch` stops the task of a
-- request: only that task waits, in a hook that suspends it, while the service goes on with other
-- messages.

local skynet = require "skynet"
local channel = require "skynet.debugchannel"
local driver = require "skynet.socketdriver"
local injectcode = require "skynet.injectcode"

local M = {}

local POLL_CS <const> = 10
local LEAVE <const> = "cont"
-- inside the hook, this is the function that is being debugged
local HOOKED_LEVEL <const> = 2
-- in the stack of a task that a hook has suspended
local STOPPED_LEVEL <const> = 0

---@class skynet.remotedebug.session
---@field fd integer socket of the console
---@field reader table end of the channel
---@field stopped thread? the task that waits in its hook
---@field prompt string
---@field watched table<string, function> protocol -> its own dispatch function
---@field hooked table<thread, true>

---@type skynet.remotedebug.session?
local session

---No line of this file is worth a stop: the way to the handler leads over some.
local OWN_SOURCE <const> = debug.getinfo(1, "S").short_src

local function write(text)
	driver.send(session.fd, text)
end

local function print_values(...)
	local words = table.pack(...)
	for i = 1, words.n do
		words[i] = tostring(words[i]) .. "\t"
	end
	write(table.concat(words) .. "\n")
end

local function show_prompt()
	write(session.prompt)
end

---Makes `co` stop: at the next line, or at the next one not deeper than `depth_limit`.
local function set_step(co, over)
	local depth = 0
	channel.sethook(co, function(event, line)
		if event == "line" then
			if over and depth > 0 then
				return false
			end
			local source = debug.getinfo(HOOKED_LEVEL, "S").short_src
			if source == OWN_SOURCE then
				return false
			end
			session.stopped = co
			session.prompt = string.format("%s(%d)>", source, line)
			channel.sethook(co, nil)
			show_prompt()
			return true
		elseif event == "call" then
			depth = depth + 1
		elseif event == "return" then
			depth = depth - 1
		end
	end, "crl")
end

local function clear_step(co)
	channel.sethook(co, nil)
	session.hooked[co] = nil
end

local function continue(step)
	local co = session.stopped
	session.stopped = nil
	session.prompt = session.own_prompt
	if step then
		set_step(co, step == "n")
	else
		clear_step(co)
	end
	channel.wakeup(co)
end

---Stops the next request of a protocol that `condition`, given its values, accepts.
local function watch(protocol, condition)
	assert(type(protocol) == "string", "the name of a protocol is needed")
	assert(not session.watched[protocol], "this protocol is watched already")
	local own = skynet.dispatch(protocol)
	assert(own, "this protocol has no dispatch function")
	session.watched[protocol] = own
	skynet.dispatch(protocol, function(...)
		if condition and not condition(select(3, ...)) then
			return own(...)
		end
		skynet.dispatch(protocol, own)
		session.watched[protocol] = nil
		local co = coroutine.running()
		session.hooked[co] = true
		-- luacheck: ignore 211
		local _closing <close> = setmetatable({}, {
			__close = function()
				if session then
					clear_step(co)
				end
			end,
		})
		set_step(co, false)
		local results = table.pack(own(...))
		return table.unpack(results, 1, results.n)
	end)
end

---What the operator may call by name.
local function environment()
	return setmetatable({ print = print_values, watch = watch, _CO = session.stopped }, {
		__index = _G,
		__newindex = _G,
	})
end

local function evaluate_here(line, env)
	local func, message = load("return " .. line, "=(debug)", "t", env)
	if not func then
		func, message = load(line, "=(debug)", "t", env)
	end
	if not func then
		return false, message
	end
	return xpcall(func, debug.traceback)
end

local function execute(line)
	local env = environment()
	local results
	if session.stopped then
		if line == "s" or line == "n" then
			return continue(line)
		elseif line == "c" then
			continue()
			return show_prompt()
		end
		results = table.pack(injectcode(line, session.stopped, STOPPED_LEVEL, env))
	else
		results = table.pack(evaluate_here(line, env))
	end
	if not results[1] then
		write(tostring(results[2]) .. "\n")
	elseif results.n > 1 then
		print_values(table.unpack(results, 2, results.n))
	end
	show_prompt()
end

---Reads and evaluates lines until the operator leaves.
---@async
local function serve()
	while true do
		local line = session.reader:read()
		if not line then
			skynet.sleep(POLL_CS)
		else
			line = line:match "^%s*(.-)%s*$"
			if line == LEAVE then
				return
			end
			if line == "" then
				show_prompt()
			else
				execute(line)
			end
		end
	end
end

---Lets everything go on as before.
local function leave()
	for protocol, own in pairs(session.watched) do
		skynet.dispatch(protocol, own)
	end
	if session.stopped then
		continue()
	end
	for co in pairs(session.hooked) do
		channel.sethook(co, nil)
	end
	session = nil
	skynet.error "Leave debug mode"
end

---Serves one debug session; returns true at its end.
---@async
---@param _export table what skynet.debug offers
---@param fd integer socket of the console
---@param handle lightuserdata of the channel
---@return boolean
function M.start(_export, fd, handle)
	if session then
		error "Remote debugger exists"
	end
	local prompt = string.format(":%08x>", skynet.self())
	session = {
		fd = fd,
		reader = channel.connect(handle),
		prompt = prompt,
		own_prompt = prompt,
		watched = {},
		hooked = {},
	}
	skynet.error "Enter debug mode"
	show_prompt()
	local ok, message = xpcall(serve, debug.traceback)
	leave()
	if not ok then
		error(message, 0)
	end
	return true
end

return M
