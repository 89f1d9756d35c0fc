---Adds two numbers, in steps that a debugger can follow.
local skynet = require "skynet"

skynet.dispatch("lua", function(_, _, a, b)
	local sum = a
	sum = sum + b
	skynet.ret(skynet.pack(sum))
end)

skynet.start(function() end)
