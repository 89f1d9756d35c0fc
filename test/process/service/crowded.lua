---Keeps every connection it can get, and answers what each sends. Listens at `crowded_path` of the
---config, so that clients need no ports.
local skynet = require "skynet"
local socket = require "skynet.socket"

skynet.start(function()
	local served = 0
	local listener = assert(socket.listen(skynet.getenv "crowded_path"))
	socket.start(listener, function(id)
		served = served + 1
		if not socket.start(id) then
			return
		end
		local line = socket.readline(id)
		if line then
			socket.write(id, line .. " " .. served .. "\n")
		end
		-- the others stay until their clients go
		socket.read(id)
		socket.close(id)
	end)
	skynet.error "crowded: up"
end)
