---Asks for a stop hook that does not end.
local skynet = require "skynet"

skynet.start(function()
	skynet.on_stop(function()
		skynet.error "holds_stop: asked to stop"
		skynet.wait()
	end)
	skynet.error "holds_stop: up"
end)
