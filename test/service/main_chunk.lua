---Tries to wait in its main chunk, and answers with the error. Argument: how.
local skynet = require "skynet"

local tries = {
	exit = skynet.exit,
	call = function() skynet.call(".launcher", "lua", "LIST") end,
	sleep = function() skynet.sleep(1) end,
	wait = skynet.wait,
	newservice = function() skynet.newservice "subject" end,
}

local what = ...
if what == "exit" then
	skynet.exit()
end
local _, err = pcall(tries[what])

skynet.dispatch("lua", function()
	skynet.retpack(err)
end)

skynet.start(function() end)
