-- The sockets of this service and what socket messages do to them: the ground of skynet.socket, not
-- for users. The words of an entry:
--   phase     OPENING until CONNECT or ERROR, OPEN, then CLOSED (nothing more can arrive)
--   finished  the kernel will not send CLOSE any more: nobody needs to wait for it
--   wanted    what the reading coroutine waits for: ANY, ALL, a count of bytes or a separator
--   woken     the reader is about to run: what it will look at must stay
local driver = require "skynet.socketdriver"
local skynet = require "skynet"

---@class skynet.socket_entry
local M = {
	OPENING = 1,
	OPEN = 2,
	CLOSED = 3,

	STREAM = "stream",
	LISTENER = "listener",
	DATAGRAM = "datagram",
	WATCH = "watch",

	ANY = true,
	ALL = false,
}

local OPENING <const> = M.OPENING
local OPEN <const> = M.OPEN
local CLOSED <const> = M.CLOSED
local LISTENER <const> = M.LISTENER
local ANY <const> = M.ANY
local ALL <const> = M.ALL

-- Reading stops when more than this is unread and nobody waits for more.
local PAUSE_SIZE <const> = 131072

local event <const> = driver.event

---@class skynet.socket.entry
---@field id integer
---@field kind string
---@field phase integer
---@field finished boolean?
---@field buffer userdata
---@field pool table
---@field reading boolean?
---@field woken boolean?
---@field wanted boolean|integer|string|nil
---@field timeout integer?
---@field paused boolean?
---@field resumes integer
---@field limit integer?
---@field callback function?
---@field warning fun(id: integer, kib: integer)?
---@field closers thread[]?
---@field failure string?
---@field overflown boolean?
---@field address string?
---@field port integer?

---@type table<integer, skynet.socket.entry>
local sockets = setmetatable({}, {
	-- The service ends: nobody will close what it still holds.
	__gc = function(self)
		for id in next, self do
			driver.close(id)
		end
	end,
})

---@type table<integer, fun(id: integer)>
local close_callbacks = {}

-- What ends a wait for data.
local entry_meta = {
	__close = function(entry)
		entry.reading = nil
		entry.wanted = nil
		entry.woken = nil
	end,
}

---Start to track `id`.
---@param id integer
---@param kind string
---@param phase integer
---@param callback function?
---@return skynet.socket.entry
function M.new(id, kind, phase, callback)
	local entry = setmetatable({
		id = id,
		kind = kind,
		phase = phase,
		buffer = driver.buffer(),
		pool = {},
		resumes = 0,
		callback = callback,
	}, entry_meta)
	sockets[id] = entry
	return entry
end

---Let the reader of `entry`, if there is one, look again.
---@param entry skynet.socket.entry
local function wake_reader(entry)
	if entry.reading then
		entry.reading = nil
		entry.wanted = nil
		entry.woken = true
		skynet.wakeup(entry.buffer)
	end
end

---Stop to track `entry`. What it holds is freed now, unless a reader is about to look at it.
---@param entry skynet.socket.entry
function M.forget(entry)
	if sockets[entry.id] == entry then
		sockets[entry.id] = nil
	end
	if not entry.woken then
		driver.clear(entry.buffer, entry.pool)
	end
end

local opening_meta = {
	__close = function(opening)
		if opening.entry then
			driver.shutdown(opening.entry.id)
			M.forget(opening.entry)
		end
	end,
}

---To be closed once `entry` is open. With its field `entry` still set, because the task that opens
---was killed, it leaves no socket behind.
---@param entry skynet.socket.entry
---@return { entry: skynet.socket.entry? }
function M.opening(entry)
	return setmetatable({ entry = entry }, opening_meta)
end

-- ---- events ----

local on = {}

-- Whether `entry`, which now has `total` unread bytes, has what its reader waits for.
local function is_satisfied(entry, total)
	local wanted = entry.wanted
	if wanted == ANY then
		return true
	elseif wanted == ALL then
		return false
	elseif math.type(wanted) == "integer" then
		return total >= wanted
	end
	return driver.readline(entry.buffer, nil, wanted)
end

local function stop_reading(entry, total)
	driver.pause(entry.id)
	entry.paused = true
	skynet.error(string.format("Pause socket (%d) size : %d", entry.id, total))
end

local function overflow(entry, total)
	skynet.error(string.format("socket buffer overflow: fd=%d size=%d", entry.id, total))
	driver.clear(entry.buffer, entry.pool)
	entry.overflown = true
	driver.close(entry.id)
