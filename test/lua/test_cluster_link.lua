-- config: cluster_heartbeat = 1
-- config: cluster_buffer_limit = 300000
---The link to a cluster node, with a stranger at the other end that does as it is told: dials,
---pauses, changed addresses, deadlines, order of answers, what waits.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local tap = require "tap"

local PROBE <const> = 0xffffffff
local FENCE <const> = 0xfffffffd
local BEGIN <const>, PART <const>, LAST <const> = 2, 3, 4

local function frame(body)
	return string.pack(">s2", body)
end

local function answer(session, kind, bytes)
	return frame(string.pack("<I4B", session, kind) .. bytes)
end

---@class stranger
---@field id integer  of its listener
---@field address string
---@field connections integer[]  in the order they came
---@field seen { session: integer, name: string, body: string, from: integer }[]
---@field closed integer  connections that the other side has ended

---@return string? frame  nil: the connection has ended
local function read_frame(connection)
	local head = socket.read(connection, 2)
	return head and socket.read(connection, (string.unpack(">I2", head)))
end

---Reads frames of a connection until it ends.
local function read_requests(stranger, connection, on_request)
	while true do
		local body = read_frame(connection)
		if not body then
			break
		end
		local request = { from = connection, type = body:byte(1), body = body }
		if request.type == 0x80 then
			local _, name, session = string.unpack("<Bs1I4", body)
			request.name, request.session = name, session
			request.payload = body:sub(7 + #name)
		elseif request.type == 0 then
			request.session = string.unpack("<I4", body, 6)
			request.probe = request.session == PROBE
			if request.session == FENCE then
				socket.write(connection, answer(FENCE, 0, "name not found"))
			end
		end
		stranger.seen[#stranger.seen + 1] = request
		if on_request then
			on_request(request)
		end
	end
	stranger.closed = stranger.closed + 1
	socket.close(connection)
end

---@param on_request fun(request: table)?
---@param on_connection fun(id: integer): boolean?  true: nobody reads
---@return stranger
local function new_stranger(on_request, on_connection)
	local stranger = { connections = {}, seen = {}, closed = 0 }
	local id, _, port = socket.listen("127.0.0.1", 0)
	stranger.id, stranger.address = id, "127.0.0.1:" .. port
	socket.start(id, function(connection)
		table.insert(stranger.connections, connection)
		if on_connection and on_connection(connection) then
			return
		end
		socket.start(connection)
		read_requests(stranger, connection, on_request)
	end)
	return stranger
end

local function yes(request)
	if request.name and request.session ~= 0 then
		socket.write(request.from, answer(request.session, 1, skynet.packstring "yes"))
	end
end

---What the console would show of the link.
local function status(node)
	return skynet.call(".clusterd", "lua", "links")[node] or {}
end

---Requests by name that a stranger has got.
local function named(stranger)
	local list = {}
	for _, request in ipairs(stranger.seen) do
		if request.name then
			list[#list + 1] = request
		end
	end
	return list
end

local function wait_named(stranger, count, name)
	tap.eventually(function() return #named(stranger) >= count end, name)
	return named(stranger)
end

local function dials()
	local id, _, port = socket.listen("127.0.0.1", 0)
	socket.close(id)
	cluster.reload { refused = "127.0.0.1:" .. port }
	local ok, message = pcall(cluster.call, "refused", "@any")
	tap.ok(not ok, "a call to a closed port fails")
	tap.is(skynet.error_kind(message), "dead_node", "because the node is dead")
	ok, message = pcall(cluster.call, "refused", "@any")
	tap.ok(not ok and message:find "dead node refused %(cannot be reached: .*[Rr]efused",
		"a call during the pause fails too, and says why: " .. tostring(message))
	cluster.send("refused", "@any")
	local again
	tap.eventually(function()
		again = again or socket.listen("127.0.0.1", port)
		return again
	end, "the port is free again")
	socket.start(again, function(connection)
		socket.start(connection)
		read_requests({ seen = {}, closed = 0 }, connection, yes)
	end)
	tap.eventually(function()
		local called, value = pcall(cluster.call, "refused", "@any")
		return called and value == "yes"
	end, "the node is reached when the pause is over")
	tap.is(status "refused".failed, 0, "and the failures are forgotten")
	socket.close(again)

	local open = false
	local useless = new_stranger(yes, function(connection)
		if not open then
			socket.close_fd(connection)
		end
		return not open
	end)
	cluster.reload { useless = useless.address }
	for _ = 1, 30 do
		ok, message = pcall(cluster.call, "useless", "@any")
		if ok or not message:find "dead node useless %(lost: " then
			break
		end
	end
	tap.ok(not ok and message:find "dead node useless %(lost: ",
		"calls to who closes every connection fail: " .. tostring(message))
	tap.ok(#useless.connections < 30, "and do not dial each time: " .. #useless.connections)
	open = true
	tap.eventually(function()
		local called, value = pcall(cluster.call, "useless", "@any")
		return called and value == "yes"
	end, "it is reached when it is of use")
	tap.is(status "useless".failed, 0, "and the failures are forgotten")
	socket.close(useless.id)

	local stranger = new_stranger(yes)
	cluster.reload { single = stranger.address }
	local results = {}
	for i = 1, 50 do
		results[i] = tap.later(cluster.call, "single", "@any", i)
	end
	tap.eventually(function()
		for i = 1, 50 do
			if not results[i].done then
				return false
			end
		end
		return true
	end, "calls wait for the dial")
	tap.is(#stranger.connections, 1, "many first calls share one dial")
	local in_order = true
	for i, request in ipairs(named(stranger)) do
		in_order = in_order and skynet.unpack(request.payload) == i
			and request.session == i
	end
	tap.ok(in_order, "and leave in their order")
end

local function changes()
	local first, second = new_stranger(), new_stranger(yes)
	cluster.reload { moved = first.address }
	local result = tap.later(cluster.call, "moved", "@any", 1)
	local request = wait_named(first, 1, "a call is under way")[1]
	cluster.reload { moved = second.address, other = "127.0.0.1:1" }
	tap.is(cluster.call("moved", "@any", 2), "yes", "a changed address is used at once")
	tap.ok(not result.done, "the call that is under way waits on")
	tap.is(first.closed, 0, "on its connection")
	tap.is(status "moved".draining, 1, "which drains")
	socket.write(request.from, answer(request.session, 1, skynet.packstring "late"))
	tap.eventually(function() return result.done end, "and gets its answer")
	tap.is(result.value, "late", "which is that of the old address")
	tap.eventually(function() return first.closed == 1 end, "the old connection ends then")

	result = tap.later(cluster.call, "moved", "@any", 3)
	tap.eventually(function() return result.done end, "the new one serves on")
	cluster.reload { moved = first.address }
	tap.eventually(function() return second.closed == 1 end,
		"a connection without calls ends at once")
	result = tap.later(cluster.call, "moved", "@any", 4)
	wait_named(first, 2, "the first address is used again")
	cluster.reload { moved = false }
	tap.eventually(function() return result.done end, "down on purpose ends a call")
	tap.is(skynet.error_kind(result.value), "dead_node", "as a dead node does")
end

local function deadlines()
	local stranger = new_stranger()
	cluster.reload { slow = stranger.address }
	-- what is over before there is a connection is never sent
	cluster.send("slow", "@any")
	wait_named(stranger, 1, "a node is reached")
	cluster.reload { __call_timeout = 5 }
	local ok, message = pcall(cluster.call, "slow", "@any", 1)
	tap.ok(not ok, "the default deadline ends a call")
	tap.is(skynet.error_kind(message), "timeout", "with its own reason")
	tap.like(message, "call failed: timeout of cluster node slow", "that names the node")
	tap.raises(function() cluster.call_timeout(3, "slow", "@any", 2) end, "timeout",
		"so does the deadline of a call")
	tap.eventually(function() return status "slow".calls == 0 end, "nothing of them stays")
	local requests = wait_named(stranger, 3, "both were sent")
	for i = 2, 3 do
		socket.write(requests[i].from,
			answer(requests[i].session, 1, skynet.packstring "too late"))
	end
	cluster.reload { __call_timeout = 0 }
	local result = tap.later(cluster.call, "slow", "@any", 3)
	local request = wait_named(stranger, 4, "the next call is sent")[4]
	socket.write(request.from, answer(request.session, 1, skynet.packstring "good"))
	tap.eventually(function() return result.done end, "and answered")
	tap.is(result.value, "good", "late answers of others are not taken for its own")
	tap.raises(function() cluster.reload { __call_timeout = "soon" } end, "__call_timeout",
		"a wrong deadline is refused")
	result = tap.later(cluster.call, "slow", "@any", 4)
	skynet.sleep(12)
	tap.ok(not result.done, "without a default a call waits")
	tap.raises(function() cluster.call_timeout(5, "unknown", "@any") end, "timeout",
		"a deadline holds while a node is not known")
	tap.raises(function() cluster.call_timeout(0, "slow", "@any") end, "positive",
		"a deadline of nothing is refused")
end

local function orders()
	local packed = skynet.packstring(("x"):rep(40000))
	local half = #packed // 2
	local stranger = new_stranger()
	cluster.reload { ordered = stranger.address }
	local done = {}
	for i = 1, 4 do
		skynet.fork(function()
			-- The third goes to somebody else.
			cluster.call("ordered", i == 3 and "@other" or "@any", i)
			done[#done + 1] = i
		end)
	end
	local requests = wait_named(stranger, 4, "four calls are under way")
	local from, session = requests[1].from, {}
	for i = 1, 4 do
		session[i] = requests[i].session
	end
	socket.write(from, answer(session[1], BEGIN, string.pack("<I4", #packed))
		.. answer(session[2], 1, "") .. answer(session[3], 1, "")
		.. answer(session[1], PART, packed:sub(1, half)) .. answer(session[4], 0, "bad"))
	tap.eventually(function() return done[1] end, "an answer of another service passes")
	tap.is(done[1], 3, "but not those of the same")
	socket.write(from, answer(session[1], LAST, packed:sub(half + 1)))
	tap.eventually(function() return done[3] end, "which come behind the one in parts")
	tap.is(table.concat(done, " "), "3 1 2", "in the order in which they were given")
end

local function sessions()
	local stranger = new_stranger(yes)
	cluster.reload { wrapped = stranger.address }
	skynet.launch("clustersender", "wrapped 2147483645")
	for i = 1, 4 do
		tap.is(cluster.call("wrapped", "@any", i), "yes", "a call near the wrap is answered")
	end
	local numbers = {}
	for i, request in ipairs(named(stranger)) do
		numbers[i] = request.session
	end
	tap.is(table.concat(numbers, " "), "2147483646 2147483647 1 2", "sessions wrap to 1")
end

local function beats()
	local silent = false
	local stranger = new_stranger(function(request)
		if request.probe and not silent then
			socket.write(request.from, answer(PROBE, 1,
				"\x6c__skynet_peer\x22\1\0\0\0" .. ("\x22\0\0\0\0"):rep(2)))
		end
	end)
	cluster.reload { beating = stranger.address }
	local result = tap.later(cluster.call, "beating", "@any")
	tap.eventually(function() return status "beating".peer == "ours" end,
		"a node that answers the probe is one of ours")
	local before = #stranger.seen
	tap.eventually(function() return #stranger.seen >= before + 2 end, "it is probed again")
	skynet.fork(pcall, cluster.call_timeout, 1000, "beating", "@any", 2)
	wait_named(stranger, 2, "a call with a deadline is sent")
	local ahead
	for i, request in ipairs(stranger.seen) do
		if request.name and skynet.unpack(request.payload) == 2 then
			ahead = stranger.seen[i - 1]
		end
	end
	local kind, left = string.unpack("<BI4", ahead.body, 2)
	tap.ok(ahead.type == 5 and kind == 1 and left > 0 and left <= 10000,
		"the time that is left goes ahead of it")
	tap.ok(not result.done, "while it lives, calls wait")
	silent = true
	tap.eventually(function() return result.done end, "when it is silent, they fail")
	tap.is(skynet.error_kind(result.value), "dead_node", "for its node is dead")

	silent = false
	result = tap.later(cluster.call, "beating", "@any")
	tap.eventually(function() return status "beating".state == "up" end, "it is dialled again")
	tap.eventually(function() return #named(stranger) >= 3 end, "a call is under way")
	before = #stranger.seen
	tap.eventually(function() return #stranger.seen > before end, "it lives again")
	cluster.reload { beating = "127.0.0.1:1" }
	silent = true
	tap.eventually(function() return result.done end, "a silent connection does not drain for ever")

	local mute = new_stranger(yes)
	cluster.reload { mute = mute.address }
	tap.is(cluster.call("mute", "@any"), "yes", "a node that knows no probe serves")
	tap.eventually(function() return #mute.seen >= 2 end, "it is probed too")
	tap.is(cluster.call("mute", "@any"), "yes", "and not held dead for its silence")
	local stopped = new_stranger(function() end)
	cluster.reload { stopped = stopped.address }
	local stopped_call = tap.later(cluster.call, "stopped", "@any")
	tap.eventually(function() return stopped_call.done end,
		"one that never says anything fails the calls that wait for it")
	tap.is(skynet.error_kind(stopped_call.value), "dead_node", "for its node is dead")
	local old = new_stranger(function(request)
		if request.probe then
			socket.write(request.from, answer(PROBE, 0, "name not found"))
		else
			yes(request)
		end
	end)
	cluster.reload { old = old.address }
	tap.is(cluster.call("old", "@any", ("x"):rep(100)), "yes", "a node of another kind serves")
	tap.eventually(function() return status "old".peer == "other" end, "and is known as such")
end

local function is_asked_early()
	local packed = skynet.packstring "yes"
	local stranger = new_stranger(function(request)
		if request.name then
			socket.write(request.from,
				answer(request.session, BEGIN, string.pack("<I4", #packed))
				.. answer(request.session, LAST, packed))
		end
	end)
	cluster.reload { large = stranger.address }
	tap.is(cluster.call("large", "@any"), "yes", "an answer comes in parts")
	tap.is(cluster.call("large", "@any"), "yes", "and another one")
	tap.ok(stranger.seen[2].probe, "the node is asked of which kind it is in between")
end

---A stranger that does not read, until it is told to. It says first that it is of another kind:
---else it would be held dead, with a call under way, when it has said nothing for 10 s.
local function bounds()
	local reader
	local stranger
	stranger = new_stranger(nil, function(connection)
		socket.start(connection)
		repeat
			local body = read_frame(connection)
		until body:byte(1) == 0 and string.unpack("<I4", body, 6) == PROBE
		socket.write(connection, answer(PROBE, 0, "name not found"))
		socket.pause(connection)
		reader = connection
		return true
	end)
	cluster.reload { full = stranger.address }
	cluster.send("full", "@any", ("x"):rep(60000))
	tap.eventually(function() return reader and status "full".peer == "other" end,
		"the node is of another kind")
	local sent = 0
	skynet.fork(function()
		for _ = 1, 400 do
			cluster.send("full", "@any", ("x"):rep(60000))
			sent = sent + 1
		end
	end)
	tap.eventually(function() return (status "full".blocked or 0) > 0 end,
		"a sender waits when too much waits for the node")
	tap.ok(sent < 400, "it has not sent all")
	local result = tap.later(cluster.call, "full", "@any", "call")
	skynet.fork(read_requests, stranger, reader)
	tap.eventually(function() return sent == 400 end, "it goes on when the node reads")
	local requests = wait_named(stranger, 1, "the call arrives")
	socket.write(reader, answer(requests[1].session, 1, ""))
	tap.eventually(function() return result.done end, "and is answered")
	tap.is(result.ok or result.value, true, "without an error")
	tap.eventually(function() return status "full".queued == 0 end, "nothing is left")
end

local function options()
	cluster.reload { known = "127.0.0.1:1" }
	tap.raises(function() cluster.reload { known = "127.0.0.1:2", __nowaitin = true } end,
		"option '__nowaitin' is unknown", "an unknown option is named")
	tap.raises(function() cluster.reload { __nowaiting = 1 } end, "'__nowaiting' must be",
		"a wrong value of an option is refused")
	tap.raises(function() cluster.register "__skynet_peer" end, "reserved",
		"the name of the probe is reserved")
end

tap.run(function()
	dials()
	changes()
	deadlines()
	orders()
	sessions()
	is_asked_early()
	bounds()
	options()
	beats()
end)
