-- An agent behind a gate: keeps what clients send. Any lua message is answered with the array of
-- { session, source, text }.
local skynet = require "skynet"

local frames = {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = skynet.tostring,
	dispatch = function(session, source, text)
		skynet.ignoreret()
		frames[#frames + 1] = { session = session, source = source, text = text }
	end,
}

skynet.start(function()
	skynet.dispatch("lua", function()
		skynet.retpack(frames)
	end)
end)
