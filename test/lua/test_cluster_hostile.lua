---What strangers send to a cluster port, and what strangers answer: broken frames cost an error or
---nothing, never the next request.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local subject = require "subject"
local tap = require "tap"

local HUGE <const> = 0xffffffff
local FENCE <const> = 0xfffffffd -- see cluster_frame.h

---@param body string
---@return string frame
local function frame(body)
	return string.pack(">s2", body)
end

---@param session integer
---@return string
local function request(session, ...)
	return frame(string.pack("<Bs1I4", 0x80, "@echo", session) .. skynet.packstring(...))
end

---@param session integer
---@param size integer
---@param push boolean?
---@return string
local function begin(session, size, push)
	return frame(string.pack("<Bs1I4I4", push and 0xc1 or 0x81, "@echo", session, size))
end

---@param last boolean
---@param session integer
---@param bytes string
---@return string
local function part(last, session, bytes)
	return frame(string.pack("<BI4", last and 3 or 2, session) .. bytes)
end

---Next response of a connection: session, kind, content.
local function response(id)
	local head = socket.read(id, 2)
	if not head then
		return nil
	end
	local body = socket.read(id, (string.unpack(">I2", head)))
	local session, kind = string.unpack("<I4B", body)
	return session, kind, body:sub(6)
end

---Sends bytes, then a good request: what is answered before that one.
local function answers(id, bytes)
	socket.write(id, bytes)
	socket.write(id, request(77, "echo", "good"))
	local list = {}
	while true do
		local session, kind, content = response(id)
		if session == 77 and kind == 1 then
			return table.concat(list, " ")
		end
		list[#list + 1] = ("%s:%s:%s"):format(session, kind,
			kind == 1 and tostring(skynet.unpack(content)) or content)
		if session == nil then
			return table.concat(list, " ")
		end
	end
end

local function requests(port)
	local packed = skynet.packstring("echo", "0123456789")
	local size = #packed
	local head, tail = packed:sub(1, 6), packed:sub(7)
	local cases = {
		{ "an empty frame is ignored", "\0\0", "" },
		{ "an unknown type is ignored", frame "\5abc", "" },
		{ "a short frame is ignored", frame "\0\1\2", "" },
		{ "a name that is cut off is ignored", frame "\x80\x20abc", "" },
		{ "a begin frame that is cut off is ignored", frame "\x81\5@echo\1\0", "" },
		{ "all bits of a session come back", request(0xffffffff, "echo", 1), "4294967295:1:1" },
		{ "parts are joined", begin(9, size) .. part(false, 9, head) .. part(true, 9, tail),
			"9:1:0123456789" },
		{ "an empty part is a part", begin(9, size) .. part(false, 9, "") .. part(true, 9, packed),
			"9:1:0123456789" },
		{ "fewer bytes than announced are an error",
			begin(9, size + 1) .. part(false, 9, head) .. part(true, 9, tail),
			"9:0:remote: Invalid large req" },
		{ "more bytes than announced are an error",
			begin(9, size - 1) .. part(false, 9, head) .. part(true, 9, tail),
			"9:0:remote: Invalid large req" },
		{ "two begins are one error", begin(9, size) .. begin(9, size) .. part(true, 9, packed),
			"9:0:remote: Invalid large req" },
		{ "an announcement of 4 GiB is an error", begin(9, HUGE) .. part(true, 9, packed),
			"9:0:remote: Invalid large req" },
		{ "a last part without begin is an error", part(true, 9, packed),
			"9:0:remote: Invalid name" },
		{ "a broken push is told too", begin(9, 3, true) .. part(true, 9, "ab"),
			"9:0:remote: Invalid large req" },
		{ "a large push is not answered", begin(9, size, true) .. part(true, 9, packed), "" },
		{ "interleaved parts are told apart", begin(9, size) .. begin(10, size)
			.. part(false, 9, head) .. part(false, 10, head) .. part(true, 10, tail)
			.. part(true, 9, tail), "10:1:0123456789 9:1:0123456789" },
		{ "a query without a name is an error",
			frame(string.pack("<BI4I4", 0, 0, 6) .. skynet.packstring(nil)),
			"6:0:remote: name not found" },
		{ "a query that cannot be unpacked is an error",
			frame(string.pack("<BI4I4", 0, 0, 6) .. "\7"), "6:0:remote: name not found" },
		{ "a tag of nothing is no harm", frame "\4", "" },
	}
	local id = assert(socket.open("127.0.0.1", port))
	-- The first request asks for the name; from then on it is known.
	tap.is(answers(id, ""), "", "a good request is answered")
	for _, case in ipairs(cases) do
		tap.is(answers(id, case[2]), case[3], case[1])
	end
	local slow = request(5, "echo", "slow")
	for i = 1, #slow do
		socket.write(id, slow:sub(i, i))
		skynet.yield()
	end
	tap.is(answers(id, ""), "5:1:slow", "one byte at a time is a request")
	socket.write(id, begin(11, 1000000) .. part(false, 11, "x"))
	socket.close(id)
end

---A server that answers each request with the bytes that `reply` makes of its session.
local function stranger(reply)
	local id, _, port = socket.listen("127.0.0.1", 0)
	socket.start(id, function(connection)
		socket.start(connection)
		while true do
			local head = socket.read(connection, 2)
			local body = head and socket.read(connection, (string.unpack(">I2", head)))
			if not body then
				break
			end
			local _, _, session = string.unpack("<Bs1I4", body)
			socket.write(connection, reply(session))
		end
		socket.close(connection)
	end)
	return id, port
end

