---Uses a Lua C module that was written for the reference, and ends the node.
local oldlib = require "oldlib"
local skynet = require "skynet"
require "skynet.manager"

skynet.register_protocol({
	name = "text",
	id = skynet.PTYPE_TEXT,
	unpack = skynet.tostring,
	dispatch = function(session, source, text)
		skynet.error("oldlib:", session > 0, source == skynet.self(), text)
		skynet.abort()
	end,
})

skynet.start(function()
	assert(oldlib.address() == (":%x"):format(skynet.self()))
	assert(oldlib.memory()[skynet.self()] > 0)
	oldlib.ask(skynet.self(), "from C")
end)
