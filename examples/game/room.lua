---One battle. Message type "lua", from the arena: `fight fighters`, answered with the winner when
---it is over, and `leave key` meanwhile. In each round, every `battle_tick`, somebody hits somebody
---else; who has no health left is out, and the last one wins.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local HEALTH <const> = 100
local HIT_MIN <const>, HIT_MAX <const> = 20, 50
local MAX_ROUNDS <const> = 100

local tick = tonumber(skynet.getenv "battle_tick") or 20

---@class room.fighter
---@field key string
---@field node string
---@field agent integer
---@field name string
---@field health integer?

---@type room.fighter[]  of the battle
local all = {}
---@type room.fighter[]  still standing
local standing = {}
---Keys of those who left, maybe before the battle began.
local gone = {}

---@param line string
---@param result { winner: string? }?
local function tell_all(line, result)
	for _, fighter in ipairs(all) do
		if not gone[fighter.key] then
			cluster.send(fighter.node, fighter.agent, "battle", line, result)
		end
	end
end

local function hit()
	local attacker, victim = math.random(#standing), math.random(#standing - 1)
	if victim >= attacker then
		victim = victim + 1
	end
	local from, to = standing[attacker], standing[victim]
	local damage = math.random(HIT_MIN, HIT_MAX)
	to.health = to.health - damage
	tell_all(("%s hits %s: %d, %d left"):format(from.name, to.name, damage, math.max(to.health, 0)))
end

---Takes out who has left or has no health left.
local function count_out()
	local left = {}
	for _, fighter in ipairs(standing) do
		if gone[fighter.key] then
			tell_all(fighter.name .. " has left")
		elseif fighter.health <= 0 then
			tell_all(fighter.name .. " is out")
		else
			left[#left + 1] = fighter
		end
	end
	standing = left
end

---@async
---@param fighters room.fighter[]
---@return string? winner
local function fight(fighters)
	local names = {}
	for i, fighter in ipairs(fighters) do
		fighter.health = HEALTH
		names[i] = fighter.name
		all[i], standing[i] = fighter, fighter
	end
	tell_all("begins: " .. table.concat(names, " against "))
	local rounds = 0
	while #standing > 1 and rounds < MAX_ROUNDS do
		skynet.sleep(tick, gone) -- cut short when somebody leaves
		count_out()
		if #standing > 1 then
			rounds = rounds + 1
			hit()
			count_out()
		end
	end
	local winner = #standing == 1 and standing[1].name or nil
	tell_all(("over: %s wins after %d rounds"):format(winner or "nobody", rounds), { winner = winner })
	return winner
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, argument)
		if name == "leave" then
			gone[argument] = true
			skynet.wakeup(gone)
		elseif name == "fight" then
			skynet.retpack(fight(argument))
			skynet.exit()
		else
			error("a room has no command '" .. tostring(name) .. "'")
		end
	end)
end)
