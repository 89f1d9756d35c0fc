-- skynet.socketdriver: receive buffers, blocks of memory, addresses, and what it refuses.
local driver = require "skynet.socketdriver"
local skynet = require "skynet"
local tap = require "tap"

local function push(buffer, text)
	return driver.push(buffer, {}, driver.str2p(text))
end

local function test_buffers()
	local buffer, pool = driver.buffer(), {}
	tap.is(driver.readall(buffer, pool), "", "a new buffer is empty")
	tap.is(push(buffer, "hello"), 5, "push answers the unread bytes")
	tap.is(push(buffer, " world"), 11, "push adds them up")
	tap.is_deeply({ driver.pop(buffer, pool, 12) }, { nil, 11 }, "pop waits for all bytes")
	tap.is_deeply({ driver.pop(buffer, pool, 0) }, { nil, 11 }, "pop of 0 bytes gives nil")
	tap.is_deeply({ driver.pop(buffer, pool, -1) }, { nil, 11 }, "pop of -1 bytes gives nil")
	tap.is_deeply({ driver.pop(buffer, pool, 7) }, { "hello w", 4 }, "pop crosses blocks")
	tap.is(driver.readall(buffer, pool), "orld", "readall takes the rest")
	push(buffer, "a\r")
	tap.is(driver.readline(buffer, nil, "\r\n"), nil, "a separator may be cut")
	push(buffer, "\nb\r\n")
	tap.is(driver.readline(buffer, nil, "\r\n"), true, "readline only tests without a pool")
	tap.is(driver.readline(buffer, pool, "\r\n"), "a", "readline takes a line")
	tap.is(driver.readline(buffer, pool, "\r\n"), "b", "readline takes the next line")
	tap.is(select("#", driver.readline(buffer, pool, "\r\n")), 0, "readline has no more lines")
	push(buffer, "left")
	driver.clear(buffer, pool)
	tap.is(driver.readall(buffer, pool), "", "clear drops everything")
	driver.clear(nil, pool)
	tap.is(push(buffer, ""), 0, "an empty block is no data")
	tap.is(push(buffer, "\0x"), 2, "a cleared buffer can be used again")
end

local function test_buffer_misuse()
	local buffer = driver.buffer()
	tap.raises(function() driver.push(nil, {}, nil, 1) end, "buffer", "push needs a buffer")
	tap.raises(function() driver.push(buffer, {}, nil, 1) end, "block", "push needs a block")
	tap.raises(function() driver.push(io.stdout, {}, nil, 1) end, "buffer", "a file is no buffer")
	tap.raises(function() driver.pop("x", {}, 1) end, "buffer", "a string is no buffer")
	tap.raises(function() driver.pop(buffer, {}, "x") end, "number", "pop needs a number")
	tap.raises(function() driver.readline(buffer, {}, "") end, "empty", "no empty separator")
	tap.raises(function() driver.clear(1) end, "buffer", "clear needs a buffer or nil")
	tap.raises(function() driver.drop("x") end, "userdata expected", "drop needs a block")
end

local function test_blocks()
	local pointer, size = driver.str2p "abc"
	tap.is(skynet.tostring(pointer, size), "abc", "str2p copies a string")
	driver.drop(pointer, size)
	tap.is(driver.header "\1", 1, "header of 1 byte")
	tap.is(driver.header "\1\2", 0x102, "header of 2 bytes")
	tap.is(driver.header "\1\2\3", 0x10203, "header of 3 bytes")
	tap.is(driver.header "\255\2\3\4", 0xff020304, "header of 4 bytes is not signed")
	tap.raises(function() driver.header "" end, "Invalid", "header of no byte is refused")
	tap.raises(function() driver.header "12345" end, "Invalid", "header of 5 bytes is refused")
end

