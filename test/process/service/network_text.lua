---The text of a message of a network test: other bytes for each stream, number and size.
---@param key string
---@param number integer
---@param size integer
---@return string
local function stream_text(key, number, size)
	local unit = ("%s:%d:%d;"):format(key, number, size)
	return unit:rep(size // #unit + 1):sub(1, size)
end

return stream_text
