-- skynet.netpack: packing, and what it refuses. Filtering is tested through a gate.
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local skynet = require "skynet"
local tap = require "tap"

local function packed(...)
	local pointer, size = netpack.pack(...)
	tap.is(type(pointer), "userdata", "pack gives a block")
	return netpack.tostring(pointer, size), size
end

tap.run(function()
	tap.is(packed "", "\0\0", "an empty frame")
	tap.is(packed "hello", "\0\5hello", "a frame")
	tap.is(packed(("x"):rep(256)), "\1\0" .. ("x"):rep(256), "a frame of 256 bytes")
	local text, size = packed(("y"):rep(65535))
	tap.is(size, 65537, "the largest frame")
	tap.ok(text == "\255\255" .. ("y"):rep(65535), "is right")
	local pointer, length = driver.str2p "block"
	tap.is(packed(pointer, length), "\0\5block", "a block is packed")
	tap.is(skynet.tostring(pointer, length), "block", "and stays with the caller")
	driver.drop(pointer, length)
	tap.raises(function() netpack.pack(("z"):rep(65536)) end,
		"Invalid size %(too long%) of data : 65536", "65536 bytes are too long")
	tap.raises(function() netpack.pack() end, "string expected", "pack needs data")
	tap.raises(function() netpack.pack({}) end, "string expected", "a table can't be packed")
	pointer, length = driver.str2p "x"
	tap.raises(function() netpack.pack(pointer, -1) end, "out of range", "no size below 0")
	tap.raises(function() netpack.pack(pointer, 1 << 40) end, "out of range", "no size of 41 bits")
	tap.raises(function() netpack.filter(nil, pointer, length) end, "socket message",
		"filter refuses what is no socket message")
	driver.drop(pointer, length)
	tap.raises(function() netpack.filter(nil, nil, 100) end, "socket message",
		"filter needs a message")
	tap.raises(function() netpack.filter(1, pointer, 100) end, "queue", "filter needs a queue")
	tap.raises(function() netpack.pop(io.stdout) end, "queue", "a file is no queue")
	tap.is(netpack.pop(nil), nil, "pop of no queue is nothing")
	netpack.clear(nil)
	tap.raises(function() netpack.tostring("x", 1) end, "pointer", "tostring needs a block")
end)
