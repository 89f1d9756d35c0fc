-- Sockets that read as straight code: a coroutine that asks for data waits until it is there.
-- All state is local to the service, see skynet.socket_entry.
local driver = require "skynet.socketdriver"
local entries = require "skynet.socket_entry"
local skynet = require "skynet"

local OPENING <const> = entries.OPENING
local OPEN <const> = entries.OPEN
local CLOSED <const> = entries.CLOSED
local STREAM <const> = entries.STREAM
local LISTENER <const> = entries.LISTENER
local DATAGRAM <const> = entries.DATAGRAM
local WATCH <const> = entries.WATCH
local ANY <const> = entries.ANY
local ALL <const> = entries.ALL
local TIMEOUT <const> = "timeout"

local sockets = entries.sockets
local close_callbacks = entries.close_callbacks
local new_entry = entries.new
local forget = entries.forget
local wake_reader = entries.wake_reader
local check_callback = entries.check_callback
local check_count = entries.check_count

---@class skynet.socket
local socket = {}

local function check_entry(id)
	return sockets[id] or error(string.format("socket (%s) is not open here", id), 3)
end

-- ---- opening and closing ----

-- Waits until the socket is open. True, or nil and why not.
---@async
local function await_open(entry, timeout)
	local opening <close> = entries.opening(entry)
	if timeout then
		if skynet.sleep(timeout, entry) ~= "BREAK" then
			driver.shutdown(entry.id)
			entry.failure = TIMEOUT
		end
	else
		skynet.wait(entry)
	end
	opening.entry = nil
	if entry.failure then
		forget(entry)
		return nil, entry.failure
	end
	return true
end

---Connect to an address: host and port, or one text `host:port`, `[ipv6]:port`, `unix:/path`.
---@async
---@param address string
---@param port integer?
---@param timeout integer? centiseconds; nil: as long as the system tries
---@param guarded boolean? to another node, which authenticates if the config says so
---@param begun fun(id: integer)? told the id at once: `socket.shutdown` ends the attempt
---@return integer? id
---@return string? message
function socket.open(address, port, timeout, guarded, begun)
	local id = (guarded and driver.connect_guarded or driver.connect)(address, port)
	if begun then
		begun(id)
	end
	local ok, message = await_open(new_entry(id, STREAM, OPENING), timeout)
	if not ok then
		return nil, message
	end
	return id
end

---Bind and listen. Connections are accepted after `socket.start`. A host name is looked up at once,
---which holds up the worker until the system knows it; so do those of the datagram functions.
---@async
---@param host string
---@param port integer? 0 picks one
---@param backlog integer?
---@param guarded boolean? for other nodes, which authenticate if the config says so
---@return integer? id
---@return string address
---@return integer port
function socket.listen(host, port, backlog, guarded)
	local id, refusal = (guarded and driver.listen_guarded or driver.listen)(host, port, backlog)
	if not id then
		---@diagnostic disable-next-line: missing-return-value
		return nil, refusal
	end
	local entry = new_entry(id, LISTENER, OPENING)
	local ok, message = await_open(entry)
	if not ok then
		---@diagnostic disable-next-line: missing-return-value
		return nil, message
	end
	return id, entry.address, entry.port
end

---Begin to read an accepted or foreign socket, or, with `accept`, to accept on a listener.
---@async
---@param id integer
---@param accept fun(id: integer, address: string)?
---@return integer? id
---@return string? message
function socket.start(id, accept)
	check_callback(accept)
	local old = sockets[id]
	if old and old.kind ~= LISTENER and old.phase ~= CLOSED then
		error("socket is not closed", 2)
	end
	if old then
		forget(old)
	end
	driver.start(id)
	local entry = new_entry(id, accept and LISTENER or STREAM, OPENING, accept)
	local ok, message = await_open(entry)
	if not ok then
		return nil, message
	end
	return id
end

---Read and write a descriptor of the operating system.
---@async
---@param os_fd integer
---@return integer? id
---@return string? message
function socket.bind(os_fd)
	local id = driver.bind(os_fd)
	local ok, message = await_open(new_entry(id, STREAM, OPENING))
	if not ok then
		return nil, message
	end
	return id
end

---The standard input of the process.
---@async
---@return integer? id
---@return string? message
function socket.stdin()
	return socket.bind(0)
end

