---Frames of the cluster protocol as other nodes write and read them.
local skynet = require "skynet"
local core = require "skynet.cluster.core"
local tap = require "tap"

local LARGE <const> = 32768

local function hex(text)
	return (text:gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end))
end

local function bytes(text)
	return (text:gsub("%x%x", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

---A payload of `size` bytes.
local function body(size)
	local list = {}
	for i = 1, 251 do
		list[i] = string.char(i - 1)
	end
	return table.concat(list):rep(size // 251 + 1):sub(1, size)
end

---Name, function, address, session, payload, frame, next session.
local requests = {
	{ "a small request", "packrequest", 12, 1, "\x1cGET\x0ca",
		"000f000c000000010000001c4745540c61", 2 },
	{ "a name query", "packrequest", 0, 7, "\x1csdb", "000d0000000000070000001c736462", 8 },
	{ "a large handle", "packrequest", 0x02fffffe, 0x12345678, "\x0cX",
		"000b00feffff02785634120c58", 305419897 },
	{ "no payload", "packrequest", 12, 2, "", "0009000c00000002000000", 3 },
	{ "the last session", "packrequest", 12, 0x7fffffff, "\x0a\1",
		"000b000c000000ffffff7f0a01", 1 },
	{ "a name", "packrequest", "@sdb", 8, "\x1cGET\x0ca",
		"0010800440736462080000001c4745540c61", 9 },
	{ "a local name", "packrequest", ".launcher", 9, "\x24LIST",
		"001480092e6c61756e6368657209000000244c495354", 10 },
	{ "a short name", "packrequest", "x", 10, "\x0a\1", "00098001780a0000000a01", 11 },
	{ "a fraction", "packrequest", 1.5, 16, "\x0cx", "000b0000000000100000000c78", 17 },
	{ "a push", "packpush", 12, 20, "\x24PING", "000e000c000000000000002450494e47", 21 },
	{ "a push by name", "packpush", "@sdb", 21, "\x24PING",
		"000f800440736462000000002450494e47", 22 },
}

local function packs_requests()
	for _, case in ipairs(requests) do
		local frame, session, parts = core[case[2]](case[3], case[4], case[5])
		tap.is(hex(frame), case[6], case[1] .. " is packed")
		tap.is(session, case[7], case[1] .. " uses one session")
		tap.is(parts, nil, case[1] .. " is one frame")
	end
	tap.is(hex((core.packrequest(12, 1, skynet.pack("GET", "a")))),
		requests[1][6], "a block is packed and ended")
	tap.is(#core.packrequest("@" .. ("n"):rep(254), 15, body(32767)), 33030,
		"the largest single frame")
	local wrong = {
		{ "Invalid request session 0", 12, 0 }, { "Invalid request session %-5", 12, -5 },
		{ "between 1 and 255 characters: ", "", 12 }, { "255 characters: n", ("n"):rep(256), 12 },
		{ "name is not a string, it's a nil", nil, 12 },
	}
	for _, case in ipairs(wrong) do
		tap.raises(function() core.packrequest(case[2], case[3], skynet.pack(1)) end, case[1],
			"refused: " .. case[1])
	end
	tap.raises(function() core.packrequest(12, 1) end, "Invalid request message",
		"a request needs a message")
end

local function packs_large_requests()
	local cases = {
		{ "packrequest", 12, 4, "000d010c0000000400000000800000" },
		{ "packrequest", "@sdb", 14, "000e8104407364620e00000000800000" },
		{ "packpush", 12, 22, "000d410c0000001600000000800000" },
		{ "packpush", "@sdb", 22, "000ec104407364621600000000800000" },
	}
	for _, case in ipairs(cases) do
		local begin, session, parts = core[case[1]](case[2], case[3], body(LARGE))
		tap.is(hex(begin), case[4], "a large one begins with its size")
		tap.is(session, case[3] + 1, "and uses one session")
		tap.is(#parts, 1, "32768 bytes are one part")
		tap.is(hex(parts[1]:sub(1, 7)), ("800503%02x000000"):format(case[3]), "which is the last")
		tap.ok(parts[1]:sub(8) == body(LARGE), "and has the payload")
	end
	local _, _, parts = core.packrequest(12, 5, body(LARGE + 1))
	tap.is(#parts, 2, "one byte more is a part more")
	tap.is(hex(parts[2]), "00060305000000" .. hex(body(LARGE + 1):sub(-1)), "of that byte")
end

local function packs_others()
	tap.is(hex(core.packtrace ":00000008-1"), "000c043a30303030303030382d31", "a tag is packed")
	tap.is(hex(core.packtrace ""), "000104", "an empty tag is packed")
	tap.is(#core.packtrace(("t"):rep(LARGE)), LARGE + 3, "a tag of 32768 bytes is packed")
	tap.raises(function() core.packtrace(("t"):rep(LARGE + 1)) end,
		"trace tag is too long : 32769", "a longer one is refused")
	local cases = {
		{ 1, true, "\x34foobar", "000c010000000134666f6f626172" },
		{ 2, true, "", "00050200000001" },
		{ 0xffffffff, true, "\x0a\1", "0007ffffffff010a01" },
		{ 7, false, "name not found", "001307000000006e616d65206e6f7420666f756e64" },
		{ 8, false, "", "00050800000000" },
	}
	for _, case in ipairs(cases) do
		tap.is(hex(core.packresponse(case[1], case[2], case[3])), case[4],
			"response " .. case[4]:sub(1, 14) .. " is packed")
	end
	tap.is(#core.packresponse(3, true, body(LARGE)), LARGE + 7, "32768 bytes are one response")
	tap.is(#core.packresponse(10, false, ("e"):rep(40000)), LARGE + 7, "a long error is cut")
	local frames = core.packresponse(4, true, body(LARGE + 1))
	tap.is(#frames, 3, "a large response has begin, part and last")
	tap.is(hex(frames[1]), "0009040000000201800000", "the begin has the size")
	tap.is(hex(frames[2]:sub(1, 7)), "80050400000003", "then comes a part")
	tap.is(hex(frames[3]:sub(1, 7)), "00060400000004", "then the last")
end

---Frame, then address, session, payload or size, padding, push.
local readable = {
	{ "000c000000050000000c78", 12, 5, "\x0cx", false, false },
	{ "000c000000000000000c78", 12, 0, "\x0cx", false, true },
	{ "000c00000005000000", 12, 5, "", false, false },
	{ "010c00000005000000a0860100", 12, 5, 100000, true, false },
	{ "410c00000005000000a0860100", 12, 5, 100000, true, true },
	{ "0205000000616263", false, 5, "abc", true, false },
	{ "0305000000616263", false, 5, "abc", false, false },
	{ "0205000000", false, 5, "", true, false },
	{ "800440736462050000000c78", "@sdb", 5, "\x0cx", false, false },
	{ "800440736462000000000c78", "@sdb", 0, "\x0cx", false, true },
	{ "8000050000000c78", "", 5, "\x0cx", false, false },
	{ "81044073646205000000a0860100", "@sdb", 5, 100000, true, false },
	{ "c1044073646205000000a0860100", "@sdb", 5, 100000, true, true },
	{ "81044073646205000000a08601007a7a", "@sdb", 5, 100000, true, false },
}
local unreadable = {
	{ "000c000000010000", "Invalid cluster message %(size=8%)" },
	{ "010c00000005000000010000", "size 12 %(multi req must be 13%)" },
	{ "010c000000050000000100000000", "size 14 %(multi req must be 13%)" },
	{ "02010000", "Invalid cluster multi part message" },
	{ "80", "%(size=1%)" }, { "8020616263", "%(size=5%)" }, { "81044073646205000000", "%(size=10%)" },
	{ "", "size == 0" }, { "05", "type 5" }, { "05010a000000", "type 5" }, { "40", "type 64" },
	{ "ff", "type %-1" },
}

local function unpacks_requests()
	for _, case in ipairs(readable) do
		local addr, session, block, size, padding, push = core.unpackrequest(bytes(case[1]))
		local payload = block and skynet.tostring(block, size) or size
		if block then
			skynet.trash(block, size)
		end
		tap.is_deeply({ addr, session, payload, padding, push },
			{ table.unpack(case, 2, 6) }, case[1] .. " is read")
	end
	for _, case in ipairs(unreadable) do
		tap.raises(function() core.unpackrequest(bytes(case[1])) end, case[2],
			"'" .. case[1] .. "' is refused")
	end
	tap.is(core.unpackrequest "\4tag", "tag", "a tag is read")
	tap.is(select("#", core.unpackrequest "\4"), 1, "and is all")
end

local function unpacks_responses()
	local cases = {
		{ "05000000010c78", 5, true, "\x0cx", false }, { "0500000001", 5, true, "", false },
		{ "05000000006f6f7073", 5, false, "oops", false },
		{ "0500000002a0860100", 5, true, 100000, true },
		{ "0500000003616263", 5, true, "abc", true }, { "0500000004616263", 5, true, "abc", false },
	}
	for _, case in ipairs(cases) do
		tap.is_deeply({ core.unpackresponse(bytes(case[1])) }, { table.unpack(case, 2, 5) },
			case[1] .. " is read")
	end
	for _, frame in ipairs { "05000000020100000000", "0500000005616263", "01000000", "" } do
		tap.is(select("#", core.unpackresponse(bytes(frame))), 0, "'" .. frame .. "' is nothing")
	end
end

---The block of a part frame.
local function part_of(text)
	local _, _, block, size = core.unpackrequest("\2\5\0\0\0" .. text)
	return block, size
end

local function joins()
	local list = {}
	core.append(list, nil, 6)
	core.append(list, part_of "abc")
	core.append(list, part_of "")
	core.append(list, part_of "def")
	local block, size = core.concat(list)
	tap.is(skynet.tostring(block, size), "abcdef", "parts are joined")
	skynet.trash(block, size)
	list = {}
	core.append(list, nil, 7)
	core.append(list, part_of "abc")
	tap.is(core.concat(list), nil, "too few bytes are nothing")
	list = {}
	core.append(list, nil, 2)
	core.append(list, part_of "abc")
	tap.is(core.concat(list), nil, "too many bytes are nothing")
	tap.is(core.concat({}), nil, "no parts are nothing")
	tap.raises(function() core.append({}, "text", 1) end, "userdata expected",
		"a part is a block")
end

tap.run(function()
	packs_requests()
	packs_large_requests()
	packs_others()
	unpacks_requests()
	unpacks_responses()
	joins()
	tap.is(core.isname "@sdb", true, "a registered name is one")
	tap.is(core.isname ".sdb", false, "a local name is not")
	tap.ok(not core.nodename():find "[%s%c]", "the name of a node has no blanks")
end)
