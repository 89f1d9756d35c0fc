---Its start function is killed. Argument: by whom.
local skynet = require "skynet"

local how = ...

skynet.start(function()
	local thread = coroutine.running()
	skynet.fork(function()
		if how == "pattern" then
			skynet.killthread((tostring(thread):gsub("thread: ", "")))
		else
			skynet.killthread(thread)
		end
		error "the killer goes on"
	end)
	if how == "waiting" then
		skynet.newservice "killed_start_child"
	else
		skynet.wait {}
	end
end)
