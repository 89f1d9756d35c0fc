---Takes its time to start: its parent is gone by then.
local skynet = require "skynet"

skynet.start(function()
	skynet.sleep(5)
	skynet.exit()
end)
