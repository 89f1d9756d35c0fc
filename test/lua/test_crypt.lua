-- skynet.crypt against known results, and what it refuses.
local crypt = require "skynet.crypt"
local tap = require "tap"

-- Function, arguments in hex, result in hex. A number is an argument as it is.
local RESULTS <const> = {
	{ "dhexchange", { "0123456789abcdef" }, "3dcb75f50fd02972" },
	{ "dhexchange", { "1122334455667788" }, "212931c0f9a45318" },
	{ "dhexchange", { "0100000000000000" }, "0500000000000000" },
	{ "dhexchange", { "ffffffffffffffff" }, "4e2ea6baf651b377" },
	{ "dhsecret", { "212931c0f9a45318", "0123456789abcdef" }, "e86f5d4cd5f0b635" },
	{ "dhsecret", { "3dcb75f50fd02972", "1122334455667788" }, "e86f5d4cd5f0b635" },
	{ "dhsecret", { "ffffffffffffffff", "0123456789abcdef" }, "f81c772f571c016c" },
	{ "hmac64", { "0123456789abcdef", "1122334455667788" }, "ff04d54274bcbc70" },
	{ "hmac64", { "1122334455667788", "0123456789abcdef" }, "d04a15c5189bc4b5" },
	{ "hmac64", { "0000000000000000", "0000000000000000" }, "a2a90fe5ec190ee5" },
	{ "hashkey", { "" }, "05150000a7c6674e" },
	{ "hashkey", { "68656c6c6f20776f726c64" }, "c1c8513506e36bbc" },
	{ "hmac_hash", { "0123456789abcdef", "74657874" }, "d3616ce2be970dc6" },
	{
		"hmac_hash",
		{ "0123456789abcdef", "595778705932553d40633246746347786c234d513d3d3a31" },
		"e17337554ea25131",
	},
	{ "desencode", { "0123456789abcdef", "" }, "caee534c523e1e79" },
	{ "desencode", { "0123456789abcdef", "61" }, "cf9da012e9441ddc" },
	{ "desencode", { "0123456789abcdef", "31323334353637" }, "3f0fe90f3dba6ab7" },
	{
		"desencode",
		{ "0123456789abcdef", "3132333435363738" },
		"bd0b1a49070ac376caee534c523e1e79",
	},
	{
		"desencode",
		{ "0123456789abcdef", "313233343536373839" },
		"bd0b1a49070ac376ae51d75ef42eee09",
	},
	{
		"desencode",
		{ "0123456789abcdef",
			"595778705932553d40633246746347786c3a6332566a636d56306348633d" },
		"d715621641878f255b9957718ecce787844df639a64d3e1cc49f4c51e814e81d",
	},
	{ "desencode", { "0123456789abcdef", "616263", 1 }, "6014de7f6e0247a2" },
	{ "desdecode", { "0123456789abcdef", "e93ec7e7b649d273" }, "68656c6c6f" },
	{ "base64encode", { "" }, "" },
	{ "base64encode", { "66" }, "5a673d3d" },
	{ "base64encode", { "666f" }, "5a6d383d" },
	{ "base64encode", { "666f6f" }, "5a6d3976" },
	{ "base64encode", { "666f6f62" }, "5a6d397659673d3d" },
	{ "base64encode", { "666f6f6261" }, "5a6d3976596d453d" },
	{ "base64encode", { "666f6f626172" }, "5a6d3976596d4679" },
	{ "base64encode", { "00ff80" }, "41502b41" },
	{ "base64decode", { "5a6d3976596d4679" }, "666f6f626172" },
	{ "base64decode", { "5a6d3976596d453d" }, "666f6f6261" },
	{ "base64decode", { "5a6d397659673d3d" }, "666f6f62" },
	{ "base64decode", { "5a6d39765967" }, "666f6f62" },
	{ "base64decode", { "5a6d3976596d45" }, "666f6f6261" },
	{ "base64decode", { "5a6d397620596d4679" }, "666f6f626172" },
	{ "base64decode", { "5a6d39760a21596d4679" }, "666f6f626172" },
	{ "base64decode", { "" }, "" },
	{ "hmac64_md5", { "3132333435363738", "6162636465666768" }, "c2a34748cf834af4" },
	{ "hmac64", { "3132333435363738", "6162636465666768" }, "ac9ffda9547a027a" },
	{ "dhsecret", { "3132333435363738", "6162636465666768" }, "c28f6c29ade90908" },
	{ "sha1", { "616263" }, "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{
		"hmac_sha1",
		{ "6b6579",
			"54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f67" },
		"de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9",
	},
	{ "xor_str", { "010203", "ff00" }, "fe02fc" },
	{ "base64decode", { "5a673d3d5a6d383d" }, "66666f" },
}

