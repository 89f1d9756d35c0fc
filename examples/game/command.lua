---Services of the game that are told things by messages of type "lua": a name and arguments.
local skynet = require "skynet"

---@class game.command
local command = {}

---Handle messages of this service by the functions of a table. Requests are answered with what
---their function returns; who only sends gets nothing.
---@param who string in the error about a name that is not there, such as "an agent"
---@param handlers table<string, fun(...: any): any>
function command.serve(who, handlers)
	skynet.dispatch("lua", function(session, _, name, ...)
		local handler = handlers[name]
		if not handler then
			error(("%s has no command '%s'"):format(who, tostring(name)))
		end
		if session == 0 then
			handler(...)
		else
			skynet.retpack(handler(...))
		end
	end)
end

return command
