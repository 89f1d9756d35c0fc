---Starts a debug console and tells it to stop the node.
local skynet = require "skynet"
local socket = require "skynet.socket"

skynet.start(function()
	local console = skynet.newservice("debug_console", 0)
	local port = skynet.call(console, "debug", "INFO").port
	local fd = assert(socket.open("127.0.0.1", port))
	socket.write(fd, "stop\n")
end)
