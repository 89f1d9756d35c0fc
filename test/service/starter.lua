---Answers with the traceback of its start function from before that was done.
local skynet = require "skynet"

local trace

skynet.dispatch("lua", function()
	skynet.retpack(trace)
end)

skynet.start(function()
	skynet.timeout(0, function()
		trace = skynet.task "init"
	end)
	skynet.sleep(1)
end)
