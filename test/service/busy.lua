---Uses a processor when told to. `spin ti`: for that many centiseconds.
local skynet = require "skynet"

skynet.dispatch("lua", function(session, _, _, ti)
	local limit = skynet.hpc() + ti * 10000000
	repeat until skynet.hpc() > limit
	if session ~= 0 then
		skynet.ret()
	end
end)

skynet.start(function() end)
