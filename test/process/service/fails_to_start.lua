---Raises in its start function.
local skynet = require "skynet"

skynet.start(function()
	error "this service does not start"
end)
