---Writes many lines, then lives on.
local skynet = require "skynet"

skynet.start(function()
	for i = 1, 100 do
		skynet.error("line", i)
	end
	skynet.timeout(1, function()
		io.stderr:write "writes_log: still here\n"
	end)
end)
