-- A gate of snax.gateserver that writes down its events, for test_gateserver.lua.
-- Messages: events -> array of texts, clear, resume (of a suspended handler), and gate commands.
local driver = require "skynet.socketdriver"
local gateserver = require "snax.gateserver"
local netpack = require "skynet.netpack"
local skynet = require "skynet"

local events = {}
local waiting
local handler = {}

local function note(format, ...)
	events[#events + 1] = string.format(format, ...)
end

function handler.open(source, conf)
	note("open %s", type(source))
	return conf.address, conf.port
end

function handler.connect(fd, address)
	note("connect %s", address:match "^127%.0%.0%.1:%d+$" and "local" or address)
	gateserver.openclient(fd)
end

function handler.message(fd, message, size)
	local text = netpack.tostring(message, size)
	if text == "suspend" then
		waiting = coroutine.running()
		skynet.wait(waiting)
	elseif text == "error" then
		note "raise"
		error "handler failed"
	elseif text == "close" then
		gateserver.closeclient(fd)
	elseif text == "echo" then
		driver.send(fd, netpack.pack "echo")
	end
	note("message %s", #text > 100 and #text or text)
end

function handler.disconnect(fd)
	note "disconnect"
	gateserver.closeclient(fd)
end

function handler.error(_, text)
	note("error %s", type(text))
end

function handler.warning(_, kib)
	note("warning %s", kib > 0)
end

local command = {}

function command.count()
	return #events
end

function command.events()
	return events
end

function command.clear()
	events = {}
end

function command.resume()
	skynet.wakeup(waiting)
end

function handler.command(cmd, _, ...)
	return command[cmd](...)
end

gateserver.start(handler)
