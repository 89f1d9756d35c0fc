---Does nothing, for ever. Its log line says that the node is up.
local skynet = require "skynet"

skynet.start(function()
	skynet.error "idle: up"
end)
