-- What few services need: C services, ending others, names, and taking messages before the
-- dispatcher. Adds its functions to `skynet` and returns it.
-- luacheck: max comment line length 180

local core = require "skynet.core"
local skynet = require "skynet"

local GLOBAL_NAME_MAX <const> = 15

---Raises an error in the caller of a public function.
local function check_type(name, index, wanted, value)
	if type(value) ~= wanted then
		error(("bad argument #%d to '%s' (%s expected, got %s)"):format(index, name, wanted,
			type(value)), 3)
	end
end

---Starts a C service; the arguments are joined by spaces.
---@param module string
---@param ... string|number
---@return integer? address nothing when it did not start
function skynet.launch(module, ...)
	return core.addresscommand("LAUNCH", table.concat({ module, ... }, " "))
end

---Ends a service now, without running its stop hooks or closing its tasks; see skynet.exit for the
---orderly way. Callers that wait for its answers get the error that it is dead.
---@param addr integer|string handle, ":hex" or ".name"; nothing happens when nobody has it
function skynet.kill(addr)
	local handle = math.tointeger(addr)
	if not handle and type(addr) ~= "string" then
		error("bad argument #1 to 'kill' (address expected, got " .. type(addr) .. ")", 2)
	elseif type(addr) == "string" then
		local hex = addr:match "^:(%x+)$"
		handle = hex and tonumber(hex, 16) or core.addresscommand("QUERY", addr)
	end
	if handle then
		skynet.send(".launcher", "lua", "REMOVE", handle, true)
		addr = skynet.address(handle)
	end
	core.command("KILL", addr)
end

---Ends the node now, without telling anybody.
---@param code integer? exit status of the process, 0 by default
---@param reason string? printed on stderr when the status is not 0
function skynet.abort(code, reason)
	local param
	if code then
		param = reason and ("%d %s"):format(code, reason) or tostring(code)
	end
	core.command("ABORT", param)
end

---Tells the harbor about a global name. True when `name` is one.
local function register_global(name, handle)
	if name:sub(1, 1) == "." then
		return false
	end
	assert(#name <= GLOBAL_NAME_MAX and name:sub(1, 1) ~= ":" and not tonumber(name),
		"not a global name")
	require "skynet.harbor".globalname(name, handle)
	return true
end

---Gives this service a name: ".local", or a global one of at most 15 bytes.
---@param name string
function skynet.register(name)
	if not register_global(name, skynet.self()) then
		core.command("REG", name)
	end
end

---Gives a service a name, as skynet.register.
---@param name string
---@param handle integer
function skynet.name(name, handle)
	if math.type(handle) ~= "integer" and type(handle) ~= "string" then
		error("bad argument #2 to 'name' (address expected, got " .. type(handle) .. ")", 2)
	end
	if not register_global(name, handle) then
		core.command("NAME", name .. " " .. skynet.address(handle))
	end
end

---Runs the start function as skynet.start does.
local function start_soon(start)
	skynet.timeout(0, function()
		skynet.init_service(start)
	end)
end

---Instead of skynet.start: messages of the types in `map` are handled as the type that they are
---mapped to, and their memory is not freed: the handler passes it on or trashes it.
---@param map table<integer, integer>
---@param start fun()
function skynet.forward_type(map, start)
	check_type("forward_type", 1, "table", map)
	check_type("forward_type", 2, "function", start)
	core.callback(function(ptype, msg, size, ...)
		local other = map[ptype]
		if other then
			skynet.dispatch_message(other, msg, size, ...)
		else
			local ok, err = pcall(skynet.dispatch_message, ptype, msg, size, ...)
			core.trash(msg, size)
			if not ok then
				error(err, 0)
			end
		end
	end, true)
	start_soon(start)
end

---Instead of skynet.start: every message goes through `filter(type, msg, size, session,
---source)`, which returns these five, changed or not.
---@param filter fun(type: integer, msg: lightuserdata, size: integer, session: integer, source: integer): integer, lightuserdata, integer, integer, integer
---@param start fun()
function skynet.filter(filter, start)
	check_type("filter", 1, "function", filter)
	check_type("filter", 2, "function", start)
	core.callback(function(...)
		skynet.dispatch_message(filter(...))
	end)
	start_soon(start)
end

---Makes a unique service of the network the monitor of this node: it is sent PTYPE_CLIENT, with
---the dead service as source, whenever one ends.
---@async
---@param service string its name
---@param query boolean? only look for it, do not start it
---@return integer address
function skynet.monitor(service, query)
	local monitor
	if query then
		monitor = skynet.queryservice(true, service)
	else
		monitor = skynet.uniqueservice(true, service)
	end
	assert(monitor, "monitor launch failed")
	core.command("MONITOR", skynet.address(monitor))
	return monitor
end

return skynet
