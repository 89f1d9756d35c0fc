-- skynet.socketchannel against a server in this service that does what the request says.
local skynet = require "skynet"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local subject = require "subject"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"

-- ---- the server: lines of "command argument" ----

local server = { connections = 0, open = {}, received = {} }
local does = {}

function does.echo(id, text)
	socket.write(id, text .. "\n")
end

function does.parts(id, count)
	for i = 1, tonumber(count) do
		socket.write(id, (i < tonumber(count) and "+" or "-") .. i .. "\n")
	end
end

function does.hang() end

function does.hangup(id)
	return socket.close(id)
end

-- Answers, and closes behind the answer.
function does.last(id, text)
	socket.write(id, text .. "\n")
	socket.close(id)
end

-- Does not read on before it is released.
function does.stall(id, text)
	tap.eventually(function() return server.released end, "a stalled answer is released")
	socket.write(id, text .. "\n")
end

function does.delay(id, text)
	skynet.fork(function()
		tap.eventually(function() return server.released end, "delayed answers are released")
		socket.write(id, text .. "\n")
	end)
end

local function serve(id)
	socket.start(id)
	server.connections = server.connections + 1
	server.open[id] = true
	while true do
		local line = socket.readline(id)
		if not line then
			break
		end
		table.insert(server.received, line)
		local command, argument = line:match "^(%S+) ?(.*)$"
		does[command](id, argument)
		if socket.invalid(id) then
			break
		end
	end
	server.open[id] = nil
	socket.close(id)
end

local function listen(host)
	local listener, _, bound = socket.listen(host or LOCAL, 0)
	socket.start(listener, function(id)
		skynet.fork(serve, id)
	end)
	return listener, bound
end

local function hang_up_all()
	for id in pairs(server.open) do
		socket.shutdown(id)
	end
	tap.eventually(function() return next(server.open) == nil end, "the server hangs up")
end

---A port that refuses connections: that of the client's end of one, which holds it until the node
---ends.
local function dead_port()
	local client
	local listener, _, port = socket.listen(LOCAL, 0)
	socket.start(listener, function(_, from)
		client = from
	end)
	socket.open(LOCAL, port)
	tap.eventually(function() return client end, "the holder of a port connects")
	socket.close(listener)
	return math.tointeger(tonumber(client:match ":(%d+)$"))
end

-- ---- response functions ----

local function line(sock)
	return true, sock:readline()
end

local function part(sock)
	local text = sock:readline()
	return true, text:sub(2), text:sub(1, 1) == "+"
end

-- "session text"; "?" in front of the text refuses, "+" says that there is more.
local function by_session(sock)
	local session, mark, text = sock:readline():match "^(%d+) ([?+]?)(.*)$"
	return tonumber(session), mark ~= "?", text, mark == "+"
end

local function later(f, ...)
	local result = tap.later(f, ...)
	skynet.yield()
	return result
end

local function await(result, name)
	tap.eventually(function() return result.done end, name)
	return result.ok, result.value
end

local function is_socket_error(result, name)
	local ok, value = await(result, name)
	tap.ok(not ok and value == socketchannel.error, name .. " with the socket error")
end

-- ---- tests ----

local function test_order(port)
	local channel = socketchannel.channel { host = LOCAL, port = port }
	tap.is(tostring(socketchannel.error), "[Error: socket]", "the socket error has a name")
	tap.is(channel:request("echo one\n", line), "one", "the first request connects")
	tap.ok(math.type(channel.__sock[1]) == "integer", "the channel shows its socket id")
	tap.is(channel:request({ "echo ", "two", "\n" }, line), "two", "a table can be sent")
	tap.is(channel:request("echo a\necho b\n"), nil, "without a response it does not wait")
	tap.is(channel:response(line), "a", "responses can be waited for")
	tap.is(channel:response(line), "b", "one after the other")
	local results = {}
	for i = 1, 50 do
		results[i] = later(channel.request, channel, "echo " .. i .. "\n", line)
	end
	local right = true
	tap.eventually(function() return results[50].done end, "50 pipelined requests end")
	for i = 1, 50 do
		right = right and results[i].value == tostring(i)
	end
	tap.ok(right, "each with its own response")
	tap.is_deeply(channel:request("parts 3\n", part), { "1", "2", "3" }, "parts are an array")
	tap.is(channel:request("echo ", line, { "low", "\n" }), "low", "padding is sent behind")
	tap.is(server.connections, 1, "all over one connection")
	tap.raises(function()
		channel:request("echo x\n", function(sock)
			return false, "refused " .. sock:readline()
		end)
	end, "refused x", "a refused request raises")
	local refusal = {}
	local ok, value = pcall(channel.request, channel, "echo x\n", function(sock)
		sock:readline()
		return false, refusal
	end)
	tap.ok(not ok and value == refusal, "a table is raised as it is")
	channel:close()