---Close after all written data has been sent. A coroutine that reads gets `false, rest` first.
---@async
---@param id integer
function socket.close(id)
	local entry = sockets[id]
	if entry == nil then
		return
	end
	driver.close(id)
	if not entry.finished then
		if entry.phase == OPENING then
			entry.failure = "socket closed"
			skynet.wakeup(entry)
		end
		entry.phase = CLOSED
		wake_reader(entry)
		local co = coroutine.running()
		entry.closers = entry.closers or {}
		table.insert(entry.closers, co)
		skynet.wait(co)
	end
	forget(entry)
end

---Close an id that this service does not track, such as an accepted one that was never started.
---@param id integer
function socket.close_fd(id)
	if sockets[id] then
		error("Use socket.close instead", 2)
	end
	driver.close(id)
end

---Close at once, dropping what waits to be sent. What has arrived can still be read until
---`socket.close`.
---@param id integer
function socket.shutdown(id)
	driver.shutdown(id)
end

---Forget a socket without closing it, to hand its id to another service.
---@param id integer
function socket.abandon(id)
	local entry = sockets[id]
	close_callbacks[id] = nil
	if entry then
		driver.clear(entry.buffer, entry.pool)
		if entry.phase == OPENING then
			entry.failure = "socket abandoned"
			skynet.wakeup(entry)
		end
		entry.phase = CLOSED
		wake_reader(entry)
		forget(entry)
	end
end

-- ---- reading ----

-- Waits until there is what is wanted, or the end. Nil and a message when it took too long.
---@async
local function await(entry, wanted)
	if entry.reading or entry.woken then
		error("socket is being read by another coroutine", 3)
	end
	if entry.paused then
		skynet.error(string.format("Resume socket (%d)", entry.id))
		entry.paused = nil
		entry.resumes = entry.resumes + 1
		driver.start(entry.id)
	end
	entry.reading = true
	entry.wanted = wanted
	local _ <close> = entry -- nobody reads it any more, also when this task is killed
	if entry.timeout then
		skynet.sleep(entry.timeout, entry.buffer)
	else
		skynet.wait(entry.buffer)
	end
	if entry.reading then
		return nil, TIMEOUT
	end
	return true
end

local function unread(entry)
	local _, total = driver.pop(entry.buffer, entry.pool, 0)
	return total
end

local function read_some(entry)
	local data = driver.readall(entry.buffer, entry.pool)
	if data ~= "" then
		return data
	end
	if entry.phase == CLOSED then
		return false, ""
	end
	local ok, message = await(entry, ANY)
	if not ok then
		return nil, message
	end
	data = driver.readall(entry.buffer, entry.pool)
	if data ~= "" then
		return data
	end
	return false, ""
end

---Read exactly `n` bytes, or without `n` whatever is there, at least one byte. At the end of the
---stream: `false` and what is left.
---@async
---@param id integer
---@param n integer? at least 0, which gives "" at once; raises an error below
---@return string|false|nil data nil after the time set with `socket.timeout`
---@return string? rest
function socket.read(id, n)
	local entry = check_entry(id)
	if n == nil then
		return read_some(entry)
	end
	if n < 0 then
		error("count of bytes below zero", 2)
	end
	if n == 0 and (entry.phase ~= CLOSED or unread(entry) > 0) then
		return ""
	end
	local data = driver.pop(entry.buffer, entry.pool, n)
	if data then
		return data
	end
	if entry.phase ~= CLOSED then
		local ok, message = await(entry, n)
		if not ok then
			return nil, message
		end
		data = driver.pop(entry.buffer, entry.pool, n)
		if data then
			return data
		end
	end
	return false, driver.readall(entry.buffer, entry.pool)
end

---Read up to `separator`, which is removed. At the end of the stream: `false` and what is left.
---@async
---@param id integer
---@param separator string? "\n"
---@return string|false|nil line
---@return string? rest
function socket.readline(id, separator)
	local entry = check_entry(id)
	separator = separator or "\n"
	local line = driver.readline(entry.buffer, entry.pool, separator)
	if line then
		return line
	end
	if entry.phase ~= CLOSED then
		local ok, message = await(entry, separator)
		if not ok then
			return nil, message
		end
		line = driver.readline(entry.buffer, entry.pool, separator)
		if line then
			return line
		end
	end
	return false, driver.readall(entry.buffer, entry.pool)
end

---Read until the end of the stream. On a closed socket: what is left, `false` if nothing.
---@async
---@param id integer
---@return string|false|nil data
---@return string? message
function socket.readall(id)
	local entry = check_entry(id)
	if entry.phase == CLOSED then
		local data = driver.readall(entry.buffer, entry.pool)
		return data ~= "" and data
	end
	local ok, message = await(entry, ALL)
	if not ok then
		return nil, message
	end
	return driver.readall(entry.buffer, entry.pool)
