---Loops for ever when asked to: `loop` in Lua code, `coroutine` in a coroutine of its own, `wrap`
---in a wrapped one, `uncaught` without protection. Answers what ended the loop. `ping` answers.
local skynet = require "skynet"

local function loop()
	local i = 0
	while true do
		i = i + 1
	end
end

local command = {
	loop = function()
		local ok, message = pcall(loop)
		return ok, message
	end,
	coroutine = function()
		return coroutine.resume(coroutine.create(loop))
	end,
	wrap = function()
		return pcall(coroutine.wrap(loop))
	end,
	uncaught = loop,
	ping = function()
		return "pong"
	end,
}

skynet.dispatch("lua", function(_, _, name, note)
	if note then
		skynet.send(note, "lua", "looping")
	end
	-- in one step: an interrupt between two would lose the packed answer
	skynet.retpack(command[name]())
end)

skynet.start(function() end)
