-- Runs foreign source inside this service, for the debug command RUN: `_U` and `_P` let it reach
-- the tables that the service keeps in upvalues, `print` goes to the one who asked.

---Puts the table upvalues of `func`, and of the Lua functions in them, into `into`.
---@param into table<string, table>
---@param func function
---@param seen table<function, true>
local function collect(into, func, seen)
	if seen[func] then
		return
	end
	seen[func] = true
	for i = 1, math.huge do
		local name, value = debug.getupvalue(func, i)
		if not name then
			break
		end
		if type(value) == "table" and name ~= "_ENV" and name ~= "" then
			into[name] = value
		elseif type(value) == "function" then
			collect(into, value, seen)
		end
	end
end

---@param skynet table the module
---@param source string
---@param filename string? for the chunk name
---@param args table? from table.pack
---@param ... function functions whose table upvalues make up `_U`
---@return boolean ok
---@return string output what was printed, and the error message
return function(skynet, source, filename, args, ...)
	local output = {}

	local upvalues = {}
	local seen = {}
	for i = 1, select("#", ...) do
		local func = select(i, ...)
		if type(func) == "function" then
			collect(upvalues, func, seen)
		end
	end

	local protocols = {}
	for name, protocol in pairs(rawget(skynet, "_proto") or skynet._proto or upvalues.proto or {}) do
		if type(name) == "string" and type(protocol.dispatch) == "function" then
			protocols[name] = {}
			collect(protocols[name], protocol.dispatch, {})
		end
	end

	local env = setmetatable({
		_U = upvalues,
		_P = protocols,
		print = function(...)
			local words = table.pack(...)
			for i = 1, words.n do
				words[i] = tostring(words[i])
			end
			output[#output + 1] = table.concat(words, "\t")
		end,
	}, { __index = _G })

	local chunkname = filename and "@" .. filename or "=(load)"
	local func, message = load(source, chunkname, "bt", env)
	if not func then
		return false, tostring(message)
	end
	args = args or {}
	local ok, result = xpcall(func, debug.traceback, table.unpack(args, 1, args.n or #args))
	if not ok then
		output[#output + 1] = tostring(result)
	end
	return ok, table.concat(output, "\n")
end
