-- Checks pack, packstring and unpack against the vectors of test/vectors/seri.lua. Needs no node:
-- the functions are given by the caller.

local check = {}

local function from_hex(hex)
	return (hex:gsub("..", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

local function to_hex(bytes)
	return (bytes:gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

local function evaluate(text, env)
	return table.pack(assert(load("return " .. text, "=vector", "t", env))())
end

local same

---The value in `t` under a key that equals `key`.
local function find(t, key)
	if type(key) ~= "table" then
		return rawget(t, key)
	end
	for k, v in next, t do
		if same(k, key) then
			return v
		end
	end
end

---Equal all the way down, number types included; NaN equals itself.
function same(a, b)
	if type(a) ~= type(b) or math.type(a) ~= math.type(b) then
		return false
	end
	if type(a) ~= "table" then
		return a == b or a ~= a and b ~= b
	end
	for k, v in next, a do
		local other = find(b, k)
		if other == nil or not same(v, other) then
			return false
		end
	end
	for k in next, b do
		if find(a, k) == nil then
			return false
		end
	end
	return true
end

check.same = same

---Whether two lists from table.pack are equal.
function check.same_list(a, b)
	if a.n ~= b.n then
		return false
	end
	for i = 1, a.n do
		if not same(a[i], b[i]) then
			return false
		end
	end
	return true
end

local function check_bytes(vector, bytes)
	if vector.hex and not vector.loose and to_hex(bytes) ~= vector.hex then
		return "packs to " .. to_hex(bytes)
	end
	if vector.size then
		local head, tail = from_hex(vector.head), from_hex(vector.tail)
		if #bytes ~= vector.size then
			return "packs to " .. #bytes .. " bytes"
		elseif bytes:sub(1, #head) ~= head or bytes:sub(-#tail) ~= tail then
			return "packs to other bytes"
		end
	end
end

---Checks one vector of `packed`. Returns nil, or what is wrong.
function check.packed(vector, env, api)
	local input = evaluate(vector.input, env)
	local ok, bytes = pcall(api.packstring, table.unpack(input, 1, input.n))
	if vector.error then
		if ok then
			return "packs, but should raise"
		end
		return bytes ~= vector.error and "raises " .. tostring(bytes) or nil
	elseif not ok then
		return "raises " .. tostring(bytes)
	end
	local defect = check_bytes(vector, bytes)
	if defect then
		return defect
	end
	local expected = vector.value and evaluate(vector.value, env) or input
	for _, source in ipairs { bytes, vector.hex and from_hex(vector.hex) } do
		local result = table.pack(pcall(api.unpack, source))
		if vector.unpack_error then
			return result[2] ~= vector.unpack_error and "unpacking raises " .. tostring(result[2]) or nil
		end
		if not result[1] then
			return "unpacking raises " .. tostring(result[2])
		end
		if not check.same_list(table.pack(table.unpack(result, 2, result.n)), expected) then
			return "does not come back"
		end
	end
end

---Checks one vector of `foreign`. Returns nil, or what is wrong.
function check.foreign(vector, env, api)
	local result = table.pack(pcall(api.unpack, from_hex(vector.hex)))
	if vector.value then
		if not result[1] then
			return "raises " .. tostring(result[2])
		end
		local values = table.pack(table.unpack(result, 2, result.n))
		return not check.same_list(values, evaluate(vector.value, env)) and "is another value" or nil
	end
	if result[1] then
		return "is accepted"
	end
	local text = vector.error
		or string.format("^Invalid serialize stream %d %%(line:%%d+%%)$", vector.left)
	return not tostring(result[2]):find(text) and "raises " .. tostring(result[2]) or nil
end

return check
