---Loops for ever: in its start function with the argument "start", else right after it.
local skynet = require "skynet"

local function loop()
	skynet.error "never_returns: looping"
	local rounds = 0
	while true do
		rounds = rounds + 1
	end
end

local when = ...

skynet.start(function()
	if when == "start" then
		loop()
	end
	skynet.timeout(0, loop)
end)
