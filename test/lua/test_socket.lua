-- skynet.socket: streams between two ends in this service.
local driver = require "skynet.socketdriver"
local skynet = require "skynet"
local socket = require "skynet.socket"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"

local listener, port
local accepted = {}

-- Both ends of a fresh connection.
local function pair()
	local client = socket.open(LOCAL, port)
	tap.eventually(function() return accepted[1] end, "a connection is accepted")
	local server = table.remove(accepted, 1)
	socket.start(server)
	return client, server
end

local function close(...)
	for _, id in ipairs { ... } do
		socket.close(id)
	end
end

-- Runs `f` in a coroutine; the table it gives gets what `f` returns.
local function later(f, ...)
	local result = { n = 0 }
	skynet.fork(function(...)
		result.values = table.pack(pcall(f, ...))
		result.done = true
	end, ...)
	skynet.yield()
	return result
end

local function finished(result, name)
	tap.eventually(function() return result.done end, name)
	return table.unpack(result.values or {}, 1, result.values and result.values.n or 0)
end

local function test_listen()
	local address
	listener, address, port = socket.listen(LOCAL, 0)
	tap.ok(listener and listener > 0, "listen answers an id")
	tap.is(address, LOCAL, "listen answers the bound address")
	tap.ok(port > 0, "listen answers the port it was given")
	tap.raises(function() socket.listen(LOCAL, port) end, "Listen error", "a port in use is an error")
	tap.is(socket.start(listener, function(id, from)
		tap.like(from, "^127%.0%.0%.1:%d+$", "accept tells the peer")
		accepted[#accepted + 1] = id
	end), listener, "start of a listener answers its id")
end

local function test_open_failures()
	local free, _, free_port = socket.listen(LOCAL, 0)
	socket.close(free)
	local id, message = socket.open(LOCAL, free_port)
	tap.is(id, nil, "nobody listens: open answers nil")
	tap.is(message, "Connection refused", "open tells why")
	id, message = socket.open("no-such-host.invalid", 80)
	tap.is(id, nil, "an unknown host: open answers nil")
	tap.is(type(message), "string", "open tells that the host is unknown")
	id, message = socket.open(("x"):rep(5000), 80)
	tap.ok(id == nil and type(message) == "string", "a host of 5000 bytes is an error")
	id, message = socket.start(123456789)
	tap.ok(id == nil and message == "invalid socket", "start of an unknown id is an error")
end

local function test_reads()
	local client, server = pair()
	socket.write(client, "hello world")
	tap.is(socket.read(server, 5), "hello", "read takes the bytes asked for")
	tap.is(socket.read(server), " world", "read without count takes what is there")
	tap.is(socket.read(server, 0), "", "read of 0 bytes answers at once")
	socket.write(client, { "a", 1, "\n", "b" })
	tap.is(socket.readline(server), "a1", "readline takes a line")
	local block, size = driver.str2p "c\r\nd"
	tap.ok(socket.write(client, block, size), "write takes a block")
	tap.is(socket.readline(server, "\r\n"), "bc", "readline takes another separator")
	tap.is(socket.read(server, 1), "d", "read takes the rest")
	local waiting = later(socket.read, server, 6)
	for _, piece in ipairs { "1", "23", "4", "5", "6" } do
		socket.write(client, piece)
	end
	tap.is(select(2, finished(waiting, "a read of pieces ends")), "123456", "pieces are joined")
	waiting = later(socket.readall, server)
	socket.write(client, "to the")
	socket.write(client, " end")
	socket.close(client)
	tap.is(select(2, finished(waiting, "readall ends")), "to the end", "readall reads to the end")
	tap.is(socket.readall(server), false, "readall of nothing is false")
	tap.is(socket.disconnected(server), true, "the peer is gone")
	tap.is(socket.block(server), false, "block of a closed socket is false")
	close(server)
	tap.ok(socket.invalid(server), "a closed id is not tracked")
	tap.is(socket.disconnected(server), nil, "disconnected of an unknown id is nil")
end

local function test_end_of_stream()
	local client, server = pair()
	socket.write(client, "one\ntwo")
	socket.close(client)
	tap.is(socket.readline(server), "one", "data before the end is read")
	tap.is_deeply({ socket.readline(server) }, { false, "two" }, "readline: false and the rest")
	tap.is_deeply({ socket.readline(server) }, { false, "" }, "then false and nothing")
	tap.is_deeply({ socket.read(server, 1) }, { false, "" }, "read n: false and nothing")
	tap.is_deeply({ socket.read(server, 0) }, { false, "" }, "read 0 at the end: the same")
	tap.is_deeply({ socket.read(server) }, { false, "" }, "read: false and nothing")
	close(server)
	client, server = pair()
	socket.write(client, "abc")
	socket.close(client)
	tap.is_deeply({ socket.read(server, 4) }, { false, "abc" }, "read n: false and the rest")
	tap.ok(socket.write(server, "x") ~= nil, "writing to a half closed socket is no error")
	close(server)
	for _, name in ipairs { "read", "readline", "readall", "limit", "warning", "timeout" } do
		local argument = name ~= "warning" and 1 or print
		tap.raises(function() socket[name](server, argument) end, "not open",
			name .. " of a closed socket raises")
	end
end

local function test_half_close()
	local client, server = pair()
	local closed
	socket.onclose(server, function(id) closed = id end)
	socket.write(client, ("x"):rep(100000))
	socket.close(client)
	tap.eventually(function() return closed end, "onclose is called")
	tap.is(closed, server, "onclose is called with the id")
	tap.is(#socket.readall(server), 100000, "data stays readable after the peer has closed")
	close(server)
end

local function test_one_reader()
	local client, server = pair()
	local waiting = later(socket.read, server)
	for _, name in ipairs { "read", "readline", "readall", "block" } do
		tap.raises(function() socket[name](server) end, "another coroutine",
			name .. " while another coroutine reads raises")
	end
	socket.write(client, "x")
	tap.is(select(2, finished(waiting, "the first reader goes on")), "x", "and gets the data")
	close(client, server)
end

local function test_close_wakes_reader()
	local client, server = pair()
	socket.write(client, "rest")
	local order = {}
	local waiting = later(function()
		local a, b = socket.read(server, 100)
		order[#order + 1] = "reader"
		return a, b
	end)
	socket.close(server)
	order[#order + 1] = "closer"
	local _, data, rest = finished(waiting, "the reader ends")
	tap.is(data, false, "the reader gets false")
	tap.ok(rest == "rest" or rest == "", "and what was there")
	tap.is_deeply(order, { "reader", "closer" }, "the reader is first")
	close(client)
	socket.close(server)
	socket.close(987654321)
	tap.pass "close of unknown ids is ignored"
end

local function test_several_closers()
	local client, server = pair()
	local one = later(socket.close, client)
	local two = later(socket.close, client)
	tap.ok(finished(one, "the first closer ends"), "without an error")
	tap.ok(finished(two, "the second closer ends"), "without an error")
	close(server)
end

local function test_start_misuse()
	local client, server = pair()
	tap.raises(function() socket.start(client) end, "socket is not closed",
		"start of an open socket raises")
	tap.raises(function() socket.close_fd(client) end, "Use socket.close instead",
		"close_fd of a tracked socket raises")
	close(client, server)
	local other = socket.open(LOCAL, port)
	tap.eventually(function() return accepted[1] end, "another connection is accepted")
	socket.close_fd(table.remove(accepted, 1))
	tap.is_deeply({ socket.read(other) }, { false, "" }, "close_fd closes an accepted id")
	close(other)
end

local function test_onclose_before_start()
	local client = socket.open(LOCAL, port)
	tap.eventually(function() return accepted[1] end, "one more connection is accepted")
	local server = table.remove(accepted, 1)
	local closed = 0
	socket.onclose(server, function() closed = closed + 1 end)
	tap.is(socket.start(server), server, "onclose may be set before start")
	close(client)
	tap.eventually(function() return closed > 0 end, "and is called")
	close(server)
	tap.is(closed, 1, "once")
end

local function test_shutdown()
	local client, server = pair()
	socket.write(client, "data")
	tap.eventually(function() return socket.block(server) end, "data is there")
	socket.shutdown(server)
	tap.eventually(function() return socket.disconnected(server) end, "shutdown disconnects")
	tap.is(socket.read(server, 4), "data", "what was received can still be read")
	close(server)
	local gone = { socket.read(client) }
	tap.ok(gone[1] == false, "the peer sees the end")
	close(client)
end

local function test_abandon()
	local client, server = pair()
	local waiting = later(socket.read, server)
	socket.abandon(server)
	local _, data, rest = finished(waiting, "the reader of an abandoned socket ends")
	tap.is_deeply({ data, rest }, { false, "" }, "with false and nothing")
	tap.ok(socket.invalid(server), "an abandoned id is not tracked")
	tap.is(socket.start(server), server, "but can be started again")
	socket.write(client, "again")
	tap.is(socket.read(server, 5), "again", "and read")
	close(client, server)
end

local function test_long_lines()
	local client, server = pair()
	local line = ("0123456789abcdef"):rep(1 << 16)
	skynet.fork(function()
		for i = 1, #line, 65536 do
			socket.write(client, line:sub(i, i + 65535))
		end
		socket.write(client, "\n")
	end)
	tap.ok(socket.readline(server) == line, "a line of 1 MiB arrives")
	local waiting = later(socket.readline, server, "--")
	local text = ("-+"):rep(2000)
	for i = 1, #text do
		socket.write(client, text:sub(i, i))
	end
	socket.write(client, "-")
	socket.write(client, "-")
	tap.ok(select(2, finished(waiting, "a line of single bytes arrives")) == text,
		"a line of single bytes is right")
	close(client, server)
end

local function test_limit()
	local client, server = pair()
	socket.limit(server, 65536)
	local waiting = later(socket.readline, server)
	for _ = 1, 4 do
		socket.write(client, ("x"):rep(65536))
	end
	local _, data = finished(waiting, "a reader of an endless line ends")
	tap.is(data, false, "a line past the limit closes the socket")
	tap.is(socket.read(client), false, "the peer is cut off")
	close(client, server)
	client, server = pair()
	socket.limit(server, 1000)
	waiting = later(socket.read, server, 100000)
	socket.write(client, ("x"):rep(100000))
	tap.is(#select(2, finished(waiting, "a counted read ends")), 100000,
		"a counted read may pass the limit")
	close(client, server)
end

-- Whether the node reads from the socket at the moment.
local function is_read(id)
	for _, row in ipairs(socket.netstat()) do
		if row.id == id then
			return row.reading
		end
	end
	return false
end

local function test_pause()
	local client, server = pair()
	socket.pause(server)
	socket.write(client, "paused")
	tap.is(socket.read(server, 6), "paused", "a read resumes a paused socket")
	local got_beside
	skynet.fork(function()
		got_beside = socket.read(server, 6)
	end)
	skynet.yield()
	socket.pause(server)
	socket.write(client, "beside")
	tap.eventually(function() return got_beside == "beside" end,
		"who waits for data gets it although another task pauses")
	local size = 8 << 20
	local text = ("p"):rep(size)
	socket.write(client, text)
	tap.eventually(function() return not is_read(server) end, "an unread stream is paused")
	local got = 0
	while got < size do
		got = got + #socket.read(server)
	end
	tap.is(got, size, "8 MiB arrive over pauses")
	for _ = 1, 3 do
		socket.write(client, text)
		tap.ok(socket.read(server, size) == text, "a counted read passes the pause")
	end
	close(client, server)
end

local function test_warning()
	local client, server = pair()
	local seen = {}
	socket.warning(client, function(id, kib)
		tap.is(id, client, "warning tells the id")
		seen[#seen + 1] = kib
	end)
	socket.pause(server)
	local size = 24 << 20
	socket.write(client, ("w"):rep(size))
	tap.eventually(function() return seen[1] end, "a long send queue warns")
	tap.ok(seen[1] and seen[1] >= 1024, "at 1 MiB or more")
	tap.is(#socket.read(server, size), size, "all of it arrives")
	tap.eventually(function() return seen[#seen] == 0 end, "a drained queue tells 0")
	close(client, server)
end

local function test_priority()
	local client, server = pair()
	socket.pause(server)
	local size = 16 << 20
	socket.write(client, ("."):rep(size))
	socket.lwrite(client, "LOW")
	socket.write(client, "HIGH")
	tap.is(#socket.read(server, size), size, "the first write arrives first")
	tap.is(socket.read(server, 7), "HIGHLOW", "then high before low")
	close(client, server)
end

local function test_flush_on_close()
	local client, server = pair()
	local size = 10 << 20
	socket.write(client, ("f"):rep(size))
	socket.close(client)
	tap.is(#socket.read(server, size), size, "close sends what was written")
	tap.is_deeply({ socket.read(server) }, { false, "" }, "and then the end")
	close(server)
end

local function test_timeouts()
	local client, server = pair()
	socket.timeout(server, 2)
	tap.is_deeply({ socket.read(server, 3) }, { nil, "timeout" }, "read gives up")
	tap.is_deeply({ socket.readline(server) }, { nil, "timeout" }, "readline gives up")
	socket.write(client, "ab")
	socket.timeout(server, nil)
	tap.is(socket.read(server, 2), "ab", "a socket can be read after a timeout")
	close(client, server)
end

local function test_netstat()
	local client, server = pair()
	socket.write(client, "count")
	socket.read(server, 5)
	local rows = {}
	for _, row in ipairs(socket.netstat()) do
		rows[row.id] = row
	end
	tap.is(rows[listener].type, "LISTEN", "netstat lists the listener")
	tap.ok(rows[listener].accept > 0, "with the number of connections")
	tap.is(rows[server].type, "TCP", "netstat lists connections")
	tap.is(rows[server].read, 5, "with the bytes read")
	tap.is(rows[client].write, 5, "and written")
	tap.is(rows[client].address, skynet.self(), "and the owner")
	tap.is(rows[client].peer, LOCAL .. ":" .. port, "and the peer")
	close(client, server)
end

local function test_ipv6()
	local ok, id, address, port6 = pcall(socket.listen, "::1", 0)
	if not ok then
		return tap.pass "IPv6 is not there: not tested"
	end
	tap.is(address, "::1", "listen on IPv6")
	socket.start(id, function(new_id)
		socket.start(new_id)
		socket.write(new_id, "six")
	end)
	local client = socket.open(string.format("[::1]:%d", port6))
	tap.is(socket.read(client, 3), "six", "a bracketed address connects")
	close(client, id)
end

local function test_listener_closes()
	local id, _, own_port = socket.listen(LOCAL, 0)
	socket.start(id, function() end)
	socket.close(id)
	tap.is(socket.open(LOCAL, own_port), nil, "a closed listener refuses")
end

tap.run(function()
	test_listen()
	test_open_failures()
	test_reads()
	test_end_of_stream()
	test_half_close()
	test_one_reader()
	test_close_wakes_reader()
	test_several_closers()
	test_start_misuse()
	test_onclose_before_start()
	test_shutdown()
	test_abandon()
	test_long_lines()
	test_limit()
	test_pause()
	test_warning()
	test_priority()
	test_flush_on_close()
	test_timeouts()
	test_netstat()
	test_ipv6()
	test_listener_closes()
	socket.close(listener)
end)
