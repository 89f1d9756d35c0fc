---Texts for fuzzers inside a node: those of a corpus, and changes of them. math.random decides, so
---a seed repeats a run.
local mutations = {}

local CHANGES_MAX <const> = 6

---The texts in a folder.
---@param folder string
---@return string[]
function mutations.corpus(folder)
	local texts = {}
	local names <close> = assert(io.popen("ls " .. folder))
	for name in names:lines() do
		local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
		texts[#texts + 1] = file:read "a"
	end
	return texts
end

---@param text string
---@param at integer
---@return string head  of `at` bytes
---@return string tail
function mutations.cut(text, at)
	return text:sub(1, at), text:sub(at + 1)
end

---One change: bytes go, come, change, are doubled or come from another text.
local function changed(text, other, words)
	local head, tail = mutations.cut(text, math.random(0, #text))
	local what = math.random(6)
	if what == 1 then
		return head .. tail:sub(math.random(1, 20))
	elseif what == 2 then
		return head .. words[math.random(#words)] .. tail
	elseif what == 3 then
		return head .. string.char(math.random(0, 255)) .. tail:sub(2)
	elseif what == 4 then
		return head .. tail:sub(1, math.random(100)) .. tail
	elseif what == 5 then
		return head .. other:sub(math.random(#other + 1))
	end
	return tail .. head
end

---One of the texts, changed a few times.
---@param texts string[]
---@param words string[]  what gets past the first checks
---@param size_max integer
---@return string
function mutations.of(texts, words, size_max)
	local text = texts[math.random(#texts)]
	for _ = 1, math.random(0, CHANGES_MAX) do
		text = changed(text, texts[math.random(#texts)], words)
	end
	return text:sub(1, size_max)
end

---@param text string
---@return string
function mutations.hexadecimal(text)
	return (text:gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end))
end

return mutations
