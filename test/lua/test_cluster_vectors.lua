---Bytes of cluster links as they were recorded from the reference: what our client sends to such a
---server and makes of its answers, and what our server answers to such a client.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local tap = require "tap"
local vectors = dofile "test/vectors/cluster.lua"

local WAIT_CS <const> = 3000
local PROBE_SESSION <const> = 0xffffffff
local ERROR <const> = 0
local LAST <const> = 0x12345678

local function bytes(hex)
	return (hex:gsub("%x%x", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

local function hex(text)
	return (text:gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end))
end

---The next frame of a connection with its size, or nil at its end.
local function next_frame(id)
	local head = socket.read(id, 2)
	local body = head and (head == "\0\0" and "" or socket.read(id, (string.unpack(">I2", head))))
	return body and head .. body
end

---The next request of a client of ours, whose questions for a name that the reference does not have
---are answered as there.
local function next_request(id)
	local frame = next_frame(id)
	while frame and #frame > 11 and frame:find "^..\0\0\0\0\0\xff\xff\xff\xff" do
		socket.write(id, string.pack(">s2",
			string.pack("<I4B", PROBE_SESSION, ERROR) .. "name not found"))
		frame = next_frame(id)
	end
	return frame
end

---A server that is not one of ours.
local function stranger(serve)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		socket.timeout(id, WAIT_CS)
		serve(id)
		socket.close(id)
	end)
	return listener, port
end

---What differs between a frame and what is expected, or nil.
local function difference(frame, expected)
	local found = frame and hex(frame) or "nothing"
	if type(expected) == "string" then
		return not found:find("^" .. expected .. "$")
			and ("%s, not %s"):format(found:sub(1, 100), expected) or nil
	end
	local size, head, tail = table.unpack(expected)
	return (not frame or #frame ~= size or found:sub(1, #head) ~= head or not found:find(tail .. "$"))
		and ("%d bytes: %s...%s"):format(frame and #frame or 0, found:sub(1, 100), found:sub(-32)) or nil
end

---The four bytes of the session of a request.
local function session_in(frame)
	local kind, name_size = frame:byte(3, 4)
	return frame:sub(kind >= 0x80 and 5 + name_size or 8):sub(1, 4)
end

local function our_client_calls()
	local said, taken = {}, 0
	local listener, port = stranger(function(id)
		for _, vector in ipairs(vectors.calls) do
			local frame
			for _, expected in ipairs(vector[2]) do
				frame = next_request(id) or ("\0"):rep(12)
				said[#said + 1] = difference(frame, expected)
			end
			for _, answer in ipairs(vector[3]) do
				socket.write(id, bytes((answer:gsub("%.+", hex(session_in(frame))))))
			end
			taken = taken + 1
		end
	end)
	cluster.reload { b = "127.0.0.1:" .. port }
	local environment = setmetatable({ skynet = skynet }, { __index = cluster })
	for i, vector in ipairs(vectors.calls) do
		pcall(assert(load(vector[1], "=call", "t", environment)))
		-- what a proxy sends has no order with what comes after it
		tap.eventually(function()
			return taken >= i
		end, "the server has got it")
		tap.is(said[1], nil, "our client sends for " .. vector[1]:sub(1, 60))
		said[1] = nil
	end
	socket.close(listener)
end

local function our_client_gets()
	for i, vector in ipairs(vectors.answers) do
		local name, text, ok, value = table.unpack(vector, 1, 4)
		local listener, port = stranger(function(id)
			next_request(id)
			socket.write(id, bytes((text:gsub(" close", ""))))
			if not text:find "close" then
				next_request(id)
			end
		end)
		local node = "answers" .. i
		cluster.reload { [node] = "127.0.0.1:" .. port }
		local found, result = pcall(cluster.call, node, "@any", "hello")
		tap.ok(found == ok and (not ok or result == value), "our client gets: " .. name, tostring(result))
		cluster.reload { [node] = false }
		socket.close(listener)
	end
end

local function our_client_keeps_order()
	local frames, opened = {}, false
	local listener, port = stranger(function(id)
		for i = 1, #vectors.order.frames do
			frames[i] = hex(next_request(id) or "")
		end
		for _, answer in ipairs(vectors.order.answers) do
			socket.write(id, bytes(answer))
		end
		tap.eventually(function()
			return opened
		end, "the answers have been read")
	end)
	cluster.reload { order = "127.0.0.1:" .. port }
	local results, count = {}, 0
	-- all before there is a connection
	for _, step in ipairs(vectors.order.steps) do
		skynet.fork(function()
			results[step[2]] = cluster[step[1]]("order", "@x", step[2]) or "sent"
			count = count + 1
		end)
	end
	tap.eventually(function()
		return count == #vectors.order.steps
	end, "all of them return")
	opened = true
	tap.is_deeply(frames, vectors.order.frames,
		"sends and calls leave in order, also before there is a connection")
	tap.is_deeply(results, vectors.order.results,
		"and answers that come in another order find their calls")
	cluster.reload { order = false }
	socket.close(listener)
end

---The answers in a text of frames, without the texts of errors, which are free.
local function answers_in(text)
	local list, at = {}, 1
	while at <= #text do
		local frame
		frame, at = string.unpack(">s2", text, at)
		local session, kind = string.unpack("<I4B", frame)
		list[#list + 1] = kind == ERROR and ("error %d"):format(session) or hex(frame)
	end
	return list
end

local function our_server_answers(echo, port)
	local handle = hex(string.pack("<I4", echo))
	assert(echo & 0xffffff < 256, "its handle takes one byte when packed")
	for _, vector in ipairs(vectors.requests) do
		local name, text, reply = table.unpack(vector)
		reply = reply:gsub("hh", ("%02x"):format(echo & 0xff))
		local expected = reply:find "^error" and { reply } or answers_in(bytes(reply))
		local id = assert(socket.open("127.0.0.1", port))
		socket.timeout(id, WAIT_CS)
		socket.write(id, bytes((text:gsub("HHHHHHHH", handle))))
		local found, last = {}, false
		socket.write(id, string.pack(">s2", string.pack("<Bs1I4", 0x80, "@echo", LAST)
			.. skynet.packstring("echo", "last")))
		while not last or #found < #expected do
			local frame = next_frame(id)
			if not frame then
				break
			elseif string.unpack("<I4", frame, 3) == LAST then
				last = true
			else
				found[#found + 1] = answers_in(frame)[1]
			end
		end
		table.sort(found)
		table.sort(expected)
		tap.is(table.concat(found, " "), table.concat(expected, " "), "our server answers: " .. name)
		tap.ok(last, "and goes on")
		socket.close(id)
	end
end

tap.run(function()
	local echo = skynet.newservice "cluster_echo"
	cluster.register("echo", echo)
	local _, port = cluster.open(0)
	our_client_calls()
	our_client_gets()
	our_client_keeps_order()
	our_server_answers(echo, port)
end)
