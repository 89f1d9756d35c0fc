---One player on a game node. Frames of the client arrive here as they are; each request gets one
---answer, `ok ...` or `error ...`, in the order of the requests. Lines that begin otherwise tell
---what happens: `chat`, `team`, `battle`, `bye`.
---
---| request          | answer and effect                                                    |
---| ---------------- | -------------------------------------------------------------------- |
---| `stats`          | `ok coins N battles N wins N`                                        |
---| `say TEXT`       | all players of all game nodes see `chat NAME TEXT`                   |
---| `team join TEAM` | `ok MEMBER...`                                                       |
---| `team leave`     | `ok`                                                                 |
---| `team say TEXT`  | the members, on whatever game nodes, see `team NAME TEXT`            |
---| `battle`         | `ok`; then lines `battle ...`, up to `battle over: ...`              |
---| `leave`          | `bye`, and the end of the connection                                 |
---
---Message type "lua", from the watchdog: `start conf`, and then either `leave reason` or, when the
---start has failed, `discard`; from others: `team line`, `battle line [result]`.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local multicast = require "skynet.multicast"
local queue = require "skynet.queue"
local socketdriver = require "skynet.socketdriver"
local game_command = require "game.command"
local text = require "game.text"

---In 1/100 s: for a call to the data node or the world, for a battle with the wait for it, and
---between two attempts to save.
local CALL_TIME <const> = 500
local BATTLE_TIME <const> = 60000
local SAVE_INTERVAL <const> = 100
---Between two attempts to enter a new world.
local WORLD_INTERVAL <const> = 50
---A player that cannot be saved is given up after so many attempts.
local SAVE_ATTEMPTS <const> = 60
---Requests of a client that may wait: begun, and in the mailbox.
local MAX_PENDING <const> = 64
local MAX_QUEUED <const> = 1000
local PRIZE <const> = 5
local NO_WORLD <const> = "error the world is away, try again"

---@class agent.conf
---@field fd integer
---@field gate integer
---@field name string
---@field node string
---@field watchdog integer

---@type agent.conf
local conf
---@type game.player
local player
local ticket
local world, chat -- nil while the node of the master is away
local team ---@type string?
local fighting ---@type table?  the battle that is under way
local leaving = false

---Requests are handled one after the other. A client that sends more than may wait is sent away.
local in_turn = queue()
local pending = 0
local flooded = false

---@param line string
local function tell(line)
	socketdriver.send(conf.fd, string.pack(">s2", line)) -- false when the client is gone
end

-- ---- data ----

---@async
local function ask_store(...)
	return cluster.call_timeout(CALL_TIME, "data", "@store", ...)
end

---@async
---@param for_good boolean
---@return boolean
local function save(for_good)
	local ok, saved, reason = pcall(ask_store, "save", conf.name, ticket, player, for_good)
	if ok and not saved then
		skynet.error(("agent: %s is not saved: %s"):format(conf.name, reason))
		return true -- nor would it be later
	elseif not ok then
		skynet.error(("agent: %s is not saved yet: %s"):format(conf.name, saved))
	end
	return ok
end

-- ---- requests ----

local request = {}

function request.stats()
	return ("ok coins %d battles %d wins %d"):format(player.coins, player.battles, player.wins)
end

---@async
function request.say(line)
	if line == "" then
		return "error say what?"
	elseif not chat then
		return NO_WORLD
	end
	chat:publish(conf.name, line)
	return "ok"
end

local team_request = {}

---@async
function team_request.join(name)
	if not text.is_name(name) then
		return "error a team is a name"
	elseif not world then
		return NO_WORLD
	end
	local members, reason = skynet.call_timeout(CALL_TIME, world, "lua", "join", name, conf.name)
	if not members then
		return "error " .. reason
	end
	team = name
	return "ok " .. table.concat(members, " ")
end

function team_request.leave()
	if not team then
		return "error you are in no team"
	end
	team = nil
	skynet.send(world, "lua", "part")
	return "ok"
end

function team_request.say(line)
	if not team then
		return "error you are in no team"
	end
	skynet.send(world, "lua", "say", line)
	return "ok"
end

---@async
function request.team(line)
	local what, rest = line:match "^(%S*)%s*(.*)$"
	local handler = team_request[what]
	if not handler then
		return "error say 'team join TEAM', 'team leave' or 'team say TEXT'"
	end
	return handler(rest)
end

