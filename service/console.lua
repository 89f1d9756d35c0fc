---Starts services named on standard input. No arguments.
---
---Each line is the name of a service and its arguments; `snax NAME ...` starts a snax service.
local skynet = require "skynet"
local socket = require "skynet.socket"
local input = require "skynet.console.input"

local SNAX <const> = "snax"

---@async
---@param words string[]
local function start_service(words)
	if words[1] == SNAX then
		local snax = require "skynet.snax"
		return snax.newservice(table.unpack(words, 2))
	end
	return skynet.newservice(table.concat(words, " "))
end

---@async
local function read_commands()
	local stdin, reason = socket.stdin()
	if not stdin then
		skynet.error("Console: cannot read standard input: " .. tostring(reason))
		return
	end
	while true do
		local line = socket.readline(stdin, "\n")
		if not line then
			break
		end
		local words = input.split(line)
		if #words > 0 then
			-- the log says why a service did not start; the console goes on
			pcall(start_service, words)
		end
	end
	skynet.error "Console: end of standard input"
end

skynet.start(function()
	skynet.fork(read_commands)
end)
