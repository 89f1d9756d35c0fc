---What may be written between client and server: words of a line, names, and what is kept out.
---@class game.text
local text = {}

---Bytes of a line or frame from a client.
text.MAX_SIZE = 512

local NAME_MAX <const> = 16
local PASSWORD_MAX <const> = 64

---The words of a line.
---@param line string
---@return string[]
function text.words(line)
	local words = {}
	for word in line:gmatch "%S+" do
		words[#words + 1] = word
	end
	return words
end

---Names of players and teams: letters, digits and "_", at most 16.
---@param name any
---@return boolean
function text.is_name(name)
	return type(name) == "string" and #name <= NAME_MAX and name:find "^[%w_]+$" ~= nil
end

---@param password any
---@return boolean
function text.is_password(password)
	return type(password) == "string" and #password <= PASSWORD_MAX and #password > 0
end

---What others may be shown: valid UTF-8 without control characters.
---@param line string
---@return boolean
function text.is_printable(line)
	return utf8.len(line) ~= nil and not line:find "%c"
end

return text