-- Function, arguments in hex, error.
local ERRORS <const> = {
	{ "dhexchange", { "0000000000000000" }, "Can't be 0" },
	{ "dhexchange", { "616263" }, "Invalid dh uint64 key" },
	{ "dhsecret", { "0000000000000000", "0123456789abcdef" }, "Can't be 0" },
	{ "hmac64", { "616263", "0123456789abcdef" }, "Invalid uint64 x" },
	{ "desdecode", { "0123456789abcdef", "616263" }, "Invalid des crypt text length 3" },
	{ "desdecode", { "0123456789abcdef", "" }, "Invalid des crypt text length 0" },
	{ "desdecode", { "0123456789abcdef", "0101010101010101" }, "Invalid des crypt text" },
	{ "desdecode", { "73686f7274", "0101010101010101" }, "Invalid key size 5, need 8 bytes" },
	{ "base64decode", { "5a" }, "Invalid base64 text" },
	{ "base64decode", { "5a6d397659683d3d" }, "Invalid base64 text" },
	{ "base64decode", { "3d3d3d3d" }, "Invalid base64 text" },
	{ "hexdecode", { "30" }, "Invalid hex text size 1" },
	{ "hexdecode", { "6767" }, "Invalid hex text" },
	{ "xor_str", { "61", "" }, "empty key" },
	{ "dhsecret", { "0100000000000000", "0000000000000000" }, "Can't be 0" },
	{ "desencode", { "0123456789abcdef", "61", 7 }, "Invalid padding mode 7" },
}

local function unhex(text)
	return type(text) == "string" and crypt.hexdecode(text) or text
end

local function call(case)
	local arguments = {}
	for i, argument in ipairs(case[2]) do
		arguments[i] = unhex(argument)
	end
	return crypt[case[1]](table.unpack(arguments))
end

local function test_desdecode()
	for _, padding in pairs(crypt.padding) do
		for size = 0, 33 do
			local text = ("\0"):rep(size)
			local secret = crypt.desencode("12345678", text, padding)
			if crypt.desdecode("12345678", secret, padding) ~= text then
				tap.fail(string.format("padding %d of %d bytes comes back", padding, size))
			end
		end
	end
	tap.pass "what was enciphered can be deciphered"
end

local function test_base64()
	math.randomseed(7)
	for size = 0, 300 do
		local text = {}
		for i = 1, size do
			text[i] = string.char(math.random(0, 255))
		end
		text = table.concat(text)
		if crypt.base64decode(crypt.base64encode(text)) ~= text then
			tap.fail(size .. " bytes come back from base64")
		end
		if crypt.hexdecode(crypt.hexencode(text):upper()) ~= text then
			tap.fail(size .. " bytes come back from hex")
		end
	end
	tap.pass "texts of 0 to 300 bytes come back"
end

tap.run(function()
	for i, case in ipairs(RESULTS) do
		tap.is(crypt.hexencode(call(case)), case[3], string.format("%s, case %d", case[1], i))
	end
	local all = {}
	for i = 0, 255 do
		all[#all + 1] = string.char(i)
	end
	local hash = crypt.hashkey(table.concat(all))
	tap.is(crypt.hexencode(hash), "85945b9a7a0ea7b2", "hashkey of all bytes")
	for _, case in ipairs(ERRORS) do
		tap.raises(function() call(case) end, case[3], case[1] .. " refuses bad arguments")
	end
	local seen = {}
	for _ = 1, 100 do
		local key = crypt.randomkey()
		tap.ok(#key == 8 and not seen[key], "a random key is new")
		seen[key] = true
	end
	test_desdecode()
	test_base64()
end)