end

on[event.DATA] = function(id, size, data)
	local entry = sockets[id]
	if entry == nil or entry.overflown then
		if entry == nil then
			skynet.error(string.format("socket: %d bytes for unknown socket (%d)", size, id))
		end
		driver.drop(data, size)
		return
	end
	local total = driver.push(entry.buffer, entry.pool, data, size)
	local wanted = entry.wanted
	local counted = wanted == ANY or math.type(wanted) == "integer"
	local left = total
	if entry.reading then
		if is_satisfied(entry, total) then
			wake_reader(entry)
			left = wanted == ANY and 0 or counted and total - wanted or total
		else
			left = 0
		end
	end
	if entry.limit and total > entry.limit and not counted then
		overflow(entry, total)
	elseif left > PAUSE_SIZE and not entry.paused then
		stop_reading(entry, left)
	end
end

on[event.CONNECT] = function(id, port, address)
	local entry = sockets[id]
	if entry == nil then
		return
	end
	if entry.phase == OPENING then
		entry.phase = OPEN
		entry.address = address
		entry.port = port
		skynet.wakeup(entry)
	elseif entry.resumes > 0 then
		-- The answer to a resume of ours, maybe overtaken by a new pause.
		entry.resumes = entry.resumes - 1
	else
		entry.paused = nil
	end
end

-- Nothing will arrive any more.
local function finish(entry, failure)
	entry.finished = true
	if entry.phase == OPENING then
		entry.failure = failure
		skynet.wakeup(entry)
	end
	entry.phase = CLOSED
	wake_reader(entry)
	local closers = entry.closers
	if closers then
		entry.closers = nil
		for _, co in ipairs(closers) do
			skynet.wakeup(co)
		end
	end
end

local function tell_close(id)
	local callback = close_callbacks[id]
	if callback then
		close_callbacks[id] = nil
		callback(id)
	end
end

on[event.CLOSE] = function(id)
	local entry = sockets[id]
	if entry then
		finish(entry, "socket closed")
	else
		driver.close(id)
	end
	tell_close(id)
end

on[event.ACCEPT] = function(id, new_id, address)
	local entry = sockets[id]
	if entry and entry.callback then
		entry.callback(new_id, address)
	else
		driver.close(new_id)
	end
end

on[event.ERROR] = function(id, _, text)
	local entry = sockets[id]
	if entry == nil then
		driver.shutdown(id)
		skynet.error(string.format("socket: error on unknown socket (%d): %s", id, text))
	elseif entry.phase == OPENING then
		finish(entry, text)
	elseif entry.kind == LISTENER then
		skynet.error(string.format("socket: accept error on (%d): %s", id, text))
	else
		skynet.error(string.format("socket: error on (%d): %s", id, text))
		driver.shutdown(id)
		finish(entry)
		tell_close(id)
	end
end

on[event.UDP] = function(id, size, data, from)
	local entry = sockets[id]
	if entry and entry.callback then
		local text = skynet.tostring(data, size)
		driver.drop(data, size)
		entry.callback(text, from)
	else
		driver.drop(data, size)
		skynet.error(string.format("socket: datagram for unknown socket (%d)", id))
	end
end

on[event.WARNING] = function(id, kib)
	local entry = sockets[id]
	if entry == nil then
		return
	end
	if entry.warning then
		entry.warning(id, kib)
	else
		skynet.error(
			string.format("WARNING: %d K bytes need to send out (fd = %d)", kib, id)
		)
	end
end

on[event.FILE] = function(id, _, path)
	local entry = sockets[id]
	if entry and entry.callback then
		entry.callback(path)
	end
end

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = driver.unpack,
	dispatch = function(_, _, type, ...)
		on[type](...)
	end,
}

---Gives back a callback, or raises an error in the caller of the function that was given it: what
---is called later must be something that can be called, nil is for none.
---@param callback any
---@return function? callback
function M.check_callback(callback)
	local kind = type(callback)
	if kind ~= "function" and kind ~= "nil" and not (getmetatable(callback) or {}).__call then
		error("bad callback (function expected, got " .. kind .. ")", 3)
	end
	return callback
end

---The same for a number of bytes or centiseconds.
---@param count any
---@return integer? count
function M.check_count(count)
	if count ~= nil and not math.tointeger(tonumber(count)) then
		error("bad argument #2 (integer expected, got " .. tostring(count) .. ")", 3)
	end
	return count
end

M.sockets = sockets
M.close_callbacks = close_callbacks
M.wake_reader = wake_reader

return M
