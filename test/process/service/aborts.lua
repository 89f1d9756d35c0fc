---Ends the node: arguments are an exit status and a reason, both optional.
local skynet = require "skynet"
require "skynet.manager"

local status, reason = ...

skynet.start(function()
	skynet.error "aborts: up"
	skynet.abort(status and tonumber(status), reason)
end)
