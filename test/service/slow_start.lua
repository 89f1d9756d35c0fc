---Takes its time to start.
local skynet = require "skynet"

local START_CS <const> = 20

skynet.start(function()
	skynet.sleep(START_CS)
end)
