-- snax.gateserver and the gate service, through real connections.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"
local READ_DEADLINE_CS <const> = 3000

local function frame(text)
	return string.pack(">s2", text)
end

-- ---- a gate that writes down its events ----

local function open_gate(conf)
	local gate = skynet.newservice "gate_owner"
	conf.address = conf.address or LOCAL
	conf.port = conf.port or 0
	local address, port = skynet.call(gate, "lua", "open", conf)
	tap.is(address, LOCAL, "open answers the address")
	tap.ok(port > 0, "open answers the port")
	return gate, port
end

local function events_of(gate)
	return skynet.call(gate, "lua", "events")
end

-- Waits until the gate has `count` events and gives them as one text.
local function await_events(gate, count, name)
	local events
	tap.eventually(function()
		events = events_of(gate)
		return #events >= count
	end, name)
	return table.concat(events, "|")
end

-- How many bytes the gate has read from its clients, of those that are connected.
local function bytes_read(gate)
	local count = 0
	for _, row in ipairs(socket.netstat()) do
		if row.address == gate then
			count = count + (row.read or 0)
		end
	end
	return count
end

-- Each: pieces as they are written, events that follow.
local STREAMS <const> = {
	{ { "\0\5hello" }, { "hello" } },
	{ { "\0\2ab\0\3cde" }, { "ab", "cde" } },
	{ { "\0", "\5hello" }, { "hello" } },
	{ { "\0\5", "hello" }, { "hello" } },
	{ { "\0\5he", "llo" }, { "hello" } },
	{ { "\0", "\3", "x", "y", "z" }, { "xyz" } },
	{ { "\0\1a\0\1b\0\1c\0\3d", "ef" }, { "a", "b", "c", "def" } },
	{ { "\0\1a\0", "\1b" }, { "a", "b" } },
	{ { "\0\1a\0\2", "bc" }, { "a", "bc" } },
	{ { "\0\0" }, { "" } },
	{ { "\0\1a\0\0\0\1b" }, { "a", "", "b" } },
	{ { "\0\0\0\0\0\0" }, { "", "", "" } },
	{ { "\0", "\0" }, { "" } },
	{ { "\1\0" .. ("q"):rep(256) }, { "256" } },
	{ { "\0\5he" }, {} },
	{ { "\0" }, {} },
	{ { "\255\255" .. ("x"):rep(65535) }, { "65535" } },
}