---Waits on the battle node until the battle is over. When that node dies the call fails at once.
---How the battle goes, and its result, comes as messages, in their order: see `command.battle`.
---@async
---@param battle table
local function fight(battle)
	local ok, reason = pcall(cluster.call_timeout, BATTLE_TIME, "battle", "@arena", "enter",
		conf.node, skynet.self(), conf.name)
	if ok and fighting == battle then
		skynet.sleep(CALL_TIME, battle) -- the result is still on its way
	end
	if fighting == battle then
		fighting = nil
		skynet.error(("agent: the battle of %s has failed: %s"):format(conf.name, reason))
		local down = skynet.error_kind(reason) == "dead_node"
		tell("battle over: " .. (down and "the battle node is down" or "it failed"))
	end
end

function request.battle()
	if fighting then
		return "error you are in a battle"
	end
	fighting = {}
	skynet.fork(fight, fighting)
	return "ok"
end

-- ---- the world ----

---@async
local function enter_world()
	local found = skynet.uniqueservice(true, "world")
	local channel = multicast.new {
		channel = skynet.call_timeout(CALL_TIME, found, "lua", "channel"),
		dispatch = function(_, _, from, line)
			tell(("chat %s %s"):format(from, line))
		end,
	}
	channel:subscribe()
	world, chat = found, channel
end

---The world ends with the node of the master, and teams with it. When that node has been started
---again there is a new world, and a chat. Until then players do without.
---@async
local function stay_in_world()
	while true do
		while not world and not pcall(enter_world) do
			skynet.sleep(WORLD_INTERVAL)
		end
		pcall(skynet.call, world, "lua", "stay")
		if leaving then
			return
		end
		world, chat = nil, nil
		if team then
			team = nil
			tell "team is no more: the world has ended"
		end
	end
end

-- ---- the end ----

---Save the player, tell the watchdog, and end.
---@async
---@param reason string
local function leave(reason)
	if leaving then
		return
	end
	leaving = true
	tell("bye " .. reason)
	if fighting then
		cluster.send("battle", "@arena", "leave", conf.node, skynet.self())
	end
	if world then
		skynet.send(world, "lua", "leave")
		chat:unsubscribe()
	end
	for _ = 1, SAVE_ATTEMPTS do
		if save(true) then
			break
		end
		skynet.sleep(SAVE_INTERVAL)
	end
	skynet.send(conf.watchdog, "lua", "left", conf.name)
	skynet.exit()
end

---@async
function request.leave()
	leave "see you"
end

-- ---- from services ----

local command = {}

---@async
---@param start agent.conf
---@return string? greeting  nil when the player cannot be loaded
function command.start(start)
	conf = start
	local loaded
	loaded, ticket = ask_store("load", conf.name)
	if not loaded then
		return nil
	end
	player = loaded
	pcall(enter_world)
	skynet.fork(stay_in_world)
	return ("welcome to %s, %s"):format(conf.node, conf.name)
end

command.leave = leave

---The start has failed: nothing to be saved.
function command.discard()
	skynet.exit()
end

function command.team(line)
	tell("team " .. line)
end

---@async
---@param line string
---@param result { winner: string? }?  with the last line
function command.battle(line, result)
	if result and fighting then
		skynet.wakeup(fighting)
		fighting = nil
		player.battles = player.battles + 1
		if result.winner == conf.name then
			player.wins = player.wins + 1
			player.coins = player.coins + PRIZE
		end
	end
	tell("battle " .. line)
	if result and not leaving then
		save(false)
	end
end

---@async
---@param frame string
local function answer(frame)
	if leaving then
		return
	end
	local what, rest = frame:match "^(%S*)%s*(.*)$"
	local handler = request[what]
	if #frame > text.MAX_SIZE or not text.is_printable(frame) then
		return tell(("error a request is text of at most %d bytes"):format(text.MAX_SIZE))
	elseif not handler then
		return tell "error say stats, say, team, battle or leave"
	end
	local ok, line = pcall(handler, rest)
	if not ok then
		skynet.error(("agent: request '%s' of %s has failed: %s"):format(what, conf.name, line))
		line = "error it cannot be done now, try again"
	end
	tell(line)
end

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = skynet.tostring,
	dispatch = function(_, _, frame)
		skynet.ignoreret() -- the session is the connection; nobody waits for a response
		if flooded then
			return
		elseif pending >= MAX_PENDING or skynet.mqlen() >= MAX_QUEUED then
			flooded = true
			skynet.send(conf.gate, "lua", "kick", conf.fd)
			return
		end
		pending = pending + 1
		in_turn(answer, frame or "")
		pending = pending - 1
	end,
}

skynet.start(function()
	game_command.serve("an agent", command)
end)
