-- skynet.pack, packstring and unpack inside a service: vectors, blocks, requests with odd values.
local skynet = require "skynet"
local tap = require "tap"
local check = require "seri_check"

local function count(...)
	return select("#", ...)
end

tap.run(function()
	local vectors = dofile "test/vectors/seri.lua"
	vectors.env.null = skynet.unpack("\x03" .. ("\0"):rep(8))
	local api = { packstring = skynet.packstring, unpack = skynet.unpack }

	local defects = {}
	for _, vector in ipairs(vectors.packed) do
		defects[#defects + 1] = check.packed(vector, vectors.env, api) and vector.name
	end
	tap.is(table.concat(defects, " "), "", "packs every vector to the bytes of the reference")

	defects = {}
	for _, vector in ipairs(vectors.foreign) do
		defects[#defects + 1] = check.foreign(vector, vectors.env, api) and vector.name
	end
	tap.is(table.concat(defects, " "), "", "reads or refuses foreign bytes as the reference does")

	local block, size = skynet.pack("update", { 1, 2, x = "y" })
	tap.is(skynet.tostring(block, size), skynet.packstring("update", { 1, 2, x = "y" }),
		"a block holds the same bytes as a string")
	tap.is(select(2, skynet.unpack(block, size)).x, "y", "unpacks a block")
	skynet.trash(block, size)

	block, size = skynet.pack()
	tap.is(size, 0, "no values make an empty block")
	tap.is(count(skynet.unpack(block, size)), 0, "an empty block has no values")
	skynet.trash(block, size)
	tap.is(skynet.packstring(), "", "no values make an empty string")
	tap.is(count(skynet.unpack(nil)), 0, "nil has no values")
	tap.raises(function()
		skynet.pack(print)
	end, "Unsupport type function to serialize$", "refuses a function")
	tap.raises(function()
		skynet.unpack "\x07"
	end, "Invalid serialize stream 0 %(line:%d+%)$", "refuses bytes without meaning")

	local service = skynet.newservice("evaluator")
	local big = {}
	for i = 1, 5000 do
		big[i] = { id = i, name = "item " .. i, ratio = i / 3 }
	end
	local back = skynet.call(service, "lua", "return ...", big)
	tap.ok(check.same(back, big), "a large table survives a request and its answer")
	local results = table.pack(skynet.call(service, "lua", "return ...", nil, false, 0, nil))
	tap.is(results.n, 4, "trailing nils survive a request and its answer")
	tap.raises(function()
		skynet.call(service, "lua", "return ...", function() end)
	end, "Unsupport type function", "a request that cannot be packed fails in the caller")
	tap.raises(function()
		skynet.call(service, "lua", "return print")
	end, "call failed", "an answer that cannot be packed fails the call")
	tap.is(skynet.call(service, "lua", "return 1 + 1"), 2, "the service lives on after that")
end)
