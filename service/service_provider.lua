---Makes and finds the services of `skynet.service`: one function each, one per name. No arguments.
---Unique service of a node, launched at first use.
---
---A name is queried, booting, ready or failed. A failure is permanent; a service that ends is
---forgotten.
local skynet = require "skynet"
require "skynet.manager"

local CELL <const> = "service_cell"
---How long a cell may take to say how it is, in centiseconds.
local PATIENCE <const> = 300

---@enum service_provider.state
local STATE <const> = {
	QUERIED = "queried",
	BOOTING = "booting",
	READY = "ready",
	FAILED = "error",
}

---@class service_provider.entry
---@field state service_provider.state
---@field address integer?
---@field error string?
---@field init string?  where the function was written
---@field time number?  when it was asked for, seconds since the epoch
---@field waiters (fun(ok: boolean|"TEST", ...): boolean)[]

---@type table<string, service_provider.entry>
local entries = {}

---@param name string
---@return service_provider.entry
local function entry_of(name)
	local entry = entries[name]
	if not entry then
		entry = { state = STATE.QUERIED, waiters = {} }
		entries[name] = entry
	end
	return entry
end

---@param entry service_provider.entry
local function answer_waiters(entry, ...)
	local waiters = entry.waiters
	entry.waiters = {}
	for _, response in ipairs(waiters) do
		response(...)
	end
end

---@param name string
---@param entry service_provider.entry
local function forget(name, entry)
	if entries[name] == entry then
		entries[name] = nil
	end
end

---@async
local function watch(name, entry)
	pcall(skynet.call_forever, entry.address, "debug", "LINK")
	forget(name, entry)
end

---Forget a service that was killed without having been able to say so.
---@param name string
---@return service_provider.entry
local function current(name)
	if type(name) ~= "string" then
		error("the name of a service is a string, not a " .. type(name))
	end
	local entry = entry_of(name)
	if entry.state == STATE.READY and not skynet.send(entry.address, "debug", "PING") then
		forget(name, entry)
		-- being killed, it has not answered the request of `watch`
		skynet.term(entry.address)
		entry = entry_of(name)
	end
	return entry
end

---@param code string
---@return string place
local function place_of(code)
	local func = load(code, "=service", "b", {})
	if not func then
		error "the code of the service cannot be loaded"
	end
	local info = debug.getinfo(func, "S")
	return ("%s:%d"):format(info.short_src, info.linedefined)
end

---@async
---@return integer address
local function boot(name, code, ...)
	local address = skynet.newservice(CELL, name)
	local ok, err = pcall(skynet.call_forever, address, "lua", "init", code, ...)
	if not ok then
		skynet.kill(address)
		error(err, 0)
	end
	return address
end

---@alias service_provider.command "query"|"launch"|"test"|"close"
---Handlers answer the request themselves.
---@type table<service_provider.command, fun(name: string, ...)>
local command = {}

---name: the address; waits until somebody launches it.
function command.query(name)
	local entry = current(name)
	if entry.state == STATE.READY then
		skynet.retpack(entry.address)
	elseif entry.state == STATE.FAILED then
		error(entry.error)
	else
		table.insert(entry.waiters, skynet.response())
	end
end

---name code ...: the address, after the function has run in a new cell, unless somebody was first.
function command.launch(name, code, ...)
	local entry = current(name)
	if entry.state ~= STATE.QUERIED then
		return command.query(name)
	end
	entry.init = place_of(code)
	entry.time = skynet.time()
	entry.state = STATE.BOOTING
	local ok, result = pcall(boot, name, code, ...)
	if not ok then
		entry.state, entry.error = STATE.FAILED, tostring(result)
		answer_waiters(entry, false)
		error(entry.error)
	end
	entry.state, entry.address = STATE.READY, result
	skynet.fork(watch, name, entry)
	answer_waiters(entry, true, result)
	skynet.retpack(result)
end

---name: the address; nil, true while it is starting; nothing when nobody asked for it; an error
---when it failed.
function command.test(name)
	local entry = current(name)
	if entry.state == STATE.READY then
		skynet.retpack(entry.address)
	elseif entry.state == STATE.FAILED then
		error(entry.error)
	elseif entry.state == STATE.BOOTING then
		skynet.retpack(nil, true)
	else
		if #entry.waiters == 0 then
			forget(name, entry)
		end
		skynet.ret()
	end
end

---name: ends it. Answers whether there was one to end. Who waits for the name goes on waiting.
function command.close(name)
	local entry = entries[name]
	if not entry or entry.state ~= STATE.READY then
		skynet.retpack(false)
		return
	end
	forget(name, entry)
	skynet.kill(entry.address)
	skynet.term(entry.address)
	skynet.retpack(true)
end

---@async
---@param entry service_provider.entry
---@return any status
local function status_of(entry)
	if entry.state == STATE.FAILED then
		return STATE.FAILED .. ":" .. entry.error
	elseif entry.state ~= STATE.READY then
		return entry.state
	end
	local request, status = skynet.request { entry.address, "debug", "INFO" }, "timeout"
	for _, answer in request:select(PATIENCE) do
		status = answer and answer[1] or entry.state
	end
	return status
end

---For the debug command INFO: address, or name while there is none, to what is known.
---@async
skynet.info_func(function()
	local known, info = {}, {}
	for name, entry in pairs(entries) do
		known[name] = entry
	end
	for name, entry in pairs(known) do
		info[entry.address and skynet.address(entry.address) or name] = {
			init = entry.init,
			name = name,
			time = entry.time and os.date("%Y-%m-%d %H:%M:%S", math.floor(entry.time)),
			status = status_of(entry),
		}
	end
	return info
end)

skynet.start(function()
	skynet.dispatch("lua", function(_, _, request, ...)
		local f = command[request]
		if not f then
			error(("unknown command '%s'"):format(tostring(request)))
		end
		f(...)
	end)
end)
