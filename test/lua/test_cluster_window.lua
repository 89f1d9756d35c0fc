-- config: cluster_buffer_limit = 300000
---A node that asks for more than the limit of answers: they leave as it confirms them, others pass,
---and what would be answered with more waits. A stranger plays the node.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local manager = require "skynet.manager"
local socket = require "skynet.socket"
local tap = require "tap"

local LIMIT <const> = 300000
local WINDOW <const> = 65536
local LARGE <const> = 1000000
local MEDIUM <const> = 100000
local SMALL <const> = 30000
local PROBE <const>, CONFIRM <const> = 0xffffffff, 0xfffffffe
local ERROR <const>, OK <const>, BEGIN <const>, PART <const>, LAST <const> = 0, 1, 2, 3, 4

---@param body string
local function frame(body)
	return string.pack(">s2", body)
end

---@class window_peer
---@field id integer
---@field answers table<integer, integer>  session to the size of its answer, when that is complete
---@field coming table<integer, integer>  what has come of those in parts
---@field parts integer  bytes of parts that have come
---@field confirmed integer  bytes of parts of requests
---@field confirms boolean  it does so with what comes
---@field last integer  session
---@field refusal string?  the last error

---@param peer window_peer
---@param body string
local function on_frame(peer, body)
	local session, kind = string.unpack("<I4B", body)
	local size = #body - 5
	if session == CONFIRM then
		peer.confirmed = peer.confirmed + string.unpack("<I4", body, 6)
	elseif kind == BEGIN then
		peer.coming[session] = 0
	elseif kind == PART or kind == LAST then
		peer.coming[session] = peer.coming[session] + size
		peer.parts = peer.parts + size
		if kind == LAST then
			peer.answers[session] = peer.coming[session]
		end
		if peer.confirms then
			socket.write(peer.id, frame(string.pack("<BBI4", 5, 2, size)))
		end
	elseif kind == OK then
		peer.answers[session] = size
	elseif kind == ERROR then
		peer.answers[session] = 0
		peer.refusal = body:sub(6)
	end
end

---@return window_peer
local function new_peer(port)
	local peer = { answers = {}, coming = {}, parts = 0, confirmed = 0, last = 0 }
	peer.id = assert(socket.open("127.0.0.1", port))
	skynet.fork(function()
		while true do
			local head = socket.read(peer.id, 2)
			local body = head and socket.read(peer.id, (string.unpack(">I2", head)))
			if not body then
				return
			end
			on_frame(peer, body)
		end
	end)
	socket.write(peer.id, frame(string.pack("<BI4I4", 0, 0, PROBE) .. "\x6c__skynet_peer"
		.. string.pack("<BI4BI4BI4", 0x22, WINDOW, 0x22, peer.id, 0x22, 0)))
	tap.eventually(function() return peer.answers[PROBE] end, "the node sees one of its kind")
	return peer
end

---@return integer session
local function ask(peer, name, ...)
	peer.last = peer.last + 1
	socket.write(peer.id,
		frame(string.pack("<Bs1I4", 0x80, name, peer.last) .. skynet.packstring(...)))
	return peer.last
end

