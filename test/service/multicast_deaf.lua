---Is subscribed to a channel, but knows nothing of multicast messages.
local skynet = require "skynet"

skynet.start(function()
	local daemon = skynet.uniqueservice "multicastd"
	skynet.dispatch("lua", function(_, _, id)
		skynet.call(daemon, "lua", "SUB", id)
		skynet.retpack()
	end)
end)
