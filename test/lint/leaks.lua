--- A node that does a little of everything, and is in the middle of much of it when it ends: calls,
--- timers, sockets of each kind, a gate, multicast, cluster, other nodes of its network, a console.
local skynet = require "skynet"
local manager = require "skynet.manager"
local cluster = require "skynet.cluster"
local datacenter = require "skynet.datacenter"
local multicast = require "skynet.multicast"
local socket = require "skynet.socket"

local LOCAL <const> = "127.0.0.1"

local role = ...

local function serve()
	skynet.dispatch("lua", function(_, _, command, ...)
		if command == "raise" then
			error "meant"
		elseif command == "abort" then
			manager.abort()
		elseif command == "never" then
			skynet.wait {}
		elseif command == "subscribe" then
			multicast.new({ channel = ..., dispatch = function() end }):subscribe()
		end
		skynet.ret(skynet.pack(command, ...))
	end)
end

local function calls()
	local peers = {}
	for i = 1, 5 do
		peers[i] = skynet.newservice("leaks", "peer")
		assert(skynet.call(peers[i], "lua", "echo", i) == "echo")
	end
	assert(not pcall(skynet.call, peers[1], "lua", "raise"))
	skynet.kill(peers[1])
	assert(not pcall(skynet.call, peers[1], "lua", "echo"))
	assert(not pcall(skynet.call_timeout, 1, peers[2], "lua", "never"))
	skynet.fork(skynet.call, peers[3], "lua", "never")
	skynet.timeout(100000, function() end)
	skynet.cancel(skynet.timeout(100000, function() end))
	skynet.fork(skynet.wait, {})
	for i = 1, 100 do
		skynet.send(peers[4], "lua", "echo", ("x"):rep(i * 100))
	end
	return peers
end

local function streams()
	for _, where in ipairs { LOCAL, "unix:" .. skynet.getenv "folder" .. "/socket" } do
		local listener, address, port = socket.listen(where, 0)
		socket.start(listener, function(id)
			socket.start(id)
			socket.write(id, (socket.readline(id) or "") .. "\n")
			-- the rest of what comes is never read
			socket.pause(id)
		end)
		local id = assert(socket.open(port and port > 0 and address or where, port))
		socket.write(id, "hello\n")
		assert(socket.readline(id) == "hello")
		-- an orderly stop would wait for it
		if skynet.getenv "ending" == "abort" then
			socket.write(id, ("unread"):rep(1 << 18))
		end
		socket.close(assert(socket.open(port and port > 0 and address or where, port)))
	end
	assert(not socket.open("localhost", 1))
	assert(not socket.open("no.such.host.invalid", 1))
end

local function datagrams()
	local bound, port
	for _ = 1, 100 do
		port = math.random(20000, 60000)
		bound = pcall(socket.udp_listen, LOCAL, port, function() end)
		if bound then
			break
		end
	end
	local client = socket.udp_dial(LOCAL, port, function() end)
	for i = 1, 20 do
		socket.write(client, ("d"):rep(i * 100))
	end
end

local function gate_and_console()
	local gate = assert(skynet.launch("gate", "S", skynet.address(skynet.self()), LOCAL .. ":0", 0, 8))
	skynet.send(gate, "debug", "nothing")
	local console = skynet.newservice("debug_console", "unix:" .. skynet.getenv "folder" .. "/console")
	local id = assert(socket.open("unix:" .. skynet.getenv "folder" .. "/console"))
	socket.readline(id)
	for _, command in ipairs { "list", "stat", "mem", "netstat", "task 3", "nonsense" } do
		socket.write(id, command .. "\n")
		repeat
			local line = assert(socket.readline(id))
		until line:find "^<CMD"
	end
	return console
end

local function groups(peers)
	local channel = multicast.new()
	for i = 2, #peers do
		assert(skynet.call(peers[i], "lua", "subscribe", channel.channel))
	end
	for i = 1, 20 do
		channel:publish(i, ("m"):rep(i * 50))
	end
	datacenter.set("a", "b", { 1, 2 })
	assert(datacenter.get("a", "b")[2] == 2)
	skynet.fork(datacenter.wait, "never", "there")
end

local function clusters(peers)
	local _, port = cluster.open(0)
	cluster.register("peer", peers[2])
	cluster.reload { me = LOCAL .. ":" .. port, gone = LOCAL .. ":1" }
	assert(cluster.call("me", "@peer", "echo", ("c"):rep(200000)) == "echo")
	cluster.send("me", "@peer", "echo", "sent")
	skynet.fork(cluster.call, "me", "@peer", "never")
	skynet.fork(pcall, cluster.call, "gone", "@peer", "echo")
end

local function networks()
	for _, name in ipairs { "remote2", "remote3" } do
		-- a node may take longer to boot than a message waits for its name
		while not pcall(skynet.call, name, "lua", "echo", ("h"):rep(100000)) do
			skynet.sleep(10)
		end
		assert(not pcall(skynet.call, name, "lua", "raise"))
		skynet.fork(pcall, skynet.call, name, "lua", "never")
		skynet.send(name, "lua", "echo")
	end
end

local function drive()
	local peers = calls()
	streams()
	datagrams()
	gate_and_console()
	groups(peers)
	clusters(peers)
	networks()
	skynet.on_stop(function() skynet.sleep(1) end)
	skynet.error "leaks: done"
	if skynet.getenv "ending" == "abort" then
		-- the others first: that these calls end shows that the messages have left this node
		for _, name in ipairs { "remote3", "remote2" } do
			pcall(skynet.call, name, "lua", "abort")
		end
		manager.abort()
	end
end

skynet.start(function()
	if role == "drive" then
		skynet.fork(function()
			local ok, err = xpcall(drive, debug.traceback)
			if not ok then
				manager.abort(1, err)
			end
		end)
		return
	end
	serve()
	if role ~= "peer" then
		manager.register(role)
	end
end)
