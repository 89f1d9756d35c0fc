-- Questions to name servers and their answers as bytes (RFC 1035, RFC 3596). The ground of
-- skynet.dns. An answer is a stranger's: nothing in it is followed or counted beyond its bytes.
---@class skynet.dns_packet
local M = {}

M.TYPE_A = 1
M.TYPE_AAAA = 28

local TYPE_CNAME <const> = 5
local CLASS_IN <const> = 1
local HEADER_SIZE <const> = 12
local FLAG_RESPONSE <const> = 0x8000
local FLAG_RECURSION_DESIRED <const> = 0x0100
local OPCODE_MASK <const> = 0x7800
local RCODE_MASK <const> = 0x000f
local RCODE_NAME_ERROR <const> = 3
local POINTER <const> = 0xc0
local NAME_MAX <const> = 255
local LABEL_MAX <const> = 63
local ALIAS_MAX <const> = 16
local POINTERS_MAX <const> = 32 -- in one name: more would only cost time

---@param id integer
---@param name string lower case, checked
---@param qtype integer
---@return string
function M.question(id, name, qtype)
	local labels = {}
	for label in name:gmatch "[^.]+" do
		labels[#labels + 1] = string.pack("s1", label)
	end
	return string.pack(">I2I2I2I2I2I2", id, FLAG_RECURSION_DESIRED, 1, 0, 0, 0)
		.. table.concat(labels) .. "\0"
		.. string.pack(">I2I2", qtype, CLASS_IN)
end

-- The name at `at`, in lower case, and what is behind it; nil when it is malformed. A pointer may
-- only lead to the front of where it was found, so it can't go round in circles.
local function read_name(packet, at)
	local labels = {}
	local size = 0
	local behind
	local limit = at
	local pointers = 0
	while true do
		local length = packet:byte(at)
		if length == nil then
			return nil
		elseif length == 0 then
			return table.concat(labels, "."):lower(), behind or at + 1
		elseif length <= LABEL_MAX then
			size = size + length + 1
			if size > NAME_MAX or at + length > #packet then
				return nil
			end
			labels[#labels + 1] = packet:sub(at + 1, at + length)
			at = at + length + 1
		elseif length >= POINTER and at < #packet then
			local target = ((length & 0x3f) << 8 | packet:byte(at + 1)) + 1
			pointers = pointers + 1
			if target >= limit or pointers > POINTERS_MAX then
				return nil
			end
			behind = behind or at + 2
			limit = target
			at = target
		else
			return nil
		end
	end
end

-- One record: owner, type, class, ttl, where its data begins, and what is behind it.
local function read_record(packet, at)
	local owner, behind = read_name(packet, at)
	if owner == nil or behind + 9 > #packet then
		return nil
	end
	local rtype, class, ttl, size, data = string.unpack(">I2I2I4I2", packet, behind)
	if data + size - 1 > #packet then
		return nil
	end
	return {
		owner = owner,
		type = rtype,
		class = class,
		ttl = ttl,
		data = data,
		size = size,
	}, data + size
end

local function address_text(packet, record)
	if record.type == M.TYPE_A and record.size == 4 then
		return string.format("%d.%d.%d.%d", packet:byte(record.data, record.data + 3))
	elseif record.type == M.TYPE_AAAA and record.size == 16 then
		return string.format("%x:%x:%x:%x:%x:%x:%x:%x",
			string.unpack(">I2I2I2I2I2I2I2I2", packet, record.data))
	end
end

-- The names that `name` leads to through aliases, itself included, as a set.
local function follow_aliases(aliases, name)
	local names = {}
	for _ = 1, ALIAS_MAX do
		names[name] = true
		name = aliases[name]
		if name == nil or names[name] then
			break
		end
	end
	return names
end

-- Whether `packet` answers the question. Gives flags, count of answers and where they begin.
local function read_question(packet, id, name, qtype)
	if #packet < HEADER_SIZE then
		return nil
	end
	local got_id, flags, questions, answers = string.unpack(">I2I2I2I2", packet)
	if got_id ~= id or questions ~= 1 or flags & FLAG_RESPONSE == 0 or flags & OPCODE_MASK ~= 0 then
		return nil
	end
	local got_name, behind = read_name(packet, HEADER_SIZE + 1)
	if got_name ~= name or behind + 3 > #packet then
		return nil
	end
	local got_type, class, at = string.unpack(">I2I2", packet, behind)
	if got_type ~= qtype or class ~= CLASS_IN then
		return nil
	end
	return flags, answers, at
end

local function read_answers(packet, count, at, qtype)
	local records = {}
	local aliases = {}
	for _ = 1, count do
		local record
		record, at = read_record(packet, at)
		if record == nil then
			-- Cut short or malformed: what was before it counts.
			break
		end
		if record.class == CLASS_IN and record.type == TYPE_CNAME then
			aliases[record.owner] = read_name(packet, record.data)
		elseif record.class == CLASS_IN and record.type == qtype then
			records[#records + 1] = record
		end
	end
	return records, aliases
end

---@class skynet.dns_packet.answer
---@field addresses string[] empty: there are none
---@field ttl integer seconds
---@field failed boolean the server could not tell; another one may

---What `packet` says to the question, nil when it is no answer to it at all.
---@param packet string
---@param id integer
---@param name string
---@param qtype integer
---@return skynet.dns_packet.answer?
function M.answer(packet, id, name, qtype)
	local flags, count, at = read_question(packet, id, name, qtype)
	if flags == nil then
		return nil
	end
	local rcode = flags & RCODE_MASK
	local result = {
		addresses = {},
		ttl = math.maxinteger,
		failed = rcode ~= 0 and rcode ~= RCODE_NAME_ERROR,
	}
	if rcode ~= 0 then
		return result
	end
	local records, aliases = read_answers(packet, count, at, qtype)
	local names = follow_aliases(aliases, name)
	for _, record in ipairs(records) do
		local text = names[record.owner] and address_text(packet, record)
		if text then
			table.insert(result.addresses, text)
			result.ttl = math.min(result.ttl, record.ttl)
		end
	end
	return result
end

return M