end

---Wait until there is something to read, or the end.
---@async
---@param id integer
---@return boolean connected
function socket.block(id)
	local entry = sockets[id]
	if entry == nil or entry.phase == CLOSED then
		return false
	end
	if unread(entry) == 0 then
		await(entry, ANY)
	end
	return entry.phase ~= CLOSED
end

---Stop reading from the system. The next read that has to wait resumes; while one waits nothing
---happens, because what it waits for could not come.
---@async
---@param id integer
function socket.pause(id)
	local entry = sockets[id]
	if entry == nil or entry.paused or entry.reading then
		return
	end
	driver.pause(id)
	entry.paused = true
	skynet.error(string.format("Pause socket (%d)", id))
	skynet.yield()
end

-- ---- settings and questions ----

---Write with high priority. True unless the socket is dead, closing, or its send buffer is full.
---@type fun(id: integer, data: any, size: integer?): boolean
socket.write = driver.send

---Write behind everything written with `socket.write`.
---@type fun(id: integer, data: any, size: integer?): boolean
socket.lwrite = driver.lsend

socket.header = driver.header
socket.resolve = driver.resolve
socket.netstat = driver.info
socket.udp_address = driver.udp_address

---Close the socket when more than `size` bytes are unread while nobody waits for a count of bytes.
---@param id integer
---@param size integer? nil: no limit
function socket.limit(id, size)
	check_entry(id).limit = check_count(size)
end

---Let reads give up after `timeout` centiseconds with `nil, "timeout"`; nil: never.
---@param id integer
---@param timeout integer? at least 0
function socket.timeout(id, timeout)
	check_entry(id).timeout = check_count(timeout)
end

---Call `callback(id, kib)` instead of logging when the send queue grows, with 0 when it is empty.
---@param id integer
---@param callback fun(id: integer, kib: integer)?
function socket.warning(id, callback)
	check_entry(id).warning = check_callback(callback)
end

---Call `callback(id)` once when the socket has been closed by either side.
---@param id integer
---@param callback fun(id: integer)?
function socket.onclose(id, callback)
	close_callbacks[id] = check_callback(callback)
end

---True when this service does not track the id.
---@param id integer
---@return boolean
function socket.invalid(id)
	return sockets[id] == nil
end

---Whether nothing more can arrive; nil for an unknown id.
---@param id integer
---@return boolean?
function socket.disconnected(id)
	local entry = sockets[id]
	if entry then
		return entry.phase == CLOSED
	end
end

-- ---- datagrams and files ----

---@alias skynet.socket.datagram fun(data: string, from: string)

---A datagram socket, bound when a host or port is given.
---@param callback skynet.socket.datagram
---@param host string?
---@param port integer?
---@return integer id
function socket.udp(callback, host, port)
	check_callback(callback)
	local id = driver.udp(host, port)
	new_entry(id, DATAGRAM, OPEN, callback)
	return id
end

---A datagram socket bound to an address.
---@param host string
---@param port integer
---@param callback skynet.socket.datagram
---@return integer id
function socket.udp_listen(host, port, callback)
	check_callback(callback)
	local id = driver.udp_listen(host, port)
	new_entry(id, DATAGRAM, OPEN, callback)
	return id
end

---A datagram socket with a default peer.
---@param host string
---@param port integer
---@param callback skynet.socket.datagram
---@return integer id
function socket.udp_dial(host, port, callback)
	check_callback(callback)
	local id = driver.udp_dial(host, port)
	new_entry(id, DATAGRAM, OPEN, callback)
	return id
end

---Set the default peer of a datagram socket.
---@param id integer
---@param host string
---@param port integer
---@param callback skynet.socket.datagram?
function socket.udp_connect(id, host, port, callback)
	check_callback(callback)
	local entry = sockets[id]
	driver.udp_connect(id, host, port)
	if entry == nil then
		new_entry(id, DATAGRAM, OPEN, callback)
	elseif callback then
		entry.callback = callback
	end
end

---Send a datagram to `from` as given to a callback.
---@type fun(id: integer, from: string, data: any, size: integer?): boolean
socket.sendto = driver.udp_send

---Call `callback(path)` whenever the file is written, replaced, made or removed.
---@param path string
---@param callback fun(path: string)
---@return integer? id end it with `socket.close`
---@return string? message
function socket.watch(path, callback)
	check_callback(callback)
	local id, message = driver.watch(path)
	if id == nil then
		return nil, message
	end
	new_entry(id, WATCH, OPEN, callback)
	return id
end

return socket
