---How results of commands look on a console: one line per key, in order.
---@class skynet.console.output
local output = {}

---@param t table
---@return { text: string, value: any }[]  sorted by the text of the key
local function sorted(t)
	local list = {}
	for key, value in pairs(t) do
		list[#list + 1] = { text = tostring(key), value = value }
	end
	table.sort(list, function(a, b)
		return a.text < b.text
	end)
	return list
end

---A table as one line: `k:v` pairs in the order of their keys, with tabs between them.
---@param t table
---@return string
function output.flatten(t)
	local pieces = {}
	for i, entry in ipairs(sorted(t)) do
		pieces[i] = entry.text .. ":" .. tostring(entry.value)
	end
	return table.concat(pieces, "\t")
end

---Write a result: nothing for nil, a line per key for a table, else its text.
---@param result any
---@param write fun(line: string)
function output.write(result, write)
	if type(result) ~= "table" then
		if result ~= nil then
			write(tostring(result))
		end
		return
	end
	for _, entry in ipairs(sorted(result)) do
		local value = entry.value
		write(entry.text .. "\t" .. (type(value) == "table" and output.flatten(value) or tostring(value)))
	end
end

---A byte count: as it is, or in K or M with up to three digits.
---@param size number
---@return string
function output.size(size)
	if size < 1024 then
		return ("%d"):format(size)
	elseif size < 1024 * 1024 then
		return ("%.1fK"):format(size / 1024)
	end
	return ("%.1fM"):format(size / (1024 * 1024))
end

---How long ago something was: `1.5s`, `m:s` or `h:m:s`.
---@param age integer  centiseconds
---@return string
function output.age(age)
	local seconds = age // 100
	if seconds < 60 then
		return ("%.1fs"):format(age / 100)
	end
	local minutes = seconds // 60
	if minutes < 60 then
		return ("%d:%02d"):format(minutes, seconds % 60)
	end
	return ("%d:%02d:%02d"):format(minutes // 60, minutes % 60, seconds % 60)
end

return output
