---Lets clients log in: lines of text over TCP, one request and one answer each.
---
---| client                   | answer                                             |
---| ------------------------ | -------------------------------------------------- |
---| `register NAME PASSWORD` | `ok`                                               |
---| `login NAME PASSWORD`    | `ok TOKEN HOST PORT`: the game node to go to       |
---|                          | or `error REASON`                                  |
---
---Passwords travel as they are: a real game puts TLS in front. Here they are turned into digests,
---and only these reach the data node. Message type "lua": `open host port` answers both; `report
---node host port count` comes from each game node every second. Players are sent where the fewest
---are.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local crypt = require "skynet.crypt"
local socket = require "skynet.socket"
local text = require "game.text"

---All in 1/100 s: how long a client may be silent, the data node and a game node may take, and a
---game node may go without a report.
local CLIENT_TIME <const> = 3000
local DATA_TIME <const> = 500
local GAME_TIME <const> = 1000
local REPORT_TIME <const> = 1000

local MAX_CLIENTS <const> = 1000
local MAX_ERRORS <const> = 5
local DIGEST_ROUNDS <const> = 1000

---@class login.game
---@field node string
---@field host string
---@field port integer
---@field count integer  players, and those sent there since the last report
---@field time integer  of the last report

---Game nodes by the handles of their watchdogs.
---@type table<integer, login.game>
local games = {}

local clients = 0

---Names that are logging in now: a second login of the same name has to wait for the first.
---@type table<string, true>
local busy = {}

---@param name string
---@param password string
---@return string
local function digest(name, password)
	local sum = password
	for _ = 1, DIGEST_ROUNDS do
		sum = crypt.hmac_sha1("skynet game " .. name, sum)
	end
	return crypt.hexencode(sum)
end

---Call the data node.
---@async
---@return any ...  nil and a reason when that cannot be done
local function ask_store(...)
	local answer = table.pack(pcall(cluster.call_timeout, DATA_TIME, "data", "@store", ...))
	if answer[1] then
		return table.unpack(answer, 2, answer.n)
	end
	skynet.error("login: the data node does not answer:", answer[2])
	return nil, "players cannot be looked up now, try again"
end

---Call the watchdog of a game node; a node that does not answer is not used until it reports again.
---@async
---@return boolean ok
---@return any answer
local function ask_game(handle, ...)
	local ok, answer = pcall(skynet.call_timeout, GAME_TIME, handle, "lua", ...)
	if not ok and skynet.error_kind(answer) ~= "remote" then
		games[handle] = nil
	end
	return ok, answer
end

---The game node with the fewest players.
---@return integer? handle
---@return login.game game
local function pick_game()
	local best, found
	for handle, game in pairs(games) do
		if skynet.now() - game.time > REPORT_TIME then
			games[handle] = nil
		elseif not best or game.count < found.count then
			best, found = handle, game
		end
	end
	return best, found
end

---End what the player does on any game node: whoever logs in last, plays.
---@async
---@param name string
---@return boolean
local function end_other_sessions(name)
	local handles = {}
	for handle in pairs(games) do
		handles[#handles + 1] = handle
	end
	for _, handle in ipairs(handles) do
		local ok = ask_game(handle, "kick", name)
		if not ok and games[handle] then
			return false
		end
	end
	return true
end

---@async
---@param name string
---@return string answer
local function send_to_game(name)
	if not end_other_sessions(name) then
		return "error the player is still being saved, try again"
	end
	local token = crypt.hexencode(crypt.randomkey() .. crypt.randomkey())
	while true do
		local handle, game = pick_game()
		if not handle then
			return "error no game node is there, try again"
		end
		if ask_game(handle, "expect", name, token) then
			game.count = game.count + 1
			return ("ok %s %s %d"):format(token, game.host, game.port)
		end
		games[handle] = nil
	end
end

local request = {}

---@async
function request.register(name, password)
	local ok, reason = ask_store("register", name, digest(name, password))
	return ok and "ok" or "error " .. reason
end

---@async
function request.login(name, password)
	if busy[name] then
		return "error this name is logging in already"
	end
	busy[name] = true
	local ok, answer = pcall(function()
		local known, reason = ask_store("check", name, digest(name, password))
		return known and send_to_game(name) or "error " .. reason
	end)
	busy[name] = nil
	return ok and answer or error(answer, 0)
end

---@async
---@param line string
---@return string answer
local function answer_line(line)
	local what, name, password, more = table.unpack(text.words(line))
	local handler = request[what]
	if not handler then
		return "error say 'register NAME PASSWORD' or 'login NAME PASSWORD'"
	elseif not text.is_name(name) then
		return "error a name has letters, digits and '_', at most 16"
	elseif not text.is_password(password) or more then
		return "error a password has 1 to 64 characters and no blanks"
	end
	return handler(name, password)
end

---@async
---@param fd integer
local function serve(fd)
	socket.start(fd)
	socket.limit(fd, text.MAX_SIZE)
	socket.timeout(fd, CLIENT_TIME)
	local errors = 0
	repeat
		local line = socket.readline(fd)
		if not line or #line > text.MAX_SIZE then
			break
		end
		local answer = answer_line(line)
		if answer:find "^error" then
			errors = errors + 1
			if errors == MAX_ERRORS then
				answer = answer .. "; these are too many errors, good bye"
			end
		end
	until not socket.write(fd, answer .. "\n") or errors >= MAX_ERRORS
	socket.close(fd)
end

---@async
local function accept(fd)
	if clients >= MAX_CLIENTS then
		socket.close_fd(fd)
		return
	end
	clients = clients + 1
	local ok, err = pcall(serve, fd)
	clients = clients - 1
	if not ok then
		skynet.error("login: error while serving a client:", err)
		socket.close(fd)
	end
end

local command = {}

---@async
function command.open(_, host, port)
	local listener, address, bound = socket.listen(host, port)
	if not listener then
		error(("cannot listen at %s:%d: %s"):format(host, port, address), 0)
	end
	socket.start(listener, accept)
	return address, bound
end

function command.report(source, node, host, port, count)
	if not games[source] then
		skynet.error(("login: %s is there, players go to %s:%d"):format(node, host, port))
	end
	games[source] = { node = node, host = host, port = port, count = count, time = skynet.now() }
end

skynet.start(function()
	skynet.dispatch("lua", function(session, source, name, ...)
		local handler = command[name]
		if not handler then
			error("login has no command '" .. tostring(name) .. "'")
		end
		if session == 0 then
			handler(source, ...)
		else
			skynet.retpack(handler(source, ...))
		end
	end)
end)
