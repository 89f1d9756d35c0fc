---What the game nodes share: the channel of the world chat, and teams. One in the whole harbor
---network, on the node of the master (skynet.uniqueservice(true, "world")). Message type "lua",
---from agents:
---
---| command   | arguments    | answer                                                        |
---| --------- | ------------ | ------------------------------------------------------------- |
---| `channel` |              | the multicast channel of the chat                             |
---| `stay`    |              | none until the agent leaves: the call fails when the world is |
---|           |              | gone                                                          |
---| `join`    | team, player | names of the members, or nil and a reason                     |
---| `part`    |              | none; the agent is in no team any more                        |
---| `say`     | text         | none; members are sent `team` and what was said               |
---| `leave`   |              | none; ends `stay`, too                                        |
---
---An agent is known by its handle, which is good in the whole network.
local skynet = require "skynet"
local harbor = require "skynet.harbor"
local multicast = require "skynet.multicast"

local TEAM_SIZE <const> = 8
local LATER <const> = {} -- result of a command that answers later

---@type table<string, table<integer, string>>  team to agents and the names of their players
local teams = {}
---@type table<integer, string>  agent to team
local team_of = {}
---@type table<integer, fun(ok: boolean, ...: any): boolean>  agent to the answer of its `stay`
local stays = {}
---Harbor ids whose end is waited for.
local watched = {}

local chat

---@param agent integer
local function part(agent)
	local name = team_of[agent]
	if name then
		team_of[agent] = nil
		teams[name][agent] = nil
		if not next(teams[name]) then
			teams[name] = nil
		end
	end
end

---@param agent integer
local function leave(agent)
	part(agent)
	local response = stays[agent]
	if response then
		stays[agent] = nil
		response(true)
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
		for agent in pairs(stays) do
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

function command.stay(agent)
	stays[agent] = skynet.response()
	watch((skynet.harbor(agent)))
	return LATER
end

---@param agent integer
---@param name string
---@param player string
---@return string[]? members
---@return string? reason
function command.join(agent, name, player)
	if team_of[agent] then
		return nil, "you are in a team already"
	elseif not stays[agent] then
		return nil, "you are not in the world"
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
	members[#members + 1] = player
	table.sort(members)
	return members
end

command.part = part
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
		local answer = table.pack(handler(source, ...))
		if session ~= 0 and answer[1] ~= LATER then
			skynet.retpack(table.unpack(answer, 1, answer.n))
		end
	end)
end)