local function test_addresses()
	local function refused(address, port, pattern)
		tap.raises(function() driver.connect(address, port) end, pattern,
			string.format("connect refuses %s %s", address, port))
	end
	refused("localhost", nil, "Invalid address localhost")
	refused("", nil, "Invalid address")
	refused("::1:80", nil, "Invalid address")
	refused("[::1]", nil, "Invalid address")
	refused("[::1", nil, "Invalid address")
	refused("[::1]80", nil, "Invalid address")
	refused("127.0.0.1:", nil, "Invalid port in address")
	refused("127.0.0.1:x", nil, "Invalid port in address")
	refused("127.0.0.1:65536", nil, "Invalid port in address")
	refused("127.0.0.1:-1", nil, "Invalid port in address")
	refused("127.0.0.1", 0, "Invalid port")
	refused("127.0.0.1:0", nil, "Invalid port")
	refused("127.0.0.1", 65536, "Invalid port")
	refused("127.0.0.1", -1, "Invalid port")
	refused("a\0b", 80, "zero byte")
	refused(nil, nil, "string expected")
	refused({}, 80, "string expected")
	tap.raises(function() driver.listen("300.1.1.1", 0) end, "Listen error",
		"listen raises when it cannot")
	tap.raises(function() driver.udp_listen("127.0.0.1", 0) end, "udp listen host failed",
		"udp_listen refuses port 0")
	tap.raises(function() driver.udp_listen("300.1.1.1", 1) end, "udp listen host failed",
		"udp_listen raises when it cannot")
	tap.is_deeply({ driver.udp_address "\1\0\80\127\0\0\1" }, { "127.0.0.1", 80 },
		"udp_address of IPv4")
	tap.is_deeply({ driver.udp_address("\2\1\0" .. ("\0"):rep(15) .. "\1") }, { "::1", 256 },
		"udp_address of IPv6")
	for _, bad in ipairs { "", "\1", "\3\0\80\127\0\0\1", "\1\0\80\127\0\0\1\0", ("\2"):rep(18) } do
		tap.raises(function() driver.udp_address(bad) end, "Invalid udp address",
			#bad .. " bytes are no udp address")
	end
	local all = driver.resolve "127.0.0.1"
	tap.is(all[1], "127.0.0.1", "resolve of a numeric address")
	tap.raises(function() driver.resolve "no such name" end, nil, "resolve raises for no name")
end

local function test_dead_ids()
	for _, id in ipairs { 0, -1, 1 << 30, 0x7fffffff } do
		tap.is(driver.send(id, "x"), false, "send to dead id " .. id)
		tap.is(driver.lsend(id, { "x", 1 }), false, "lsend to dead id " .. id)
		tap.is(driver.send(id, driver.str2p "x"), false, "send of a block to dead id " .. id)
		driver.close(id)
		driver.shutdown(id)
		driver.pause(id)
		driver.nodelay(id)
		tap.is(driver.keepalive(id, 1, 1, 1), false, "keepalive of dead id " .. id)
		tap.is(driver.sendlimit(id, 1), false, "sendlimit of dead id " .. id)
		tap.is(driver.udp_send(id, "\1\0\80\127\0\0\1", "x"), false, "udp_send to dead id " .. id)
	end
	tap.is(driver.udp_send(1, "\9", driver.str2p "x"), false, "udp_send to an unknown family")
	tap.raises(function() driver.send(1 << 40, "x") end, "out of range", "no id of 41 bits")
	tap.raises(function() driver.send(1.5, "x") end, "integer", "no id with a fraction")
end

local function test_data_forms()
	tap.raises(function() driver.send(1) end, "string expected", "send needs data")
	tap.raises(function() driver.send(1, true) end, "string expected", "a boolean is no data")
	tap.raises(function() driver.send(1, { "a", true }) end, "boolean at index 2",
		"a table holds strings and numbers only")
	tap.raises(function() driver.send(1, { {} }) end, "table at index 1", "no tables in tables")
	tap.raises(function() driver.send(1, io.stdout, 1 << 20) end, "out of range",
		"no more bytes than a userdata has")
end

local function test_message_misuse()
	tap.raises(function() driver.unpack(nil, 100) end, "socket message", "unpack needs a message")
	local pointer, size = driver.str2p "short"
	tap.raises(function() driver.unpack(pointer, size) end, "socket message",
		"unpack refuses a short message")
	driver.drop(pointer, size)
end

tap.run(function()
	test_buffers()
	test_buffer_misuse()
	test_blocks()
	test_addresses()
	test_dead_ids()
	test_data_forms()
	test_message_misuse()
end)