local function responses()
	local yes = skynet.packstring "yes"
	local function answer(session, kind, bytes)
		return frame(string.pack("<I4B", session, kind) .. bytes)
	end
	local size = string.pack("<I4", #yes)
	local cases = {
		{ "an answer comes back", true, "yes", function(s) return answer(s, 1, yes) end },
		{ "an error comes back", false, "text", function(s) return answer(s, 0, "text") end },
		{ "an unknown session is ignored", true, "yes", function(s)
			return answer(s + 99, 1, "") .. answer(0, 0, "") .. answer(s, 1, yes)
		end },
		{ "an empty frame is ignored", true, "yes", function(s)
			return "\0\0" .. answer(s, 1, yes)
		end },
		{ "parts are joined", true, "yes", function(s)
			return answer(s, 2, size) .. answer(s, 3, yes:sub(1, 2)) .. answer(s, 4, yes:sub(3))
		end },
		{ "fewer bytes than announced are an error", false, "announced", function(s)
			return answer(s, 2, size) .. answer(s, 4, yes:sub(3))
		end },
		{ "more bytes than announced are an error", false, "announced", function(s)
			return answer(s, 2, size) .. answer(s, 3, yes) .. answer(s, 4, yes)
		end },
		{ "a part without begin is an error", false, "announced", function(s)
			return answer(s, 3, yes) .. answer(s, 4, yes)
		end },
		{ "an unknown kind ends the connection", false, "(lost: its response is malformed)", function(s)
			return answer(s, 5, "")
		end },
		{ "a short response ends the connection", false, "(lost: its response is malformed)", function()
			return frame "\1\0\0\0"
		end },
	}
	for i, case in ipairs(cases) do
		local id, port = stranger(case[4])
		local node = "stranger" .. i
		cluster.reload { [node] = "127.0.0.1:" .. port }
		local ok, result = pcall(cluster.call, node, "@any", "hello")
		tap.ok(ok == case[2] and tostring(result):find(case[3], 1, true), case[1], tostring(result))
		socket.close(id)
	end
end

---What our nodes send to each other, and strangers may send as well.
local function extras(port)
	local function query(number, payload)
		return frame(string.pack("<BI4I4", 0, 0, number) .. payload)
	end
	local function probe(identity, number)
		return query(number or 0xffffffff, "\x6c__skynet_peer"
			.. string.pack("<BI4BI4BI4", 0x22, 0, 0x22, identity, 0x22, 0))
	end
	local first = assert(socket.open("127.0.0.1", port))
	tap.is(answers(first, ""), "", "a good request is answered")
	socket.write(first, frame(string.pack("<BBI4", 5, 1, 30)) .. request(6, "never"))
	local session, kind, content = response(first)
	tap.is(("%d:%d:%s"):format(session, kind, content), "6:0:timeout",
		"a deadline that came ahead ends a request here too")
	tap.is(answers(first, frame(string.pack("<BBI4", 5, 2, 0xffffffff))
		.. frame(string.pack("<BBI4", 5, 99, 1))), "", "what is confirmed for nothing is no harm")
	socket.write(first, probe(77))
	session, kind, content = response(first)
	tap.ok(session == 0xffffffff and kind == 1 and content:find("^.__skynet_peer"),
		"a probe is answered")
	socket.write(first, request(8, "echo", ("x"):rep(40000)))
	session, kind = response(first)
	tap.ok(session == 8 and kind == 2, "a window of nothing holds parts back")
	tap.is(answers(first, ""), "", "but no small answer")
	local second = assert(socket.open("127.0.0.1", port))
	socket.write(second, probe(77))
	session = response(second)
	tap.is(session, 0xffffffff, "another connection of the same sender is accepted")
	tap.is(answers(second, ""), "", "and served")
	socket.write(second, request(9, "never") .. probe(77, FENCE))
	tap.is(response(second), FENCE, "a fence is answered when what came before it is handed over")
	socket.write(second, query(FENCE, skynet.packstring "echo") .. query(FENCE, "\x6c__skynet_peer"))
	local answered = {}
	for _ = 1, 2 do
		session, kind = response(second)
		answered[kind] = session
	end
	tap.ok(answered[1] == FENCE and answered[0] == FENCE,
		"other questions under its number are answered too")
	repeat
		session = response(first)
	until not session
	tap.pass "the earlier one is ended"
	socket.close(first)
	socket.close(second)
end

---Connections above the limit are closed, and the log is told once.
local function too_many()
	local _, port = cluster.open(0, 2)
	local first = assert(socket.open("127.0.0.1", port))
	local second = assert(socket.open("127.0.0.1", port))
	tap.is(answers(first, "") .. answers(second, ""), "", "as many as may connect are served")
	for _ = 1, 3 do
		local id = socket.open("127.0.0.1", port)
		tap.ok(not id or not socket.read(id, 1), "one more is closed")
	end
	tap.is(answers(first, ""), "", "those that are there go on")
	subject.logs("too many connections", "the log tells of it")
	local _, told = subject.log():gsub("too many connections", "")
	tap.is(told, 1, "once")
	socket.close(first)
	socket.close(second)
	tap.eventually(function()
		local id = socket.open("127.0.0.1", port)
		local served = id and socket.write(id, request(1, "echo")) and response(id)
		socket.close(id or first)
		return served
	end, "there is room again when they have gone")
end

tap.run(function()
	local echo = skynet.newservice "cluster_echo"
	cluster.register("echo", echo)
	local _, port = cluster.open(0)
	requests(port)
	extras(port)
	too_many()
	responses()
end)
