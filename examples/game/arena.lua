---Brings fighters of all game nodes together: as soon as there are `room_size` of them they get a
---room. Message type "lua", from agents by cluster:
---
---| command | arguments           | answer                                                |
---| ------- | ------------------- | ----------------------------------------------------- |
---| `enter` | node, agent, player | when the battle is over, for this player              |
---| `leave` | node, agent         | none; `enter` is answered                             |
---
---Meanwhile the agent is sent `battle` and a line for everything that happens, and the result with
---the last one. The points of winners are on the scoreboard of the master node.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

---@class arena.fighter
---@field key string
---@field node string
---@field agent integer
---@field name string
---@field room integer?
---@field response (fun(ok: boolean, ...: any): boolean)?  nil once it has been used

local room_size = tonumber(skynet.getenv "room_size") or 2

---@type arena.fighter[]
local waiting = {}
---@type table<string, arena.fighter>
local fighters = {}

---@param fighter arena.fighter
---@param ok boolean
local function finish(fighter, ok)
	if fighters[fighter.key] == fighter then
		fighters[fighter.key] = nil
	end
	if fighter.response then
		fighter.response(ok)
		fighter.response = nil
	end
end

---@param fighter arena.fighter
local function leave(fighter)
	for i, other in ipairs(waiting) do
		if other == fighter then
			table.remove(waiting, i)
			break
		end
	end
	if fighter.room then
		skynet.send(fighter.room, "lua", "leave", fighter.key)
	end
	finish(fighter, true)
end

---@async
---@param group arena.fighter[]
---@return string? winner
local function fight(group)
	local room = skynet.newservice "room"
	local list = {}
	for i, fighter in ipairs(group) do
		fighter.room = room
		list[i] = { key = fighter.key, node = fighter.node, agent = fighter.agent,
			name = fighter.name }
		if not fighter.response then -- has left while the room was made
			skynet.send(room, "lua", "leave", fighter.key)
		end
	end
	return skynet.call(room, "lua", "fight", list)
end

---@async
---@param group arena.fighter[]
local function battle(group)
	local ok, winner = pcall(fight, group)
	if not ok then
		skynet.error("error: arena: a battle has failed:", winner)
	elseif winner then
		cluster.send("master", "@scoreboard", "add", winner, 1)
	end
	for _, fighter in ipairs(group) do
		fighter.room = nil
		finish(fighter, ok)
	end
end

local command = {}

---@param node string
---@param agent integer
---@param name string
function command.enter(node, agent, name)
	local key = ("%s %d"):format(node, agent)
	assert(not fighters[key], "is in a battle already")
	local fighter = {
		key = key, node = node, agent = agent, name = name, response = skynet.response(),
	}
	fighters[key] = fighter
	table.insert(waiting, fighter)
	cluster.send(node, agent, "battle", "waiting for others")
	if #waiting >= room_size then
		local group = waiting
		waiting = {}
		skynet.fork(battle, group)
	end
end

function command.leave(node, agent)
	local fighter = fighters[("%s %d"):format(node, agent)]
	if fighter then
		leave(fighter)
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local handler = command[name]
		if not handler then
			error("the arena has no command '" .. tostring(name) .. "'")
		end
		handler(...)
	end)
	cluster.on_node(function(node, what)
		if what == "down" then
			for _, fighter in pairs(fighters) do
				if fighter.node == node then
					leave(fighter)
				end
			end
		end
	end)
end)
