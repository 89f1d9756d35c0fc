---Two stop hooks that note their order.
local skynet = require "skynet"

local name = ...

skynet.start(function()
	skynet.on_stop(function()
		skynet.sleep(1)
		skynet.error("stop hook of", name)
	end)
	if name == "first" then
		skynet.newservice("stops_well", "second")
		skynet.error "stops_well: up"
	end
end)
