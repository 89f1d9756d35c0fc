-- config: auth_secret = "a secret that is long enough"
-- config: auth_timeout = 1
-- Guarded sockets in Lua: both ends authenticate, others do not come in.
local driver = require "skynet.socketdriver"
local skynet = require "skynet"
local socket = require "skynet.socket"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"
local BACKLOG <const> = 8

-- A listener that keeps what it accepts in a list.
local function listen(guarded)
	local accepted = {}
	local id, address, port = socket.listen(LOCAL, 0, BACKLOG, guarded)
	assert(id, address)
	socket.start(id, function(fd, from)
		accepted[#accepted + 1] = { fd = fd, from = from }
	end)
	return port, accepted
end

local function await(accepted)
	tap.eventually(function() return accepted[1] end, "a connection is accepted")
	local connection = table.remove(accepted, 1)
	socket.start(connection.fd)
	return connection.fd, connection.from
end

tap.run(function()
	local port, accepted = listen(true)
	tap.is(skynet.getenv "auth_secret", nil, "services do not see the secret")
	tap.is(driver.guards().kind, "secret", "guards tells how nodes authenticate")

	local client = socket.open(LOCAL, port, nil, true)
	tap.ok(client, "both ends authenticate")
	local server, from = await(accepted)
	tap.like(from, "^127%.0%.0%.1:%d+$", "the listener is told where from")
	socket.write(client, "ask\n")
	tap.is(socket.readline(server), "ask", "bytes pass one way")
	socket.write(server, "answer\n")
	tap.is(socket.readline(client), "answer", "and the other")
	local large = ("x"):rep(3000000)
	socket.write(client, large)
	tap.ok(socket.read(server, #large) == large, "large amounts pass")
	socket.close(client)
	tap.is(socket.read(server, 1), false, "the end is seen")
	socket.close(server)

	local plain = socket.open(LOCAL, port)
	tap.ok(plain, "a plain dialler is connected")
	socket.write(plain, "\x05hello")
	local refusal = socket.read(plain, 9)
	tap.like(driver.demands(refusal), "the other side has ", "and told what is wanted")
	tap.is(socket.read(plain, 1), false, "when it speaks, and closed")
	tap.is(driver.demands "anything else", nil, "other bytes say nothing of it")
	socket.close(plain)
	local silent = socket.open(LOCAL, port)
	tap.is(socket.read(silent, 1), false, "or when it says nothing in time")
	socket.close(silent)
	tap.is(#accepted, 0, "nobody hears of them")
	local guards = driver.guards()
	tap.is(guards.accepted, 1, "guards counts those that authenticated")
	tap.is(guards.dialled, 1, "those that were dialled")
	tap.is(guards.failed, 2, "and those that did not")

	local plain_port, plain_accepted = listen(false)
	local id, message = socket.open(LOCAL, plain_port, nil, true)
	tap.is(id, nil, "a listener that does not answer is no node")
	tap.like(message, "neither auth_secret nor tls_cert", "the message says why")
	tap.ok(plain_accepted[1], "it has seen a connection")
	socket.close_fd(plain_accepted[1].fd)
	id, message = socket.open(LOCAL, plain_port, 1, true)
	tap.is(id, nil, "a dial may be given up before")
	tap.is(message, "timeout", "as any other")

	id, message = socket.listen(LOCAL, plain_port, BACKLOG, true)
	tap.is(id, nil, "a port in use is an error")
	tap.like(message, "Address already in use", "that is told")
	tap.raises(function() driver.connect_guarded(LOCAL) end, "Invalid address",
		"an address without port is refused")
	tap.raises(function() driver.connect_guarded(LOCAL, 70000) end, "Invalid port",
		"and a port that is none")
	tap.raises(function() driver.listen_guarded(LOCAL, 0, -1) end, "backlog",
		"a backlog below zero is refused")
	id = socket.open(LOCAL, 1, nil, true)
	tap.is(id, nil, "nobody there is an error too")
end)
