---Watches the gate of a game node: lets players in that the login node has announced, gives each an
---agent of its own, and ends agents whose client is gone. Clients send frames: a length of two
---bytes, high byte first, and text. The first one is `enter NAME TOKEN`.
---
---Message type "lua":
---
---| from       | command  | arguments        | answer                                         |
---| ---------- | -------- | ---------------- | ---------------------------------------------- |
---| main_game  | `open`   | node, host, port | host and port                                  |
---| login node | `expect` | name, token      | true; the token is good once, for a while      |
---| login node | `kick`   | name             | true, when the player is saved or was not here |
---| agent      | `left`   | name             |                                                |
---| gate       | `socket` | event, fd, ...   |                                                |
local skynet = require "skynet"
local socketdriver = require "skynet.socketdriver"
local game_command = require "game.command"
local text = require "game.text"

---All in 1/100 s: until a client has entered, for which a token is good, between two reports.
local ENTER_TIME <const> = 1000
local TOKEN_TIME <const> = 3000
local REPORT_INTERVAL <const> = 100
---What agents get to save their players when the node stops.
local STOP_TIME <const> = 800
local STOP_POLL <const> = 5
local MAX_CLIENTS <const> = 1000
---A client that does not read is sent away when so many bytes wait for it.
local MAX_UNREAD <const> = 262144

---@class watchdog.player
---@field name string
---@field fd integer
---@field agent integer?  nil until the player is loaded
---@field unwanted string?  why to leave as soon as it is loaded
---@field waiting thread[]  tasks that wait until the player is saved and gone

---@type table<integer, watchdog.player|false>  fd to player, false: has not entered yet
local connections = {}
---@type table<string, watchdog.player>
local players = {}
local player_count = 0
---@type table<string, { token: string, time: integer }>
local tokens = {}

local gate, node
local stopping = false

---@param fd integer
---@param message string
local function write(fd, message)
	socketdriver.send(fd, string.pack(">s2", message))
end

---Tell the agent to save its player and leave; it answers with `left`.
---@param player watchdog.player
---@param reason string
local function send_home(player, reason)
	if player.agent then
		skynet.send(player.agent, "lua", "leave", reason)
	else
		player.unwanted = reason
	end
end

---@param fd integer
---@param reason string
local function disconnected(fd, reason)
	local player = connections[fd]
	connections[fd] = nil
	if player then
		send_home(player, reason)
	end
end

---@param fd integer
---@param reason string
local function refuse(fd, reason)
	write(fd, "error " .. reason)
	disconnected(fd, reason)
	skynet.send(gate, "lua", "kick", fd)
end

---@param player watchdog.player
local function forget(player)
	players[player.name] = nil
	player_count = player_count - 1
	for _, task in ipairs(player.waiting) do
		skynet.wakeup(task)
	end
end

---@param name string?
---@param token string?
---@return boolean
local function take_token(name, token)
	local expected = tokens[name or ""]
	if not expected or expected.token ~= token then
		return false
	end
	tokens[name] = nil
	return skynet.now() - expected.time <= TOKEN_TIME
end

---Players that are here and those that will come.
---@return integer
local function count_players()
	local count, now = player_count, skynet.now()
	for name, expected in pairs(tokens) do
		if now - expected.time > TOKEN_TIME then
			tokens[name] = nil
		else
			count = count + 1
		end
	end
	return count
end

---@async
---@param fd integer
---@param name string
local function enter(fd, name)
	---@type watchdog.player
	local player = { name = name, fd = fd, waiting = {} }
	players[name] = player
	player_count = player_count + 1
	connections[fd] = player
	local agent = skynet.newservice "agent"
	local ok, greeting = pcall(skynet.call, agent, "lua", "start", {
		fd = fd, gate = gate, name = name, node = node, watchdog = skynet.self(),
	})
	if not ok or not greeting then
		if not ok then
			skynet.error(("watchdog: %s cannot be loaded: %s"):format(name, greeting))
		end
		forget(player)
		connections[fd] = nil
		skynet.send(agent, "lua", "discard")
		return refuse(fd, "the player cannot be loaded now, try again")
	end
	player.agent = agent
	if player.unwanted then
		return send_home(player, player.unwanted)
	end
	-- It fails when the client has gone at this moment, which the gate tells in its own way.
	if pcall(skynet.call, gate, "lua", "forward", fd, 0, agent) then
		write(fd, "ok " .. greeting)
	end
end

-- ---- from the gate ----

local on = {}

function on.open(fd)
	connections[fd] = false
	socketdriver.sendlimit(fd, MAX_UNREAD, "close")
	skynet.timeout(ENTER_TIME, function()
		if connections[fd] == false then
			refuse(fd, "too slow")
		end
	end)
	skynet.send(gate, "lua", "accept", fd)
end

---@async
function on.data(fd, frame)
	if connections[fd] ~= false then
		return refuse(fd, "wait for the answer")
	end
	local what, name, token = table.unpack(text.words(frame:sub(1, text.MAX_SIZE)))
	if what ~= "enter" then
		refuse(fd, "say 'enter NAME TOKEN'")
	elseif not take_token(name, token) then
		refuse(fd, "the token is wrong, used or too old: log in")
	elseif players[name] then
		refuse(fd, "the player is here already")
	elseif stopping then
		refuse(fd, "the node is stopping")
	else
		enter(fd, name)
	end
end

function on.close(fd)
	disconnected(fd, "the connection is lost")
end

on.error = on.close

---The send buffer of a client grows: it does not read.
function on.warning(fd, kib)
	skynet.error(("watchdog: %d KiB wait for the client of connection %d"):format(kib, fd))
end

-- ---- from others ----

local command = {}

---@async
function command.open(name, host, port)
	node = name
	gate = skynet.newservice "gate"
	host, port = skynet.call(gate, "lua", "open",
		{ address = host, port = port, maxclient = MAX_CLIENTS, nodelay = true })
	skynet.fork(function()
		while not stopping do
			skynet.send("LOGIN", "lua", "report", node, host, port, count_players())
			skynet.sleep(REPORT_INTERVAL)
		end
	end)
	return host, port
end

function command.expect(name, token)
	tokens[name] = { token = token, time = skynet.now() }
	return not stopping or error("the node is stopping", 0)
end

---@async
function command.kick(name)
	tokens[name] = nil
	local player = players[name]
	if player then
		send_home(player, "you have logged in elsewhere")
		local task = coroutine.running()
		table.insert(player.waiting, task)
		skynet.wait(task)
	end
	return true
end

function command.left(name)
	local player = players[name]
	forget(player)
	connections[player.fd] = nil
	skynet.send(gate, "lua", "kick", player.fd)
end

function command.socket(event, fd, ...)
	if on[event] then
		on[event](fd, ...)
	end
end

---Send all players home, at the same time, and wait until they are saved.
---@async
local function stop()
	stopping = true
	for _, player in pairs(players) do
		send_home(player, "the node is stopping")
	end
	local deadline = skynet.now() + STOP_TIME
	while next(players) and skynet.now() < deadline do
		skynet.sleep(STOP_POLL)
	end
	for name in pairs(players) do
		skynet.error(("error: watchdog: %s is not saved"):format(name))
	end
end

skynet.start(function()
	game_command.serve("the watchdog", command)
	skynet.on_stop(stop)
end)
