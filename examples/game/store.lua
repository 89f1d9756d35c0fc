---Accounts and players, in memory. The file named by setting `store_file` is read at the start and
---written when there is something new, every `store_interval`, and when the node stops. A new file
---replaces the old one in one step, so that there is always a whole one. Message type "lua":
---
---| command    | arguments                       | answer                                       |
---| ---------- | ------------------------------- | -------------------------------------------- |
---| `register` | name, digest                    | true, or nil and a reason                    |
---| `check`    | name, digest                    | true, or nil and a reason                    |
---| `load`     | name                            | the player and a ticket, or nil and a reason |
---| `save`     | name, ticket, player, leaving   | true, or nil and a reason                    |
---
---Who loads a player gets a ticket that ends all tickets before: of two owners, only the later one
---can save. `leaving` gives the ticket back.
local skynet = require "skynet"
local game_command = require "game.command"
local text = require "game.text"

---How long the node waits at its end for owners to give tickets back, in 1/100 s.
local LAST_SAVES <const> = 200
local POLL <const> = 5

---@class game.player
---@field coins integer
---@field battles integer
---@field wins integer

---@class game.account
---@field digest string  of the password
---@field ticket integer
---@field player game.player

---@type table<string, game.account>
local accounts = {}

---Names whose tickets are out.
---@type table<string, true>
local owned = {}

local path = skynet.getenv "store_file" or "players.store"
local interval = tonumber(skynet.getenv "store_interval") or 500
local changed = false

local command = {}

---@param name string
---@param digest string
---@return boolean?
---@return string? reason
function command.register(name, digest)
	if not text.is_name(name) or type(digest) ~= "string" then
		return nil, "bad name"
	end
	if accounts[name] then
		return nil, "the name is taken"
	end
	accounts[name] = { digest = digest, ticket = 0, player = { coins = 10, battles = 0, wins = 0 } }
	changed = true
	return true
end

---@param name string
---@param digest string
---@return boolean?
---@return string? reason
function command.check(name, digest)
	local account = accounts[name]
	if not account or account.digest ~= digest then
		return nil, "wrong name or password"
	end
	return true
end

---@param name string
---@return game.player?
---@return integer|string ticket  or the reason
function command.load(name)
	local account = accounts[name]
	if not account then
		return nil, "no such player"
	end
	-- From the clock: larger than all before, also when this node was killed and forgot the last ones.
	local now = math.floor(skynet.time() * 100)
	account.ticket = math.max(account.ticket + 1, now)
	owned[name] = true
	changed = true
	return account.player, account.ticket
end

---@param name string
---@param ticket integer
---@param player game.player
---@param leaving boolean
---@return boolean?
---@return string? reason
function command.save(name, ticket, player, leaving)
	local account = accounts[name]
	if not account or type(player) ~= "table" then
		return nil, "no such player"
	end
	if ticket < account.ticket then
		return nil, "the player has been loaded by somebody else since"
	end
	account.player = player
	changed = true
	if leaving then
		owned[name] = nil
	end
	return true
end

-- ---- the file ----

local function read_file()
	local file, reason, code = io.open(path, "rb")
	if not file then
		local ENOENT <const> = 2
		if code == ENOENT then
			return
		end
		error(reason, 0)
	end
	local content = file:read "a"
	file:close()
	local ok, found = pcall(skynet.unpack, content)
	if not ok or type(found) ~= "table" then
		error(("'%s' is damaged: move it away to start without players"):format(path), 0)
	end
	accounts = found
end

---@return boolean?
---@return string? reason
local function replace_file()
	local new = path .. ".new"
	local file, reason = io.open(new, "wb")
	if not file then
		return nil, reason
	end
	local written, closed
	written, reason = file:write(skynet.packstring(accounts))
	closed, reason = file:close(), reason
	if not written or not closed then
		return nil, reason or "cannot write"
	end
	return os.rename(new, path)
end

local function write_file()
	if not changed then
		return
	end
	changed = false
	local ok, reason = replace_file()
	if not ok then
		changed = true
		skynet.error("error: store: players are not saved:", reason)
	end
end

---@async
local function write_at_times()
	while true do
		skynet.sleep(interval)
		write_file()
	end
end

---@async
local function write_at_last()
	write_file()
	-- Game nodes that end together with this one save their players now.
	for _ = 1, LAST_SAVES // POLL do
		if not next(owned) then
			break
		end
		skynet.sleep(POLL)
	end
	write_file()
end

skynet.start(function()
	read_file()
	game_command.serve("the store", command)
	skynet.fork(write_at_times)
	skynet.on_stop(write_at_last)
end)
