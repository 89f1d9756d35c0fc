---Services made of one function, at most one per name and node.
---@class skynet.service
local service = {}

local skynet = require "skynet"

local PROVIDER <const> = "service_provider"

---Name to address of the services found so far.
local found = {}
local provider

---@async
---@return integer address
local function find_provider()
	provider = provider or skynet.uniqueservice(PROVIDER)
	return provider
end

---The function travels as byte code, so it can bring nothing along but the global table.
---@param func function
---@param level integer  where to blame the caller
---@return string code
local function serialise(func, level)
	local first, second = debug.getupvalue(func, 1), debug.getupvalue(func, 2)
	local foreign = first ~= "_ENV" and first or second
	if foreign then
		error(("the function uses the outer variable '%s'; pass it as an argument"):format(foreign),
			level + 1)
	end
	return string.dump(func)
end

---Get the service `name`, made of `func` when it is not there yet.
---
---`func` runs in a service of its own with the further arguments. It may use globals and
---`require`, but no variable of the function around it.
---@async
---@param name string
---@param func function
---@param ... any  values that can be packed
---@return integer address
function service.new(name, func, ...)
	if type(name) ~= "string" then
		error("bad argument #1 to 'new' (string expected, got " .. type(name) .. ")", 2)
	end
	if type(func) ~= "function" then
		error("bad argument #2 to 'new' (function expected, got " .. type(func) .. ")", 2)
	end
	local code = serialise(func, 2)
	local home = find_provider()
	local address, booting = skynet.call(home, "lua", "test", name)
	if not address then
		if booting then
			address = skynet.call_forever(home, "lua", "query", name)
		else
			address = skynet.call_forever(home, "lua", "launch", name, code, ...)
		end
	end
	found[name] = address
	return address
end

---The address of the service `name`; waits until somebody makes it.
---@async
---@param name string
---@return integer address
function service.query(name)
	local address = found[name]
	if not address then
		address = skynet.call_forever(find_provider(), "lua", "query", name)
		found[name] = address
	end
	return address
end

---End the service `name`.
---@async
---@param name string
---@return boolean closed  false when there is none, or when it is still starting
function service.close(name)
	if type(name) ~= "string" then
		error("bad argument #1 to 'close' (string expected, got " .. type(name) .. ")", 2)
	end
	found[name] = nil
	return skynet.call(find_provider(), "lua", "close", name)
end

return service
