-- Datagrams of skynet.socket.
local socket = require "skynet.socket"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"

-- A socket bound to a free port. UDP has no way to be told the port, so ask netstat.
local function bound(callback, host)
	for _ = 1, 100 do
		local port = math.random(20000, 60000)
		local ok, id = pcall(socket.udp_listen, host or LOCAL, port, callback)
		if ok then
			return id, port
		end
	end
	error "no free port"
end

-- Datagrams may be lost, even here: send until something comes back.
local function until_received(send, condition, name)
	tap.eventually(function()
		if not condition() then
			send()
		end
		return condition()
	end, name)
end

local function echo_server(host)
	local id, port
	id, port = bound(function(data, from)
		socket.sendto(id, from, data)
	end, host)
	return id, port
end

local function test_dial(host)
	local server, port = echo_server(host)
	local got, from
	local client = socket.udp_dial(host, port, function(data, address)
		got, from = data, address
	end)
	until_received(function() socket.write(client, "ping") end, function() return got end,
		"an answer comes to a dialled socket on " .. host)
	tap.is(got, "ping", "with the data")
	tap.is_deeply({ socket.udp_address(from) }, { host, port }, "and the address of the sender")
	got = nil
	until_received(function() socket.write(client, "") end, function() return got end,
		"an empty datagram is delivered")
	tap.is(got, "", "as an empty string")
	socket.close(client)
	socket.close(server)
	tap.ok(socket.invalid(client), "close ends a datagram socket")
end

local function test_connect()
	local server, port = echo_server()
	local got
	local client = socket.udp(function(data) got = data end)
	socket.udp_connect(client, LOCAL, port)
	until_received(function() socket.write(client, "one") end, function() return got end,
		"an answer comes to a connected socket")
	tap.is(got, "one", "with the data")
	local other
	socket.udp_connect(client, LOCAL, port, function(data) other = data end)
	until_received(function() socket.write(client, { "t", "w", "o" }) end,
		function() return other end, "the callback can be changed")
	tap.is(other, "two", "and gets the data")
	tap.raises(function() socket.udp_connect(client, "300.1.1.1", 1) end, "udp connect failed",
		"udp_connect raises for no address")
	socket.close(client)
	socket.close(server)
end

local function test_large()
	local got
	local server, port = bound(function(data) got = data end)
	local client = socket.udp_dial(LOCAL, port, function() end)
	local text = ("u"):rep(60000)
	until_received(function() socket.write(client, text) end, function() return got end,
		"a datagram of 60000 bytes arrives")
	tap.ok(got == text, "whole")
	socket.write(client, ("u"):rep(70000))
	got = nil
	until_received(function() socket.write(client, "small") end, function() return got end,
		"one that is too long does not end the socket")
	socket.close(client)
	socket.close(server)
end

local function test_refused()
	local server, port = bound(function() end)
	socket.close(server)
	local closed, got
	local client = socket.udp_dial(LOCAL, port, function() end)
	socket.onclose(client, function() closed = true end)
	for _ = 1, 3 do
		socket.write(client, "refused")
	end
	tap.eventually(function()
		local ok, id = pcall(socket.udp_listen, LOCAL, port, function(data) got = data end)
		server = ok and id
		return ok
	end, "the port is used again")
	until_received(function() socket.write(client, "heard") end, function() return got end,
		"a refused datagram does no harm to those behind it")
	tap.ok(not closed and not socket.invalid(client), "nor to the socket")
	socket.close(client)
	socket.close(server)
	tap.ok(socket.invalid(client), "and the socket can be closed")
end

tap.run(function()
	test_dial(LOCAL)
	if pcall(socket.udp_listen, "::1", math.random(20000, 60000), function() end) then
		test_dial("::1")
	end
	test_connect()
	test_large()
	test_refused()
end)
