-- config: cluster_buffer_limit = 300000
---A cluster node gets another address while much is under way to the old one, or comes from there.
---The node calls itself; a relay stands for a slow line to its old address.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local tap = require "tap"

local PIECE <const> = 65536
local LARGE <const> = 40000 -- travels in parts

local echo
local ports = {}

---@class relay
---@field address string
---@field forth integer  1/100 s for each piece of what goes to the node
---@field back integer  the same for what comes from there

---Copies bytes until one of the two connections has ended.
local function copy(from, to, relay, delay)
	while not socket.invalid(from) do
		local bytes = socket.read(from)
		if not bytes then
			break
		end
		for at = 1, #bytes, PIECE do
			skynet.sleep(relay[delay])
			socket.write(to, bytes:sub(at, at + PIECE - 1))
		end
	end
	socket.close(from)
	socket.close(to)
end

---@param port integer
---@return relay
local function new_relay(port)
	local relay = { forth = 0, back = 0 }
	local listener, _, own_port = socket.listen("127.0.0.1", 0)
	relay.address = "127.0.0.1:" .. own_port
	socket.start(listener, function(client)
		local server = socket.open("127.0.0.1", port)
		socket.start(client)
		skynet.fork(copy, client, server, relay, "forth")
		copy(server, client, relay, "back")
	end)
	return relay
end

local function status(node)
	return skynet.call(".clusterd", "lua", "links")[node] or {}
end

---What the service has noted since the last time, and whether that is in order.
local function noted(count, name)
	local notes
	tap.eventually(function()
		notes = skynet.call(echo, "lua", "notes")
		return #notes >= count
	end, name .. " arrives")
	local sorted = table.move(notes, 1, #notes, 1, {})
	table.sort(sorted)
	tap.is(table.concat(notes, " "), table.concat(sorted, " "), "and in order")
	tap.is(#notes, count, "once")
	skynet.call(echo, "lua", "forget")
end

local function a_slow_line_to_the_old_address()
	local relay = new_relay(ports[1])
	cluster.reload { slow = relay.address }
	cluster.call("slow", echo, "echo", ("x"):rep(LARGE))
	relay.forth = 10
	for number = 1, 20 do
		cluster.send("slow", echo, "note", number, ("x"):rep(LARGE))
	end
	cluster.reload { slow = "127.0.0.1:" .. ports[2] }
	cluster.send("slow", echo, "note", 21)
	tap.is(status "slow".state, "draining", "the old connection is waited for")
	tap.is(cluster.call("slow", "@echo", "note", 22), nil, "a call waits too")
	noted(22, "what was sent before and after a new address")
	tap.eventually(function() return status "slow".draining == 0 end, "the old connection ends")
end

---Requests that the node keeps because the answers before them have not left are not served yet.
local function a_slow_line_from_the_old_address()
	local relay = new_relay(ports[1])
	cluster.reload { lavish = relay.address }
	cluster.call("lavish", echo, "echo", ("x"):rep(LARGE))
	relay.back = 5
	local results = {}
	for number = 1, 11 do
		results[number] = tap.later(cluster.call, "lavish", echo, "large", number, 100000)
	end
	tap.eventually(function() return #skynet.call(echo, "lua", "notes") == 11 end,
		"large answers are given")
	for number = 12, 15 do
		results[number] = tap.later(cluster.call, "lavish", echo, "large", number, 100000)
	end
	tap.eventually(function()
		local _, _, incoming = skynet.call(".clusterd", "lua", "links")
		for _, connection in ipairs(incoming) do
			if connection.kept > 0 then
				return true
			end
		end
	end, "and requests are kept until they have left")
	cluster.reload { lavish = "127.0.0.1:" .. ports[2] }
	cluster.send("lavish", echo, "note", 16)
	noted(16, "what was kept and what came by the new address")
	for number, result in ipairs(results) do
		tap.eventually(function() return result.done end, "call " .. number .. " has ended")
		tap.is(result.value, number, "with its answer")
	end
end

local function many_changes()
	local relay = new_relay(ports[1])
	local addresses = { relay.address, "127.0.0.1:" .. ports[1], "127.0.0.1:" .. ports[2] }
	local answers = 0
	relay.forth, relay.back = 2, 1
	for number = 1, 200 do
		if number % 7 == 0 then
			cluster.reload { restless = addresses[number // 7 % 3 + 1] }
		elseif number == 1 then
			cluster.reload { restless = addresses[1] }
		end
		local size = number % 5 == 0 and LARGE or number
		if number % 3 == 0 then
			skynet.fork(function()
				local ok = pcall(cluster.call, "restless", echo, "note", number,
					("x"):rep(size))
				answers = answers + (ok and 1 or 0)
			end)
		else
			cluster.send("restless", echo, "note", number, ("x"):rep(size))
		end
		-- so that some links are up when the address changes, and some are not
		skynet.sleep(number % 11 == 0 and 3 or 0)
	end
	noted(200, "what was sent while the address changed again and again")
	tap.eventually(function() return answers == 66 end, "every call is answered")
end

---An old address that says nothing more.
local function a_mute_address()
	local accepted
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		accepted = id
		socket.start(id)
	end)
	cluster.reload { mute = "127.0.0.1:" .. port }
	local first = tap.later(cluster.call, "mute", echo, "echo", 1)
	tap.eventually(function() return accepted end, "a call is under way")
	cluster.reload { mute = "127.0.0.1:" .. ports[1] }
	tap.raises(function() cluster.call_timeout(2, "mute", echo, "echo", 2) end, "timeout",
		"a deadline holds while the old address is waited for")
	local second = tap.later(cluster.call, "mute", echo, "echo", 3)
	tap.ok(not first.done and not second.done, "calls without one wait")
	cluster.reload { mute = false }
	tap.eventually(function() return first.done and second.done end,
		"until the node is down on purpose")
	tap.is(skynet.error_kind(first.value), "dead_node", "the one that was sent is lost")
	tap.is(skynet.error_kind(second.value), "dead_node", "and so is the one that was not")
	cluster.reload { mute = "127.0.0.1:" .. ports[1] }
	tap.is(cluster.call("mute", echo, "echo", 4), 4, "then a new address serves at once")
	socket.close(accepted)
	socket.close(listener)
end

tap.run(function()
	echo = skynet.newservice "cluster_echo"
	cluster.register("echo", echo)
	for i = 1, 2 do
		ports[i] = select(2, cluster.open(0))
	end
	a_slow_line_to_the_old_address()
	a_slow_line_from_the_old_address()
	many_changes()
	a_mute_address()
end)
