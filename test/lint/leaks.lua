--- A node that starts services, calls, times and talks to itself through a socket, then stops.
local skynet = require "skynet"
local manager = require "skynet.manager"

local role = ...

local function serve()
	skynet.dispatch("lua", function(_, _, command, ...)
		if command == "raise" then
			error "meant"
		end
		skynet.ret(skynet.pack(command, ...))
	end)
end

local function drive()
	local socket = require "skynet.socket"
	local peers = {}
	for i = 1, 5 do
		peers[i] = skynet.newservice("leaks", "peer")
		assert(skynet.call(peers[i], "lua", "echo", i) == "echo")
	end
	assert(not pcall(skynet.call, peers[1], "lua", "raise"))
	skynet.kill(peers[1])
	assert(not pcall(skynet.call, peers[1], "lua", "echo"))

	local listener, address, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		socket.write(id, socket.readline(id) .. "\n")
		socket.close(id)
	end)
	local id = assert(socket.open(address or "127.0.0.1", port))
	socket.write(id, "hello\n")
	assert(socket.readline(id) == "hello")
	socket.close(id)
	socket.close(listener)

	skynet.timeout(100000, function() end)
	skynet.sleep(1)
	manager.abort()
end

skynet.start(role == "peer" and serve or function()
	skynet.fork(drive)
end)
