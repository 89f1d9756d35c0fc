---A service that remembers points. Message type "lua":
---
---| command | arguments       | answer                                    |
---| ------- | --------------- | ----------------------------------------- |
---| `add`   | player, points  | the player's points                       |
---| `best`  |                 | player and points of the leader, or nil   |
local skynet = require "skynet"

local scores = {}

local command = {}

---@param player string
---@param points integer
---@return integer total
function command.add(player, points)
	scores[player] = (scores[player] or 0) + points
	return scores[player]
end

---@return string? player
---@return integer? points
function command.best()
	local leader
	for player, points in pairs(scores) do
		if not leader or points > scores[leader] then
			leader = player
		end
	end
	return leader, leader and scores[leader]
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local handler = command[name]
		if not handler then
			error("the scoreboard has no command '" .. tostring(name) .. "'")
		end
		skynet.ret(skynet.pack(handler(...)))
	end)
end)
