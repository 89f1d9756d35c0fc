-- A peer that never reads, under the limit of the config: it is cut off, and nothing else is.
-- config: socket_buffer_limit = 1048576
local driver = require "skynet.socketdriver"
local skynet = require "skynet"
local socket = require "skynet.socket"
local subject = require "subject"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"
local PIECE <const> = ("x"):rep(1 << 18)
-- more than the system and the limit can hold
local PIECES_MAX <const> = 4000

local listener, port
local accepted = {}

local function pair()
	local client = socket.open(LOCAL, port)
	tap.eventually(function() return accepted[1] end, "a client connects")
	local server = table.remove(accepted, 1)
	socket.start(server)
	return client, server
end

-- Writes until a write fails; the peer does not read.
local function flood(id)
	for i = 1, PIECES_MAX do
		if not socket.write(id, PIECE) then
			return i
		end
	end
	return nil
end

local function test_close()
	local deaf, server = pair()
	local other_client, other_server = pair()
	socket.pause(deaf)
	local closed
	socket.onclose(server, function(id) closed = id end)
	tap.ok(flood(server), "a write past the limit fails")
	tap.eventually(function() return closed == server end, "the connection is closed")
	subject.logs("send buffer limit", "the log says why")
	tap.is(socket.disconnected(server), true, "its socket is disconnected")
	socket.write(other_client, "question")
	tap.is(socket.read(other_server, 8), "question", "another client is served")
	socket.write(other_server, "answer")
	tap.is(socket.read(other_client, 6), "answer", "and answered")
	socket.close(server)
	socket.shutdown(deaf)
	socket.close(deaf)
	return other_client, other_server
end

local function test_single_write(client, server)
	local size <const> = 16 << 20
	tap.ok(socket.write(server, ("y"):rep(size)), "one write may be larger than the limit")
	tap.is(#socket.read(client, size), size, "and arrives")
end

local function test_reject(client, server)
	socket.pause(client)
	tap.is(driver.sendlimit(server, 1 << 20, "reject"), true, "a socket can have its own policy")
	local pieces = flood(server)
	tap.ok(pieces, "a write past the limit is rejected")
	tap.ok(not socket.invalid(server), "the socket stays")
	local expected = (pieces - 1) * #PIECE
	tap.is(#socket.read(client, expected), expected, "what was taken before arrives")
	socket.write(server, "behind")
	tap.is(socket.read(client, 6), "behind", "and what is sent when there is room again")
	tap.is(driver.sendlimit(server, 0), true, "the limit can be taken away")
	for _ = 1, 40 do
		if not socket.write(server, PIECE) then
			tap.fail "then everything is taken"
		end
	end
	tap.is(#socket.read(client, 40 * #PIECE), 40 * #PIECE, "and arrives without a limit")
end

local function test_datagrams()
	local id = socket.udp(function() end, LOCAL, 0)
	tap.is(driver.sendlimit(id, 1, "reject"), true, "datagram sockets have a limit, too")
	tap.is(driver.sendlimit(0x7fffffff, 1), false, "an unknown socket has none")
	tap.raises(function() driver.sendlimit(id, -1) end, "limit below zero",
		"a limit is not negative")
	tap.raises(function() driver.sendlimit(id, 1, "panic") end, "invalid option",
		"a policy is known")
	socket.close(id)
end

tap.run(function()
	local _
	listener, _, port = socket.listen(LOCAL, 0)
	socket.start(listener, function(id) accepted[#accepted + 1] = id end)
	local client, server = test_close()
	test_single_write(client, server)
	test_reject(client, server)
	test_datagrams()
	socket.close(client)
	socket.close(server)
	socket.close(listener)
	tap.is(skynet.call(skynet.newservice "puppet", "lua", "echo", 1), 1, "the node lives on")
end)
