---Plays a session of the small game and prints what each player sees: log in, chat, a team, a
---battle. Its last line is "client: the session is over"; the exit status of the process is 0 then,
---or 1 with a line that says what failed.
local skynet = require "skynet"
require "skynet.manager"
local connection = require "game.connection"

local EXIT_FAILED <const> = 1
local PASSWORD <const> = "open-sesame"
---How often and after what pause, in 1/100 s, a login is tried while nodes come up.
local ATTEMPTS <const>, PAUSE <const> = 60, 50

local host = skynet.getenv "login_host" or "127.0.0.1"
local port = tonumber(skynet.getenv "login_port")

---@class client.player
---@field name string
---@field connection game.connection

---@param name string
---@param line string
local function show(name, line)
	skynet.error(("%s: %s"):format(name, line))
end

---@async
---@param player client.player
---@param line string
---@return string answer
local function ask(player, line)
	show(player.name, "> " .. line)
	local answer = player.connection:request(line) or error("no answer to '" .. line .. "'", 0)
	show(player.name, answer)
	return answer
end

---@async
---@param player client.player
---@param start string
---@return string line
local function expect(player, start)
	local line = player.connection:expect(start) or error(player.name .. " waits for: " .. start, 0)
	show(player.name, line)
	return line
end

---@async
---@param name string
---@return client.player
local function enter(name)
	local answer, told
	for _ = 1, ATTEMPTS do
		-- The first time this makes an account, later it is refused.
		connection.ask_login(host, port, ("register %s %s"):format(name, PASSWORD))
		local player
		player, answer = connection.enter(host, port, name, PASSWORD)
		if player then
			show(name, answer)
			return { name = name, connection = player }
		elseif answer:find "^error" and not answer:find "again$" then
			break
		elseif answer ~= told then
			skynet.error(("client: %s waits for %s:%d: %s"):format(name, host, port, answer))
			told = answer
		end
		skynet.sleep(PAUSE)
	end
	error(("%s cannot log in at %s:%d: %s"):format(name, host, port, answer), 0)
end

---@async
---@param player client.player
local function watch_battle(player)
	repeat
		local line = expect(player, "battle")
	until line:find "^battle over"
end

---@async
local function play()
	local players = {}
	for name in (skynet.getenv "players" or "alice bob"):gmatch "%S+" do
		players[#players + 1] = enter(name)
	end
	local first = players[1]

	ask(first, "say good morning")
	for _, player in ipairs(players) do
		expect(player, "chat " .. first.name)
	end

	for _, player in ipairs(players) do
		ask(player, "team join red")
	end
	ask(first, "team say follow me")
	for _, player in ipairs(players) do
		expect(player, "team " .. first.name)
	end

	for _, player in ipairs(players) do
		ask(player, "battle")
	end
	for _, player in ipairs(players) do
		watch_battle(player)
	end

	for _, player in ipairs(players) do
		ask(player, "stats")
		ask(player, "leave")
		player.connection:close()
	end
end

skynet.start(function()
	skynet.fork(function()
		local ok, reason = pcall(play)
		if ok then
			skynet.error "client: the session is over"
			skynet.abort()
		else
			skynet.error("client: " .. reason)
			skynet.abort(EXIT_FAILED, reason)
		end
	end)
end)
