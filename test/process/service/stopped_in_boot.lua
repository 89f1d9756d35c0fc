---Fails to start when its node is being stopped. A service started before has a stop hook.
local skynet = require "skynet"

skynet.start(function()
	skynet.newservice("stops_well", "older")
	local starting = coroutine.running()
	skynet.on_stop(function()
		skynet.wakeup(starting)
	end)
	skynet.error "stopped_in_boot: waiting"
	skynet.wait(starting)
	error "stopped while it started"
end)
