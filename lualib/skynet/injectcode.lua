-- Evaluates source as if it stood in a function that is stopped: its locals and upvalues can be
-- read and assigned by name. For the debugger.

---Finds the variables that are in scope at `level` of `co`; inner ones hide outer ones.
local function scope(co, level)
	local info = debug.getinfo(co, level, "fu")
	local func = info.func
	---@type table<string, { get: (fun(): any), set: fun(value: any) }>
	local variables = {}
	for i = 1, math.huge do
		local name = debug.getupvalue(func, i)
		if not name then
			break
		end
		variables[name] = {
			get = function()
				return (select(2, debug.getupvalue(func, i)))
			end,
			set = function(value)
				debug.setupvalue(func, i, value)
			end,
		}
	end
	for i = 1, math.huge do
		local name = debug.getlocal(co, level, i)
		if not name then
			break
		end
		-- stopped before its first instruction, a function has its parameters, but not yet their names
		if i <= info.nparams then
			name = debug.getlocal(func, i)
		end
		variables[name] = {
			get = function()
				return (select(2, debug.getlocal(co, level, i)))
			end,
			set = function(value)
				debug.setlocal(co, level, i, value)
			end,
		}
	end
	return variables
end

local function varargs(co, level)
	local values = { n = 0 }
	for i = 1, math.huge do
		local name, value = debug.getlocal(co, level, -i)
		if not name then
			return values
		end
		values[i], values.n = value, i
	end
end

---@param source string an expression list, or statements
---@param co thread a suspended coroutine
---@param level integer in its stack
---@param extra table<string, any>? names that are known besides
---@return boolean ok
---@return any ... results, or the error message
return function(source, co, level, extra)
	local variables = scope(co, level)
	local globals = variables._ENV and variables._ENV.get() or _G
	local env = setmetatable({}, {
		__index = function(_, name)
			local variable = variables[name]
			if variable then
				return variable.get()
			elseif extra and extra[name] ~= nil then
				return extra[name]
			end
			return globals[name]
		end,
		__newindex = function(_, name, value)
			if variables[name] then
				variables[name].set(value)
			else
				globals[name] = value
			end
		end,
	})
	local func, message = load("return " .. source, "=(debug)", "t", env)
	if not func then
		func, message = load(source, "=(debug)", "t", env)
	end
	if not func then
		return false, message
	end
	local values = varargs(co, level)
	return pcall(func, table.unpack(values, 1, values.n))
end
