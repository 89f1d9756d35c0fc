---The command `debug` of the debug console: its lines go to another service until that lets go.
local skynet = require "skynet"
require "skynet.manager"

local AGENT <const> = "debug_agent"

---How often to see whether the target is still there, in centiseconds.
local WATCH_INTERVAL <const> = 100

---What ends a debug session.
local LEAVE <const> = "cont"

---Pass lines on until the session ends. The line that arrives after the end is the console's again.
---@async
---@param session skynet.console.session
---@param agent integer
---@param state { over: boolean }
local function pass_lines(session, agent, state)
	repeat
		local line = session.reader:line()
		if state.over then
			if line then
				session.reader:unread(line)
			end
			break
		end
		-- a client that has gone leaves the target running
		line = line or LEAVE
		skynet.send(agent, "lua", "cmd", line)
	until line == LEAVE
	state.reading = false
	skynet.wakeup(state)
end

---End the session when its target is killed: that answers no request.
---@async
---@param address integer
---@param agent integer
---@param state { over: boolean }
local function watch_target(address, agent, state)
	while not state.over and skynet.send(address, "debug", "PING") do
		skynet.sleep(WATCH_INTERVAL)
	end
	if not state.over then
		skynet.kill(agent)
		skynet.term(agent)
	end
end

---Attach the console to a service; returns when the operator leaves it.
---@async
---@param session skynet.console.session
---@param address integer
return function(session, address)
	if not skynet.send(address, "debug", "PING") then
		error(skynet.address(address) .. " is not a service of this node", 0)
	end
	local agent = skynet.newservice(AGENT)
	skynet.error("Attach to " .. skynet.address(address))
	local state = { over = false, reading = true }
	skynet.fork(pass_lines, session, agent, state)
	skynet.fork(watch_target, address, agent, state)
	local ok, err = pcall(skynet.call, agent, "lua", "start", address, session.fd)
	state.over = true
	-- the agent leaves by itself, also when there was no session
	session.before_read = state.reading and function()
		while state.reading do
			skynet.wait(state)
		end
	end or nil
	if not ok then
		error(err, 0)
	end
end
