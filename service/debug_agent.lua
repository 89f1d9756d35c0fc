-- Stands between a console connection and the service it debugs: writes the operator's lines into
-- the channel that the service reads. Ends with the session.
--
-- Commands (protocol lua):
--   start ADDRESS FD   debugs ADDRESS, with output to socket FD; answers when the session is over
--   cmd LINE           passes one line on; no answer
--   ping               answers

local skynet = require "skynet"
local debugchannel = require "skynet.debugchannel"

local command = {}

local channel

---@async
function command.start(address, fd)
	if channel then
		error "this agent has a session already"
	end
	local handle
	channel, handle = debugchannel.create()
	local ok, message = pcall(skynet.call, address, "debug", "REMOTEDEBUG", fd, handle)
	skynet.fork(skynet.exit)
	if not ok then
		error(message, 0)
	end
	skynet.ret(skynet.pack(true))
end

function command.cmd(line)
	channel:write(line)
end

function command.ping()
	skynet.ret()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local func = command[name]
		if func then
			func(...)
		else
			error("unknown command " .. tostring(name))
		end
	end)
end)
