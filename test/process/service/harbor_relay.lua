---Asks another service for an echo, answers with what came, and ends.
local skynet = require "skynet"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, target, ...)
		skynet.retpack(skynet.call(target, "lua", "echo", ...))
		skynet.exit()
	end)
end)