local function test_streams()
	local gate, port = open_gate { nodelay = true }
	for _, stream in ipairs(STREAMS) do
		skynet.call(gate, "lua", "clear")
		local expected = { "connect local" }
		for _, text in ipairs(stream[2]) do
			expected[#expected + 1] = "message " .. text
		end
		expected[#expected + 1] = "disconnect"
		local client = socket.open(LOCAL, port)
		-- one by one: each is to be read by itself
		local written, read = 0, 0
		for _, piece in ipairs(stream[1]) do
			socket.write(client, piece)
			written = written + #piece
			for _ = 1, READ_DEADLINE_CS do
				read = bytes_read(gate)
				if read >= written then
					break
				end
				skynet.sleep(1)
			end
		end
		if read ~= written then
			tap.fail("every piece is read", read .. " of " .. written .. " bytes")
		end
		socket.close(client)
		local name = string.format("%d pieces, %d frames", #stream[1], #stream[2])
		tap.is(await_events(gate, #expected, name .. " arrive"), table.concat(expected, "|"),
			name .. " in order")
	end
end

local function test_commands()
	local gate, port = open_gate {}
	tap.raises(function() skynet.call(gate, "lua", "open", { port = 0 }) end, "call failed",
		"a second open is an error")
	skynet.call(gate, "lua", "close")
	tap.eventually(function()
		local id = socket.open(LOCAL, port)
		if id then
			socket.close(id)
		end
		return not id
	end, "close stops listening")
	tap.raises(function() skynet.call(gate, "lua", "nonsense") end, "call failed",
		"an unknown command is an error")
	local again = skynet.newservice "gate_owner"
	local holder, _, used = socket.listen(LOCAL, 0)
	tap.raises(function()
		skynet.call(again, "lua", "open", { address = LOCAL, port = used })
	end, "call failed", "a port in use is an error")
	socket.close(holder)
	tap.ok(select(2, skynet.call(again, "lua", "open", { address = LOCAL .. ":0" })) > 0,
		"after it, and with the port in the address, open works")
end

local function test_maxclient()
	local gate, port = open_gate { maxclient = 3 }
	local clients = {}
	for i = 1, 3 do
		clients[i] = socket.open(LOCAL, port)
	end
	await_events(gate, 4, "three clients connect")
	for _ = 1, 5 do
		local refused = socket.open(LOCAL, port)
		tap.is(refused and socket.read(refused), refused and false, "one more is closed")
		socket.close(refused or 0)
	end
	tap.is(table.concat(events_of(gate), "|"),
		"open number|connect local|connect local|connect local", "without any event")
	socket.close(clients[1])
	await_events(gate, 5, "a client leaves")
	clients[1] = socket.open(LOCAL, port)
	tap.like(await_events(gate, 6, "another one comes"), "disconnect|connect local$", "in its place")
	for i = 1, 3 do
		socket.close(clients[i])
	end
end

local function test_suspended_handler()
	local gate, port = open_gate {}
	local client = socket.open(LOCAL, port)
	socket.write(client, frame "suspend" .. frame "a" .. frame "error" .. frame "b" .. frame "c")
	tap.is(await_events(gate, 6, "frames behind a suspended one are handled"),
		"open number|connect local|message a|raise|message b|message c",
		"in order, an error does not stop them")
	skynet.call(gate, "lua", "resume")
	tap.like(await_events(gate, 7, "the first one goes on"), "message suspend$", "later")
	socket.write(client, frame "close" .. frame "dropped")
	tap.like(await_events(gate, 9, "closeclient closes"), "message close|disconnect$",
		"frames behind it are dropped")
	tap.is(socket.read(client), false, "the client sees the end")
	socket.close(client)
end

local function test_hostile_clients()
	local gate, port = open_gate {}
	local clients = {}
	-- each announces 64 KiB and sends a few bytes
	for i = 1, 200 do
		clients[i] = socket.open(LOCAL, port)
		socket.write(clients[i], "\255\255abc")
	end
	await_events(gate, 201, "200 clients connect")
	local reader = socket.open(LOCAL, port)
	socket.pause(reader)
	socket.write(reader, frame "echo":rep(20000))
	await_events(gate, 20202, "frames of one who never reads are handled")
	socket.shutdown(reader)
	socket.close(reader)
	local last = socket.open(LOCAL, port)
	socket.write(last, frame "echo")
	tap.is(socket.read(last, 6), frame "echo", "the gate still works")
	for i = 1, 200 do
		socket.shutdown(clients[i])
		socket.close(clients[i])
	end
	socket.close(last)
end

local function test_flood_of_tiny_frames()
	local gate, port = open_gate {}
	local client = socket.open(LOCAL, port)
	socket.write(client, ("\0\0"):rep(30000))
	tap.eventually(function()
		return #events_of(gate) == 30002
	end, "30000 empty frames are handled")
	socket.close(client)
end

local function test_flood_and_another_client()
	local gate, port = open_gate {}
	local flooder, other = socket.open(LOCAL, port), socket.open(LOCAL, port)
	await_events(gate, 3, "two clients connect")
	local total <const> = 300000
	local function count()
		return skynet.call(gate, "lua", "count")
	end
	socket.write(flooder, frame(("x"):rep(20)):rep(total))
	tap.eventually(function()
		return count() > 1000
	end, "a flood is under way")
	socket.write(other, frame "echo")
	tap.is(socket.read(other, 6), frame "echo", "another client gets its answer")
	tap.ok(count() < total, "before the flood is over")
	tap.eventually(function()
		return count() == total + 4
	end, "of which nothing is lost")
	skynet.call(gate, "lua", "clear")
	socket.close(flooder)
	socket.close(other)
end

-- ---- the gate service ----

local watched = {}

local function start_watchdog()
	skynet.dispatch("lua", function(_, _, kind, sub, fd, ...)
		tap.is(kind, "socket", "the watchdog gets socket messages")
		watched[#watched + 1] = { sub = sub, fd = fd, ... }
	end)
end

local function await_watched(sub)
	local event
	tap.eventually(function()
		event = table.remove(watched, 1)
		return event
	end, "the watchdog is told: " .. sub)
	tap.is(event and event.sub, sub, "namely " .. sub)
	return event or {}
end

local function test_gate_service()
	local gate = skynet.newservice "gate"
	local agent = skynet.newservice "gate_agent"
	local address, port = skynet.call(gate, "lua", "open",
		{ address = LOCAL, port = 0, maxclient = 10 })
	tap.is(address, LOCAL, "the gate answers the address")
	local client = socket.open(LOCAL, port)
	local fd = await_watched("open").fd
	socket.write(client, frame "early")
	skynet.call(gate, "lua", "accept", fd)
	tap.is(await_watched("data")[1], "early", "frames go to the watchdog")
	skynet.call(gate, "lua", "forward", fd, 4660, agent)
	socket.write(client, frame "to the agent")
	skynet.call(gate, "lua", "forward", fd, 0, agent)
	tap.eventually(function() return #skynet.call(agent, "lua") == 1 end, "frames go to the agent")
	skynet.call(gate, "lua", "pause", fd)
	socket.write(client, frame "paused")
	-- what comes behind it on another connection is read
	local other = socket.open(LOCAL, port)
	local marker = await_watched("open").fd
	skynet.call(gate, "lua", "accept", marker)
	socket.write(other, frame "marker")
	tap.is(await_watched("data")[1], "marker", "another client is read")
	tap.is(#skynet.call(agent, "lua"), 1, "a paused client is not read")
	socket.close(other)
	tap.is(await_watched("close").fd, marker, "the other client leaves")
	skynet.call(gate, "lua", "play", fd)
	tap.eventually(function() return #skynet.call(agent, "lua") == 2 end, "play goes on")
	local frames = skynet.call(agent, "lua")
	tap.is(frames[1].text, "to the agent", "the agent gets the frame")
	tap.is(frames[1].session, fd, "with the fd as session")
	tap.is(frames[2].source, gate, "client 0 means the gate")
	skynet.call(gate, "lua", "kick", fd)
	tap.is(await_watched("close").fd, fd, "after a kick")
	tap.is(socket.read(client), false, "the client sees the end")
	socket.close(client)
	for _, cmd in ipairs { "forward", "accept", "pause", "play", "nonsense" } do
		tap.raises(function() skynet.call(gate, "lua", cmd, fd) end, "call failed",
			cmd .. " of an unknown fd is an error")
	end
	skynet.call(gate, "lua", "kick", fd)
	tap.pass "kick of an unknown fd is ignored"
end

local function test_reset()
	local gate = skynet.newservice "gate"
	local _, port = skynet.call(gate, "lua", "open", { address = LOCAL, port = 0, maxclient = 1 })
	for _ = 1, 3 do
		local client
		local fd
		tap.eventually(function()
			client = client or socket.open(LOCAL, port)
			if watched[1] then
				fd = table.remove(watched, 1).fd
			end
			return fd
		end, "a client connects")
		skynet.call(gate, "lua", "accept", fd)
		-- unread data makes the system reset the connection
		socket.pause(client)
		socket.write(client, frame "x")
		await_watched "data"
		socket.close(client)
		local event
		repeat
			tap.eventually(function()
				event = table.remove(watched, 1)
				return event
			end, "the end is told")
		until not event or event.sub == "close"
		skynet.call(gate, "lua", "kick", fd)
	end
	tap.pass "a place of maxclient comes back each time"
end

local function test_death()
	for _, leave in ipairs { skynet.kill, function(gate) skynet.send(gate, "debug", "EXIT") end } do
		local gate, port = open_gate {}
		leave(gate)
		tap.eventually(function()
			local another = skynet.newservice "gate_owner"
			if pcall(skynet.call, another, "lua", "open", { address = LOCAL, port = port }) then
				skynet.call(another, "lua", "close")
				return true
			end
			skynet.kill(another)
		end, "when a gate has ended another one can have its address")
	end
end

tap.run(function()
	start_watchdog()
	test_streams()
	test_commands()
	test_maxclient()
	test_suspended_handler()
	test_hostile_clients()
	test_flood_of_tiny_frames()
	test_flood_and_another_client()
	test_gate_service()
	test_reset()
	test_death()
end)
