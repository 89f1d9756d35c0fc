---A service that never comes to an answer.
local skynet = require "skynet"

skynet.start(function()
	skynet.dispatch("lua", function()
		skynet.wait({})
	end)
end)
