---Stands in for the member of a harbor network when `harbor` is 0. No arguments. Local name:
---.cslave.
---
---Global names are kept here and handed to the harbor service, which delivers what is sent to
---them. There are no other nodes: nobody can be linked or connected.
local skynet = require "skynet"
local names = require "skynet.harbor_names"
local transport = require "skynet.harbor_transport"

local NO_NETWORK <const> = 0

---@alias cdummy.command "REGISTER"|"QUERYNAME"|"LINK"|"CONNECT"|"LINKMASTER"
---@type table<cdummy.command, fun(...)>
local command = {
	REGISTER = names.command.REGISTER,
	QUERYNAME = names.command.QUERYNAME,
}

---No link is ever up, so each has been broken already.
function command.LINK()
	skynet.ret()
end

---Never answered: no other node will come.
function command.CONNECT()
	skynet.ignoreret()
	skynet.error "Can't connect to other harbor in single node mode"
end

function command.LINKMASTER()
	error "there is no master in single node mode"
end

skynet.start(function()
	transport.launch(NO_NETWORK)
	skynet.dispatch("lua", function(_, _, name, ...)
		local handler = command[name]
		if not handler then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		handler(...)
	end)
end)
