---Runs the text of each request as a handler: text, arguments. The text answers by itself, or does
---not. Its globals are those of the service, so it can keep things from one request to the next.
local skynet = require "skynet"
require "skynet.manager"

-- luacheck: globals state
state = {}

skynet.dispatch("lua", function(session, source, text, ...)
	local handler = assert(load("local session, source = ... " .. text, "=subject"))
	return handler(session, source, ...)
end)

skynet.start(function() end)