---A request in parts.
---@return integer session, integer size
local function ask_large(peer, name, ...)
	local bytes = skynet.packstring(...)
	peer.last = peer.last + 1
	socket.write(peer.id, frame(string.pack("<Bs1I4I4", 0x81, name, peer.last, #bytes)))
	for at = 1, #bytes, 32768 do
		local last = at + 32768 > #bytes
		socket.write(peer.id,
			frame(string.pack("<BI4", last and 3 or 2, peer.last) .. bytes:sub(at, at + 32767)))
	end
	return peer.last, #bytes
end

---What was sent before has been dealt with when this is answered.
local function pass(peer, name)
	local session = ask(peer, "@small", "echo", 1)
	tap.eventually(function() return peer.answers[session] end, name)
end

local function status()
	local _, _, incoming = skynet.call(".clusterd", "lua", "links")
	return incoming[1]
end

---@param peer window_peer
local function close(peer)
	socket.close(peer.id)
	tap.eventually(function() return status() == nil end, "a connection ends")
end

local function all_answered(peer, first, last, name)
	tap.eventually(function()
		for session = first, last do
			if not peer.answers[session] then
				return false
			end
		end
		return true
	end, name)
end

local big

---@param peer window_peer
local function bounded(peer)
	local first = ask(peer, "@big", "large", 1, LARGE)
	tap.eventually(function() return peer.parts >= WINDOW end, "a large answer begins")
	pass(peer, "a small one passes")
	tap.is(peer.parts, WINDOW, "above the limit, answers keep to what has been confirmed")

	for number = 2, 4 do
		ask(peer, "@big", "large", number, LARGE)
	end
	pass(peer, "other services answer")
	tap.is(#skynet.call(big, "lua", "notes"), 1, "one with large answers gets no more requests")
	local before = status()
	tap.is(before.peer .. before.paused, "ours0", "the connection is read")
	tap.ok(before.kept > 0 and before.kept < LIMIT, "they are kept")

	local _, size = ask_large(peer, "@big", "echo", ("y"):rep(MEDIUM))
	pass(peer, "a large request may come meanwhile")
	tap.is(peer.confirmed, size, "and is confirmed")
	for _ = 1, 4 do
		ask_large(peer, "@big", "echo", ("y"):rep(MEDIUM))
	end
	pass(peer, "several may come")
	tap.ok(peer.confirmed < 4 * size, "they are not confirmed when more than the limit is kept")
	tap.is(peer.parts, WINDOW, "nothing more has left")

	ask(peer, "global", "large", 5, 1)
	ask(peer, "@big", "large", 6, 1)
	peer.confirms = true
	socket.write(peer.id, frame(string.pack("<BBI4", 5, 2, WINDOW)))
	all_answered(peer, first, peer.last, "all is answered when the answers are confirmed")
	tap.is(table.concat(skynet.call(big, "lua", "notes"), " "), "1 2 3 4 5 6",
		"in order, whatever name was used")
	tap.is(peer.answers[first + 2], peer.answers[first], "with all its bytes")
	pass(peer, "others as well")
	tap.is(peer.confirmed, 5 * size, "the requests are confirmed")
	tap.is(status().kept, 0, "nothing is kept")
end

---Services that stand still for long get more; so it is tried again.
local function one_by_one(port)
	local most
	for _ = 1, 20 do
		local peer = new_peer(port)
		local first = ask(peer, "@big", "large", 0, LARGE)
		tap.eventually(function() return peer.parts >= WINDOW end, "a large answer begins")
		for _ = 1, 5 do
			ask(peer, "@big", "large", 0, LARGE)
		end
		pass(peer, "more of them are asked for")
		peer.confirms = true
		socket.write(peer.id, frame(string.pack("<BBI4", 5, 2, WINDOW)))
		all_answered(peer, first, peer.last, "they come")
		most = status().most
		close(peer)
		if most <= LIMIT + LARGE + SMALL then
			break
		end
	end
	tap.ok(most <= LIMIT + LARGE + SMALL, "one answer at most was above the limit: " .. most)
end

---@param peer window_peer
local function floods(peer)
	local first = ask(peer, "@big", "large", 0, LARGE)
	tap.eventually(function() return peer.parts >= WINDOW end, "a large answer begins")
	for _ = 1, 3 * LIMIT // SMALL do
		ask(peer, "@big", "echo", ("z"):rep(SMALL))
	end
	all_answered(peer, first, peer.last,
		"a peer that confirms nothing and floods is not read until answers have left")
	tap.is(status().paused, 0, "then it is read again")
end

---Requests that a service has before its first answer.
---@param peer window_peer
local function overloads(peer)
	skynet.call(big, "lua", "hold")
	local first = peer.last + 1
	for _ = 1, 30 do
		ask(peer, "@big", "large", 0, LARGE)
	end
	pass(peer, "many requests are with a service")
	skynet.send(big, "lua", "release")
	tap.eventually(function() return peer.refusal end, "not all answers can wait")
	tap.is(peer.refusal:match "^%w+", "overloaded", "an error tells it instead")
	pass(peer, "small answers pass those that wait")
	tap.ok(status().most < 4 * LIMIT + 2 * LARGE, "these have a bound: " .. status().most)
	peer.confirms = true
	socket.write(peer.id, frame(string.pack("<BBI4", 5, 2, WINDOW)))
	all_answered(peer, first, peer.last, "each is answered once the other node reads")
	local whole = 0
	for session = first, peer.last do
		whole = whole + (peer.answers[session] > LARGE and 1 or 0)
	end
	tap.ok(whole >= 2 and whole < 30, "some whole: " .. whole)
end

tap.run(function()
	big = skynet.newservice "cluster_echo"
	cluster.register("big", big)
	manager.name("global", big)
	cluster.register("small", skynet.newservice "cluster_echo")
	local _, port = cluster.open(0)
	local peer = new_peer(port)
	bounded(peer)
	close(peer)
	one_by_one(port)
	peer = new_peer(port)
	floods(peer)
	close(peer)
	peer = new_peer(port)
	overloads(peer)
	close(peer)
end)
