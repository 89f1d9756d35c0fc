--- Tasks that are killed while they wait in a library: others can do there what they did.
local dns = require "skynet.dns"
local skynet = require "skynet"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"

--- A listener whose connections are noted and read by nobody.
local function listen()
	local accepted = {}
	local id, _, port = socket.listen(LOCAL, 0)
	socket.start(id, function(fd)
		accepted[#accepted + 1] = fd
		skynet.fork(socket.start, fd)
	end)
	return port, accepted
end

--- Kills a task that runs `f(...)` once `is_there` says that it waits.
local function killed(is_there, f, ...)
	local task = skynet.fork(f, ...)
	skynet.yield()
	tap.eventually(is_there, "a task waits")
	tap.is(skynet.killthread(task), task, "and is killed")
end

--- What `f(...)` does, in a task of its own.
local function goes_on(name, f, ...)
	local result
	skynet.fork(function(...)
		result = table.pack(pcall(f, ...))
	end, ...)
	tap.eventually(function() return result end, name)
	return table.unpack(result, 1, result.n)
end

local function sockets_of_this_service()
	local count = 0
	for _, row in ipairs(socket.netstat()) do
		count = count + (row.address == skynet.self() and 1 or 0)
	end
	return count
end

local function test_reader()
	local port, accepted = listen()
	local fd = assert(socket.open(LOCAL, port))
	tap.eventually(function() return accepted[1] end, "a connection is accepted")
	killed(function() return true end, socket.read, fd, 10)
	socket.write(accepted[1], "0123456789")
	local _, data = goes_on("another task reads instead", socket.read, fd, 10)
	tap.is(data, "0123456789", "what has come meanwhile")
	socket.close(fd)
end

local function test_opener()
	local port = listen()
	local opener = skynet.fork(socket.open, LOCAL, port)
	skynet.yield()
	skynet.killthread(opener)
	local fd = assert(socket.open(LOCAL, port))
	socket.close(fd)
	tap.eventually(function()
		for _, row in ipairs(socket.netstat()) do
			if row.type == "TCP" and row.peer and row.peer:find(":" .. port .. "$") then
				return false
			end
		end
		return true
	end, "a killed opener leaves no connection behind")
end

local function ok_line(sock)
	return true, sock:readline()
end

local function test_connector()
	local port, accepted = listen()
	local authenticated = 0
	local channel = socketchannel.channel {
		host = LOCAL,
		port = port,
		auth = function(self)
			self:request("auth\n", ok_line)
			authenticated = authenticated + 1
		end,
	}
	killed(function() return accepted[1] end, channel.request, channel, "first\n")
	local result
	skynet.fork(function()
		result = table.pack(pcall(channel.request, channel, "second\n", ok_line))
	end)
	tap.eventually(function() return accepted[2] end, "the next request connects again")
	socket.write(accepted[2], "welcome\nanswer\n")
	tap.eventually(function() return result end, "and is answered")
	tap.is(result[2], "answer", "behind its authentication")
	tap.is(authenticated, 1, "which was not left out")
	tap.is(socket.readline(accepted[1]), "auth", "the first connection was authenticating")
	tap.is(socket.readline(accepted[1]), false, "and was closed")
	killed(function() return true end, channel.request, channel, "third\n", ok_line)
	socket.write(accepted[2], "third\nfourth\n")
	local _, data = goes_on("a request behind one of a killed task", channel.request, channel,
		"fourth\n", ok_line)
	tap.is(data, "fourth", "gets its own answer")
	channel:close()
end

--- A name server that says nothing before `answers` is set.
local function name_server()
	local server = {}
	for _ = 1, 100 do
		local port = math.random(20000, 60000)
		local ok, id = pcall(socket.udp_listen, LOCAL, port, function(question, from)
			server.asked = true
			if server.answers then
				local flags, count = 0x8180, 1
				local id = string.unpack(">I2", question)
				socket.sendto(server.id, from,
					string.pack(">I2I2I2I2I2I2", id, flags, 1, count, 0, 0) .. question:sub(13)
						.. string.pack(">I2I2I2I4s2", 0xc00c, 1, 1, 60, "\10\0\0\1"))
			end
		end)
		if ok then
			server.id, server.port = id, port
			return server
		end
	end
	error "no free port"
end

local function test_asker()
	local server = name_server()
	dns.DEFAULT_HOSTS = false
	dns.server(LOCAL, server.port)
	local before = sockets_of_this_service()
	local other
	killed(function()
		if server.asked and not other then
			other = {}
			skynet.fork(function()
				other.address = dns.resolve "name.example"
			end)
			skynet.yield()
		end
		return server.asked
	end, dns.resolve, "name.example")
	server.answers = true
	tap.eventually(function() return other.address end, "who waited for its answer asks again")
	tap.is(other.address, "10.0.0.1", "and is told")
	local _, address = goes_on("a later one as well", dns.resolve, "name.example")
	tap.is(address, "10.0.0.1", "gets the answer")
	tap.eventually(function()
		return sockets_of_this_service() == before
	end, "no socket is left behind")
end

tap.run(function()
	test_reader()
	test_opener()
	test_connector()
	test_asker()
end)
