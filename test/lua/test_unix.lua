-- Unix-domain sockets wherever host and port are accepted.
local skynet = require "skynet"
local socket = require "skynet.socket"
local tap = require "tap"

local function echo(id)
	socket.start(id)
	while true do
		local line = socket.readline(id)
		if not line then
			break
		end
		socket.write(id, line .. "\n")
	end
	socket.close(id)
end

local function check_echo(address, name)
	local listener = socket.listen(address)
	socket.start(listener, function(id)
		skynet.fork(echo, id)
	end)
	local client, message = socket.open(address)
	tap.ok(client, name .. ": connects" .. (message or ""))
	if client then
		socket.write(client, "line\n")
		tap.is(socket.readline(client), "line", name .. ": carries data")
		socket.close(client)
	end
	socket.close(listener)
end

tap.run(function()
	local path = skynet.getenv "test_tmp" .. "/test.sock"
	check_echo("unix:" .. path, "a path")
	check_echo("unix:" .. path, "the same path again")
	tap.ok(io.open(path) == nil, "the socket file is removed")
	check_echo(string.format("unix:@skynet-test-%s", path), "an abstract name")
	local id, message = socket.open("unix:" .. path)
	tap.ok(id == nil and type(message) == "string", "nobody listens: open fails")
	tap.raises(function() socket.listen "unix:/no/such/folder/x.sock" end, "Listen error",
		"a folder that is not there is an error")
	tap.raises(function() socket.listen("unix:/" .. ("x"):rep(500)) end, "Listen error",
		"a path that is too long is an error")
end)
