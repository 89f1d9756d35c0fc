---What the game nodes share: the channel of the world chat, and teams. One in the whole harbor
---network, on the node of the master (skynet.uniqueservice(true, "world")). Message type "lua",
---from agents:
---
---| command   | arguments    | answer                                            |
---| --------- | ------------ | ------------------------------------------------- |
---| `channel` |              | the multicast channel of the chat                 |
---| `join`    | team, player | names of the members, or nil and a reason         |
---| `leave`   |              |                                                   |
---| `say`     | text         | none; members are sent `team` and what was said   |
---
---An agent is known by its handle, which is good in the whole network.
local skynet = require "skynet"
local harbor = require "skynet.harbor"
local multicast = require "skynet.multicast"

local TEAM_SIZE <const> = 8

---@type table<string, table<integer, string>>  team to agents and the names of their players
local teams = {}
---@type table<integer, string>  agent to team
local team_of = {}
---Harbor ids whose end is waited for.
local watched = {}

local chat

---@param agent integer
local function leave(agent)
	local name = team_of[agent]
	if name then
		team_of[agent] = nil
		teams[name][agent] = nil
		if not next(teams[name]) then
			teams[name] = nil
		end
	end
end

---Agents of a node that dies cannot say that they leave.
---@param id integer
local function watch(id)
	if watched[id] then
		return
	end
	watched[id] = true
	skynet.fork(function()
		harbor.link(id)
		watched[id] = nil
		for agent in pairs(team_of) do
			if skynet.harbor(agent) == id then
				leave(agent)
			end
		end
	end)
end

local command = {}

function command.channel()
	return chat.channel
end

---@param agent integer
---@param name string
---@param player string
---@return string[]? members
---@return string? reason
function command.join(agent, name, player)
	if team_of[agent] then
		return nil, "you are in a team already"
	end
	local team = teams[name] or {}
	local members = {}
	for _, member in pairs(team) do
		members[#members + 1] = member
	end
	if #members >= TEAM_SIZE then
		return nil, "the team is full"
	end
	teams[name] = team
	team[agent] = player
	team_of[agent] = name
	watch((skynet.harbor(agent)))
	members[#members + 1] = player
	table.sort(members)
	return members
end

command.leave = leave

---@param agent integer
---@param line string
function command.say(agent, line)
	local team = teams[team_of[agent]]
	if team then
		for member in pairs(team) do
			skynet.send(member, "lua", "team", team[agent] .. " " .. line)
		end
	end
end

skynet.start(function()
	chat = multicast.new()
	skynet.dispatch("lua", function(session, source, name, ...)
		local handler = command[name]
		if not handler then
			error("the world has no command '" .. tostring(name) .. "'")
		end
		if session == 0 then
			handler(source, ...)
		else
			skynet.retpack(handler(source, ...))
		end
	end)
end)
