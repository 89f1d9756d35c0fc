---Asks the launcher one question, prints the answer on standard output and leaves.
---
---Arguments: a command of the launcher and what it takes, for example `dbg LIST`.
local skynet = require "skynet"
local output = require "skynet.console.output"

local arguments = table.pack(...)

skynet.start(function()
	local answer = skynet.call(".launcher", "lua", table.unpack(arguments, 1, arguments.n))
	output.write(answer, function(line)
		io.stdout:write(line, "\n")
	end)
	io.stdout:flush()
	skynet.exit()
end)
