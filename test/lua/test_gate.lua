---The gate as a C service: what watchdog, agents and brokers get, what clients see, and its limits.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local tap = require "tap"

local LARGEST <const> = 16 * 1024 * 1024 - 1
local seen = {} -- what this service got as watchdog, agent or broker, one line each

local function note(...)
	seen[#seen + 1] = table.concat({ ... }, " ")
end

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
	dispatch = function(session, _, text)
		skynet.ignoreret()
		note(session, (text:gsub("127%.0%.0%.1:%d+", "127.0.0.1:PORT")))
	end,
}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
	dispatch = function(session, source, text)
		skynet.ignoreret()
		note("client", session, source, text)
	end,
}

---The port that a gate has picked.
local function port_of(gate)
	for _, info in ipairs(socket.netstat()) do
		if info.type == "LISTEN" and info.address == gate then
			return math.tointeger(tonumber(info.sock:match ":(%d+)$"))
		end
	end
end

local function command(gate, ...)
	skynet.send(gate, "text", table.concat({ ... }, " "))
end

---Wait for `count` lines, check that they are these, and forget them.
---@async
local function expect(expected, name)
	tap.eventually(function()
		return #seen >= #expected
	end, name .. " (arrives)")
	tap.is_deeply(seen, expected, name)
	seen = {}
end

---Forget what is seen until the watchdog hears of an open connection; give its socket id.
---@async
local function opened()
	local id
	tap.eventually(function()
		for _, line in ipairs(seen) do
			id = line:match "^0 (%d+) open "
		end
		return id
	end, "tells the watchdog of a connection")
	seen = {}
	return tonumber(id)
end

---A client that connects and starts to be read.
---@async
local function connect(gate, port)
	local client = socket.open("127.0.0.1", port)
	local id = opened()
	command(gate, "start", id)
	return client, id
end

local function launch(...)
	return skynet.launch("gate", table.concat({ ... }, " "))
end

local function delivers_packets()
	local gate = launch("S", skynet.address(skynet.self()), "127.0.0.1:0", 0, 4)
	local port = port_of(gate)
	tap.ok(port, "opens")
	local client = socket.open("127.0.0.1", port)
	tap.eventually(function()
		return #seen > 0
	end, "tells of a connection")
	local id = tonumber(seen[1]:match "^0 (%d+) ")
	tap.is(seen[1], ("0 %d open %d 127.0.0.1:PORT:0"):format(id, id), "with its address")
	seen = {}
	socket.write(client, "\0\5hello")
	command(gate, "start", id)
	expect({ ("%d %d data hello"):format(id, id) }, "reads only after start")
	socket.write(client, "\0\3abc\0\0\0\2de")
	expect({ id .. " " .. id .. " data abc", id .. " " .. id .. " data de" },
		"skips empty packets")
	socket.write(client, "\0\4ab")
	socket.write(client, "cd")
	expect({ id .. " " .. id .. " data abcd" }, "joins what was split")

	command(gate, "forward", id, skynet.address(skynet.self()), ":1234")
	socket.write(client, "\0\3fwd")
	expect({ "client " .. id .. " 4660 fwd" }, "forwards to the agent as the client")
	skynet.send(gate, "client", "reply" .. string.pack("<I4", id))
	tap.is(socket.read(client, 5), "reply", "writes what it gets from the inside")
	command(gate, "broker", skynet.address(skynet.self()))
	socket.write(client, "\0\3brk")
	expect({ "client " .. id .. " " .. gate .. " brk" }, "prefers the broker, as itself")

	for _, nonsense in ipairs { "", "k " .. id, "kick", "kick x", "kick 999999", "forward",
		"forward " .. id, "forward " .. id .. " x y", "start -1", ("x"):rep(5000) } do
		command(gate, nonsense)
	end
	skynet.send(gate, "client", "")
	skynet.send(gate, "client", "abcd")
	skynet.send(gate, "client", "to nobody" .. string.pack("<I4", 0xffffffff))
	socket.write(client, "\0\2ok")
	expect({ "client " .. id .. " " .. gate .. " ok" }, "survives commands that make no sense")

	command(gate, "kick", id)
	tap.is(socket.read(client), false, "kicks")
	expect({ "0 " .. id .. " close" }, "and tells the watchdog")
	socket.close(client)
	return gate, port
end

local function limits_connections(gate, port)
	local clients = {}
	for i = 1, 4 do
		clients[i] = socket.open("127.0.0.1", port)
		opened()
	end
	for _ = 1, 2 do
		local more = socket.open("127.0.0.1", port)
		tap.is(socket.read(more), false, "closes one connection too many")
		socket.close(more)
	end
	tap.is(#seen, 0, "without a word to the watchdog")
	socket.close(clients[1])
	command(gate, "close")
	tap.eventually(function()
		local id = socket.open("127.0.0.1", port)
		if id then
			socket.close(id)
		end
		return not id
	end, "close stops listening")
	skynet.kill(gate)
	for i = 2, 4 do
		tap.is(socket.read(clients[i]), false, "its end closes its connections")
		socket.close(clients[i])
	end
	seen = {}
end

local function checks_long_lengths()
	local gate = launch("L", skynet.address(skynet.self()), 0, 0, 4)
	local port = port_of(gate)
	local client, id = connect(gate, port)
	socket.write(client, "\0\0\0\5hello")
	expect({ id .. " " .. id .. " data hello" }, "takes lengths of four bytes")
	local large = ("x"):rep(LARGEST)
	socket.write(client, string.pack(">s4", large))
	expect({ id .. " " .. id .. " data " .. large }, "takes a packet of 16 MiB less one")
	for _, head in ipairs { "\1\0\0\0", "\255\255\255\255" } do
		socket.write(client, head)
		tap.is(socket.read(client), false, "closes as soon as more is announced")
		expect({ "0 " .. id .. " close" }, "and tells")
		socket.close(client)
		client, id = connect(gate, port)
	end
	socket.close(client)
	skynet.kill(gate)
	seen = {}
end

local function checks_arguments()
	for _, line in ipairs { "S ! 127.0.0.1:0 0 4", "S ! 0 0 4",
		"L ! unix:" .. skynet.getenv "test_tmp" .. "/gate 7 1" } do
		local gate = launch(line)
		tap.ok(gate, "starts with " .. line)
		skynet.kill(gate)
	end
	for _, line in ipairs { "X ! 1 0 4", "S ! 1 0 0", "S !", "", "S .nosuch 127.0.0.1:1 0 4",
		"S ! 127.0.0.1:x 0 4", "S ! 65536 0 4", "S ! 1 256 4", "S ! 1 0 -1", "SL ! 1 0 1",
		"S ! 999.1.1.1:1 0 4", ("S ! 1 0 4"):rep(500, " ") } do
		tap.is(launch(line), nil, "does not start with " .. line:sub(1, 40))
	end
end

local function listens_on_a_unix_path()
	local path = "unix:" .. skynet.getenv "test_tmp" .. "/other"
	local gate = launch("S", skynet.address(skynet.self()), path, 0, 1)
	local client = socket.open(path)
	local id = opened()
	command(gate, "start", id)
	socket.write(client, "\0\1u")
	expect({ id .. " " .. id .. " data u" }, "listens on a path")
	socket.close(client)
	expect({ "0 " .. id .. " close" }, "tells when the client closes")
	skynet.kill(gate)
end

tap.run(function()
	limits_connections(delivers_packets())
	checks_long_lengths()
	checks_arguments()
	listens_on_a_unix_path()
end)