end

local function test_order_failures(port)
	local channel = socketchannel.channel { host = LOCAL, port = port }
	local first = later(channel.request, channel, "echo 1\n", function(sock)
		sock:readline()
		error "bad response"
	end)
	local second = later(channel.request, channel, "hang\n", line)
	local ok, value = await(first, "a request with a failing response function ends")
	tap.ok(not ok and value:find "bad response", "with its error")
	ok, value = await(second, "the request behind it ends")
	tap.ok(not ok and value:find "bad response", "with the same error")
	tap.is(channel:request("echo again\n", line), "again", "the next request connects again")
	is_socket_error(later(channel.request, channel, "hangup\n", line), "a lost request ends")
	tap.is(channel:request("echo again\n", line), "again", "the next request connects again")
	hang_up_all()
	tap.is(channel:request("echo idle\n", line), "idle", "an end while idle is noticed")
	tap.is(channel:request("last words\n", line), "words", "an answer before the end arrives")
	channel:close()
end

local function test_close(port)
	local channel = socketchannel.channel { host = LOCAL, port = port }
	local waiting = later(channel.request, channel, "hang\n", line)
	tap.eventually(function() return server.received[#server.received] == "hang" end,
		"a request is under way")
	channel:close()
	is_socket_error(waiting, "a request on a closed channel ends")
	tap.raises(function() channel:request("echo x\n", line) end, "closed",
		"a request after close raises")
	channel:close()
	tap.is(channel:connect(true), true, "connect opens again")
	tap.is(channel:request("echo x\n", line), "x", "and requests work")
	channel:close()
end

--- Whatever somebody waits for in a channel, the end of the connection ends it.
local function test_ends_of_waits(port)
	local waits = {
		request = function(channel, response) channel:request("hang\n", response) end,
		response = function(channel, response) channel:response(response) end,
		connect = function(channel) channel:connect(true) end,
	}
	local ends = {
		close = function(channel) channel:close() end,
		["a hang-up of the peer"] = hang_up_all,
		changehost = function(channel) channel:changehost(LOCAL, port) end,
	}
	for _, mode in ipairs { "order", "session" } do
		local response = mode == "order" and line or 1
		for wait, run in pairs(waits) do
			for name, stop in pairs(ends) do
				local attempts = 0
				local channel = socketchannel.channel {
					host = LOCAL,
					port = port,
					response = mode == "session" and by_session or nil,
					auth = wait == "connect" and function(self)
						attempts = attempts + 1
						assert(attempts == 1, "no second time")
						self:request("hang\n", response)
					end or nil,
				}
				local received = #server.received
				local result = later(run, channel, response)
				tap.eventually(function()
					return #server.received > received
						or wait == "response" and next(server.open) and channel.__sock
				end, wait .. " waits")
				stop(channel)
				is_socket_error(result, ("%s in %s mode ends by %s"):format(wait, mode, name))
				channel:close()
				tap.eventually(function() return next(server.open) == nil end, "the server sees it")
			end
		end
	end
end

--- Connecting can take minutes, here to a listener that accepts nobody and whose queue is full.
local function test_ends_of_attempts(port)
	local silent, _, silent_port = socket.listen(LOCAL, 0, 1)
	local opened = {}
	for _ = 1, 8 do
		opened = later(socket.open, LOCAL, silent_port)
	end
	tap.ok(not opened.value, "the queue of a listener is full")
	for _, stop in ipairs { "close", "changehost" } do
		local channel = socketchannel.channel { host = LOCAL, port = silent_port }
		local first = later(channel.request, channel, "echo x\n", line)
		local second = later(channel.connect, channel)
		if stop == "close" then
			channel:close()
			is_socket_error(first, "a request ends by close while the system connects")
			is_socket_error(second, "so does who waits behind it")
		else
			channel:changehost(LOCAL, port)
			tap.is(select(2, await(first, "a request goes on by changehost")), "x", "elsewhere")
			await(second, "as does who waits behind it")
		end
		channel:close()
	end
	socket.close(silent)
end

local function test_connect_failures()
	local path = "unix:" .. skynet.getenv "test_tmp" .. "/later"
	local channel = socketchannel.channel { host = path }
	local ok, value = pcall(channel.connect, channel, true)
	tap.ok(not ok and value == socketchannel.error, "connect once raises the socket error")
	is_socket_error(later(channel.request, channel, "x", line), "a request fails")
	local one = later(channel.request, channel, "x", line)
	local two = later(channel.request, channel, "x", line)
	is_socket_error(one, "of two requests the first fails")
	is_socket_error(two, "and the second")
	local for_ever = later(channel.connect, channel)
	local failure = "socket: connect to unix:%S+/later failed"
	subject.logs(failure, "a failed attempt is logged")
	local listener = listen(path)
	tap.ok(await(for_ever, "connect tries again until it works"), "without an error")
	tap.is(channel:request("echo up\n", line), "up", "then requests work")
	channel:close()
	socket.close(listener)
	local _, before = subject.log():gsub(failure, "")
	for_ever = later(channel.connect, channel)
	tap.eventually(function()
		local _, failures = subject.log():gsub(failure, "")
		return failures >= before + 2
	end, "connect goes on trying")
	channel:close()
	is_socket_error(for_ever, "close ends connecting")
end

local function test_backup(port)
	local dead = dead_port()
	local channel = socketchannel.channel {
		host = LOCAL,
		port = dead,
		nodelay = true,
		backup = { { host = LOCAL, port = dead }, LOCAL, { host = LOCAL, port = port } },
	}
	tap.is(channel:request("echo backup\n", line), "backup", "a backup takes over")
	tap.is(channel.__port, port, "the channel shows the peer in use")
	channel:close()
	channel:changebackup {}
	channel:changehost(LOCAL, dead)
	tap.raises(function() channel:connect(true) end, "socket", "without backup there is none")
	channel:changehost(LOCAL, port)
	tap.is(channel:request("echo up\n", line), "up", "changehost sets another address")
	local connections = server.connections
	channel:changehost(LOCAL, port)
	tap.is(channel:request("echo new\n", line), "new", "requests work after changehost")
	tap.is(server.connections, connections + 1, "over a new connection")
	channel:close()
end

local function test_auth(port)
	local channel
	local authenticated = 0
	channel = socketchannel.channel {
		host = LOCAL,
		port = port,
		auth = function(self)
			tap.is(self:request("echo auth\n", line), "auth", "auth may send requests")
			authenticated = authenticated + 1
		end,
	}
	local one = later(channel.request, channel, "echo 1\n", line)
	local two = later(channel.request, channel, "echo 2\n", line)
	tap.is(select(2, await(one, "a request waits for auth")), "1", "and goes on")
	tap.is(select(2, await(two, "another one, too")), "2", "and goes on")
	tap.is(authenticated, 1, "auth is run once")
	hang_up_all()
	tap.is(channel:request("echo 3\n", line), "3", "auth is run")
	tap.is(authenticated, 2, "for each connection")
	channel:close()

	local failing = socketchannel.channel {
		host = LOCAL,
		port = port,
		auth = function() error "wrong password" end,
	}
	is_socket_error(later(failing.request, failing, "echo x\n", line), "failed auth ends a request")
	failing:close()

	local dead = dead_port()
	local moving
	moving = socketchannel.channel {
		host = LOCAL,
		port = port,
		auth = function(self)
			if not self.moved then
				self.moved = true
				self:changebackup { { host = LOCAL, port = port } }
				self:changehost(LOCAL, dead)
			end
		end,
	}
	tap.is(moving:request("echo moved\n", line), "moved", "auth may change the addresses")
	moving:close()
end

local function test_sessions(port)
	local channel = socketchannel.channel { host = LOCAL, port = port, response = by_session }
	tap.is(channel:request("echo 1 one\n", 1), "one", "a session gets its response")
	server.released = nil
	local slow = later(channel.request, channel, "delay 2 slow\n", 2)
	tap.is(channel:request("echo 3 quick\n", 3), "quick", "responses may overtake")
	server.released = true
	tap.is(select(2, await(slow, "the slow one ends")), "slow", "with its response")
	tap.raises(function() channel:request("echo 4 ?no\n", 4) end, "no", "a refusal raises")
	channel:request("echo 99 nobody\n")
	tap.is(channel:request("echo 5 after\n", 5), "after", "an unknown session does no harm")
	local parts = later(channel.request, channel, "echo 6 +a\n", 6)
	channel:request("echo 6 +b\n")
	channel:request("echo 6 c\n")
	tap.is_deeply(select(2, await(parts, "a response in parts ends")), { "a", "b", "c" },
		"and is an array")
	local waiting = later(channel.request, channel, "hang\n", 7)
	skynet.yield()
	tap.raises(function() channel:request("hang\n", 7) end, "in use", "a session is used once")
	hang_up_all()
	is_socket_error(waiting, "a lost request ends")
	tap.is(channel:request("echo 8 again\n", 8), "again", "the next one connects again")
	local response = later(channel.response, channel, 9)
	skynet.yield()
	channel:request("echo 9 pushed\n")
	tap.is(select(2, await(response, "a response without a request ends")), "pushed", "with its data")
	channel:close()
end

local function test_session_failures(port)
	local channel = socketchannel.channel {
		host = LOCAL,
		port = port,
		response = function(sock)
			local session, text = sock:readline():match "^(%d+) (.*)$"
			session = tonumber(session)
			if text == "one" then
				error { session = session, message = "only this" }
			elseif text == "all" then
				error "everything"
			end
			return session, true, text
		end,
	}
	local other = later(channel.request, channel, "hang\n", 1)
	tap.raises(function() channel:request("echo 2 one\n", 2) end, "only this",
		"a response function can fail one request")
	tap.is(other.done, nil, "without touching others")
	tap.raises(function() channel:request("echo 3 all\n", 3) end, "everything",
		"another error ends the connection")
	local ok, value = await(other, "and with it the others")
	tap.ok(not ok and value:find "everything", "they get the error")
	tap.is(channel:request("echo 4 again\n", 4), "again", "the next one connects again")
	channel:close()
end

local function test_timeouts(port)
	local channel = socketchannel.channel { host = LOCAL, port = port, timeout = 3000 }
	server.released = nil
	tap.raises(function() channel:request("stall late\n", line, nil, 2) end, "timeout",
		"a request can have a deadline")
	local next_one = later(channel.request, channel, "echo next\n", line)
	server.released = true
	tap.is(select(2, await(next_one, "the next request ends")), "next",
		"a late response is not taken for the next one")
	channel:close()
	channel = socketchannel.channel { host = LOCAL, port = port, response = by_session, timeout = 2 }
	server.released = nil
	tap.raises(function() channel:request("delay 1 late\n", 1) end, "timeout",
		"a channel can have a deadline")
	server.released = true
	tap.is(channel:request("echo 2 next\n", 2, nil, 3000), "next", "a late session is dropped")
	channel:close()
end

-- Nobody accepts: the system takes a few connections and lets the others wait.
local function test_connect_timeout()
	local listener, _, port = socket.listen(LOCAL, 0, 1)
	for i = 1, 4 do
		local channel = socketchannel.channel { host = LOCAL, port = port, timeout = 5 }
		tap.raises(function() channel:request("echo x\n", line) end, "timeout",
			"a deadline counts while connecting too: " .. i)
		channel:close()
	end
	socket.close(listener)
end

local function test_overload(port)
	local seen = {}
	local channel = socketchannel.channel {
		host = LOCAL,
		port = port,
		overload = function(is_overload)
			seen[#seen + 1] = is_overload
		end,
	}
	server.released = nil
	channel:request("stall x\n")
	channel:request(("hang " .. ("x"):rep(1 << 20) .. "\n"):rep(24))
	tap.eventually(function() return seen[1] end, "overload begins")
	server.released = true
	tap.eventually(function() return #seen >= 2 end, "and ends")
	tap.is_deeply({ seen[1], seen[#seen] }, { true, false }, "true first, false at the end")
	channel:close()
end

local function test_own_methods(port)
	local channel = socketchannel.channel {
		host = LOCAL,
		port = port,
		socket_readline = function(sock)
			return "own " .. socket.readline(sock[1])
		end,
	}
	tap.is(channel:request("echo text\n", line), "own text", "methods can be replaced")
	channel:close()
end

local function test_collection(port)
	do
		local channel = socketchannel.channel { host = LOCAL, port = port }
		channel:request("echo x\n", line)
	end
	tap.eventually(function()
		collectgarbage()
		return next(server.open) == nil
	end, "a channel that nobody holds closes itself")
end

tap.run(function()
	local listener, port = listen()
	tap.raises(function() socketchannel.channel {} end, "host", "a host is needed")
	test_order(port)
	test_order_failures(port)
	test_close(port)
	test_ends_of_waits(port)
	test_ends_of_attempts(port)
	test_connect_failures()
	test_backup(port)
	test_auth(port)
	test_sessions(port)
	test_session_failures(port)
	test_timeouts(port)
	test_connect_timeout()
	test_overload(port)
	test_own_methods(port)
	test_collection(port)
	socket.close(listener)
end)
