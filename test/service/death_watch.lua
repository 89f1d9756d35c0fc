---Remembers which services have ended; a request asks about one.
local skynet = require "skynet"

local ended = {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function() end,
	dispatch = function(_, source)
		skynet.ignoreret()
		ended[source] = true
	end,
}

skynet.dispatch("lua", function(_, _, address)
	skynet.retpack(ended[address] or false)
end)

skynet.start(function() end)
