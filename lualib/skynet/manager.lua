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

---True for a local name, false for a global one. Raises in the caller of a public function when it
---is neither.
---@param name string
---@return boolean
local function is_local(name)
	local first = name:sub(1, 1)
	if first == "." and #name > 1 then
		return true
	elseif first == "" or first == "." or first == ":" or tonumber(name)
		or #name > GLOBAL_NAME_MAX then
		error(("'%s' is not a global name, which has 1 to %d bytes, no '.' or ':' in front, "
			.. "and is no number"):format(name, GLOBAL_NAME_MAX), 3)
	end
	return false
end

---Logs that a service did not get a local name, of which nobody else would tell.
---@param name string
---@param handle integer
local function check_owner(name, handle)
	local owner = skynet.localname(name)
	if owner ~= handle then
		skynet.error(("error: %s does not get the local name '%s': it %s"):format(
			skynet.address(handle), name,
			owner and "belongs to " .. skynet.address(owner) or "has blanks"))
	end
end

---The handle of a service.
---@param addr integer|string  handle or ":hex"
---@return integer? handle  nil when it is none
local function handle_of(addr)
	local hex = type(addr) == "string" and addr:match "^:(%x+)$"
	return hex and tonumber(hex, 16) or math.tointeger(addr)
end

---Gives this service a name: ".local", or a global one of at most 15 bytes.
---@param name string
function skynet.register(name)
	check_type("register", 1, "string", name)
	if is_local(name) then
		core.command("REG", name)
		check_owner(name, skynet.self())
	else
		require "skynet.harbor".globalname(name)
	end
end

---Gives a service a name, as skynet.register.
---@param name string
---@param handle integer|string handle or ":hex"
function skynet.name(name, handle)
	check_type("name", 1, "string", name)
	local number = handle_of(handle)
	if is_local(name) and number then
		core.command("NAME", name .. " " .. skynet.address(number))
		check_owner(name, number)
	elseif number then
		require "skynet.harbor".globalname(name, number)
	else
		error(("bad argument #2 to 'name' (address expected, got %s)"):format(
			type(handle) == "string" and handle or type(handle)), 2)
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
