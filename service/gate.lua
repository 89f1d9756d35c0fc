---Accepts clients, cuts their streams into frames, and hands frames to agents. No arguments.
---
---Messages of type lua: `open conf` (conf.watchdog: who is told of everything, default the caller)
---answers address and port; `close` stops listening; and
---
---  forward fd [client] [agent]  read; frames go to `agent` (default: caller) as type client,
---                               with session fd and source `client` (default: the gate)
---  accept fd                    read; frames go to the watchdog
---  kick fd                      close
---  pause fd, play fd            stop and go on reading
---
---An unknown fd is an error, but for kick.
---
---The watchdog gets lua messages "socket", then open fd address | data fd text | close fd |
---error fd text | warning fd kib.
local gateserver = require "snax.gateserver"
local netpack = require "skynet.netpack"
local skynet = require "skynet"

---@class gate.connection
---@field address string
---@field agent integer|string|nil who gets the frames
---@field client integer source of these frames

---@type table<integer, gate.connection>
local connections = {}
local watchdog

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
}

local function tell(...)
	skynet.send(watchdog, "lua", "socket", ...)
end

local function check_connection(fd)
	return connections[fd] or error("unknown fd " .. tostring(fd))
end

local handler = {}

function handler.open(source, conf)
	watchdog = conf.watchdog or source
	return conf.address, conf.port
end

function handler.connect(fd, address)
	connections[fd] = { address = address, client = 0 }
	tell("open", fd, address)
end

function handler.message(fd, message, size)
	local connection = connections[fd]
	if connection and connection.agent then
		skynet.redirect(connection.agent, connection.client, "client", fd, message, size)
	else
		tell("data", fd, netpack.tostring(message, size))
	end
end

function handler.disconnect(fd)
	connections[fd] = nil
	tell("close", fd)
end

function handler.error(fd, text)
	connections[fd] = nil
	tell("error", fd, text)
end

function handler.warning(fd, kib)
	tell("warning", fd, kib)
end

local command = {}

function command.forward(source, fd, client, agent)
	local connection = check_connection(fd)
	connection.client = client or 0
	connection.agent = agent or source
	gateserver.openclient(fd)
	return true
end

function command.accept(_, fd)
	local connection = check_connection(fd)
	connection.agent = nil
	gateserver.openclient(fd)
end

function command.kick(_, fd)
	gateserver.closeclient(fd)
end

function command.pause(_, fd)
	check_connection(fd)
	gateserver.pauseclient(fd)
end

function command.play(_, fd)
	check_connection(fd)
	gateserver.openclient(fd)
end

function handler.command(cmd, source, ...)
	local f = command[cmd] or error("unknown command " .. tostring(cmd))
	return f(source, ...)
end

gateserver.start(handler)
