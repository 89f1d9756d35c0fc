---Starts and ends services and knows those that it started. No arguments. Local name: .launcher.
---
---A request to launch is answered when the new service reports: LAUNCHOK after its start function,
---ERROR when that failed, REMOVE when it left. C services report by a text message: empty, or
---`ERROR`.
local skynet = require "skynet"
local core = require "skynet.core"
-- not at its first use: operators look for what is wrong when no file can be opened any more
require "skynet.request"

local TEXT_FAILED <const> = "ERROR"

---Handle to command line, of everything launched here that has not left.
---@type table<integer, string>
local services = {}

---@class launcher.pending
---@field response fun(ok: boolean|"TEST", ...): boolean
---@field session integer  of the request, in the numbers of its sender
---@field source integer  who asked

---Handle to the request that waits for it.
---@type table<integer, launcher.pending>
local pending = {}

---@alias launcher.command
---| "LIST"|"STAT"|"MEM"|"GC"|"KILL"|"LAUNCH"|"LOGLAUNCH"|"REMOVE"|"LAUNCHOK"|"ERROR"|"QUERY"
---Handlers get the source first. What they return is the answer; NO_ANSWER means that there is
---none now.
---@type table<launcher.command, fun(source: integer, ...): any>
local command = {}
local NO_ANSWER <const> = {}

---Answer the request that waits for `handle`, if there is one.
---@param handle integer
---@param ... any  as for a response
local function settle(handle, ...)
	local request = pending[handle]
	if request then
		pending[handle] = nil
		request.response(...)
	end
end

---@param handle integer
---@param reason string?  why it could not start
local function fail(handle, reason)
	services[handle] = nil
	settle(handle, false, reason)
end

---`module arguments...` as the one line that the kernel takes.
---@return string
local function command_line(module, ...)
	local ok, line = pcall(table.concat, { module, ... }, " ", 1, 1 + select("#", ...))
	if ok then
		return line
	end
	local words = table.pack(module, ...)
	for i = 1, words.n do
		local kind = type(words[i])
		if kind ~= "string" and kind ~= "number" then
			error(("launch argument %d is a %s; only strings and numbers can be passed (%s)"):format(
				i - 1, kind, table.concat({ tostring(words[1]), tostring(words[2]) }, " ")))
		end
	end
	error(line)
end

---@param source integer
---@param line string
---@return integer? handle
local function launch(source, line)
	local handle = core.addresscommand("LAUNCH", line)
	if not handle then
		error("launch " .. line .. " failed")
	end
	local session = skynet.context()
	services[handle] = line
	pending[handle] = { response = skynet.response(), session = session, source = source }
	return handle
end

function command.LAUNCH(source, ...)
	launch(source, command_line(...))
	return NO_ANSWER
end

function command.LOGLAUNCH(source, ...)
	local handle = launch(source, command_line(...))
	core.command("LOGON", skynet.address(handle))
	return NO_ANSWER
end

function command.LAUNCHOK(source)
	settle(source, true, source)
	return NO_ANSWER
end

function command.ERROR(source, reason)
	fail(source, reason)
	return NO_ANSWER
end

---address killed: forget a service. Its launch, when still pending, failed (killed) or has no
---address.
function command.REMOVE(_, handle, killed)
	services[handle] = nil
	if killed then
		settle(handle, false)
	else
		settle(handle, true)
	end
	return NO_ANSWER
end

---A service given by number, ":hex" or ".name", nil when there is none by that name.
---@param address integer|string
---@return integer?
local function resolve(address)
	if type(address) == "string" then
		local hex = address:match "^:(%x+)$"
		return hex and tonumber(hex, 16) or skynet.localname(address)
	end
	return math.tointeger(address)
end

function command.KILL(_, address)
	local handle = resolve(address)
	if not handle then
		error(("kill: '%s' is no service"):format(tostring(address)))
	end
	local text = skynet.address(handle)
	core.command("KILL", text)
	local line = services[handle]
	fail(handle)
	return { [text] = line or "nil" }
end

function command.LIST()
	local list = {}
	for handle, line in pairs(services) do
		list[skynet.address(handle)] = line
	end
	return list
end

---Ask every service the same debug command; those that do not answer in time count as TIMEOUT.
---@async
---@param ti integer?  centiseconds, nil or not positive: wait for ever
---@param present fun(answer: any, line: string): any  answer: "ERROR", "TIMEOUT" or the first value
---@param name string
---@return table<string, any>
local function ask_all(ti, present, name)
	local requests, result = skynet.request(), {}
	for handle, line in pairs(services) do
		requests:add { handle, "debug", name }
		result[skynet.address(handle)] = present("TIMEOUT", line)
	end
	ti = tonumber(ti)
	for request, answer in requests:select(ti and ti > 0 and math.ceil(ti) or nil) do
		local handle = request[1]
		local line = services[handle]
		if answer == nil then
			-- killed behind our back: nothing can be sent to it
			fail(handle)
			line = nil
		end
		if line then
			result[skynet.address(handle)] = present(answer and answer[1] or "ERROR", line)
		else
			result[skynet.address(handle)] = nil
		end
	end
	return result
end

function command.STAT(_, ti)
	return ask_all(ti, function(answer)
		return answer
	end, "STAT")
end

---@param answer any
---@param line string
---@return string
local function present_memory(answer, line)
	if type(answer) == "number" then
		return ("%.2f Kb (%s)"):format(answer, line)
	end
	return ("%s (%s)"):format(answer, line)
end

function command.MEM(_, ti)
	return ask_all(ti, present_memory, "MEM")
end

function command.GC(source, ti)
	for handle in pairs(services) do
		skynet.send(handle, "debug", "GC")
	end
	return command.MEM(source, ti)
end

---session: the service that is being started for the request with this number, of the asking
---service or, when that has none, of any.
function command.QUERY(source, session)
	local other
	for handle, request in pairs(pending) do
		if request.session == session then
			if request.source == source then
				return handle
			end
			other = handle
		end
	end
	return other
end

---@param session integer
---@param ... any
local function answer(session, ...)
	if session ~= 0 and (...) ~= NO_ANSWER then
		skynet.retpack(...)
	end
end

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	unpack = skynet.tostring,
	dispatch = function(_, source, text)
		if not text or text == "" then
			settle(source, true, source)
		elseif text == TEXT_FAILED then
			fail(source, ("the log says why '%s' cannot be loaded"):format(services[source]))
		else
			error(("text '%s' from %s is no report"):format(text, skynet.address(source)))
		end
	end,
}

skynet.dispatch("lua", function(session, source, name, ...)
	local f = command[name] or type(name) == "string" and command[name:upper()]
	if f then
		answer(session, f(source, ...))
	else
		skynet.retpack { "Unknown command" }
	end
end)

skynet.start(function() end)
