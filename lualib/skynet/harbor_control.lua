---The control connection between a slave and the master of a harbor network: messages of a size
---byte and packed values, the first of which is a letter. For the services cmaster and cslave.
---
---Values behind those that the reference knows are extensions that it ignores. Ours: one table
---behind H, C and W, which also says that the sender knows P (heartbeat) and E (refusal).
---@class skynet.harbor_control
local control = {}

local skynet = require "skynet"
local socket = require "skynet.socket"
local socket_driver = require "skynet.socketdriver"

local SIZE_MAX <const> = 255
local GREETING_SIZE <const> = 9
local GREETING_CS <const> = 100
local NAME_MAX <const> = 15
local HANDLE_MAX <const> = 0xffffffff
local HARBOR_MAX <const> = 255
local BEAT_DEFAULT_S <const> = 5
local DIAL_CS <const> = 500
local AUTH_DEFAULT_S <const> = 5
local BACKOFF_MIN_CS <const> = 10
local BACKOFF_MAX_CS <const> = 500
local BACKOFF_STEPS <const> = 10

---What `read` says of a size of 0; see `demands`.
control.EMPTY = "empty"
---What `read` says of what is not packed values that begin with a letter.
control.GARBAGE = "garbage"

---Heartbeats missed before the other end counts as lost.
control.BEATS_MISSED = 3

---Send a message. Nils at its end, such as an extension that is not there, are left out.
---@param fd integer
---@param letter string
---@param ... any
---@return boolean sent
function control.write(fd, letter, ...)
	local values = table.pack(...)
	while values.n > 0 and values[values.n] == nil do
		values.n = values.n - 1
	end
	local text = skynet.packstring(letter, table.unpack(values, 1, values.n))
	if #text > SIZE_MAX then
		error(("control message '%s' is too long (%d bytes)"):format(letter, #text), 2)
	end
	return socket.write(fd, string.char(#text) .. text)
end

---What is wrong with a new connection whose first byte was 0, as no node of a harbor network sends
---it: that the other side authenticates and this one does not, or nil.
---@async
---@param fd integer
---@return string? reason
function control.demands(fd)
	socket.timeout(fd, GREETING_CS)
	local more = socket.read(fd, GREETING_SIZE - 1)
	return more and socket_driver.demands("\0" .. more) or nil
end

---Wait for the next message. Nil at the end of the stream; nil and "timeout" when nothing has come
---in time; nil and "empty" for a size of 0; nil and "garbage" for what is not a message.
---@async
---@param fd integer
---@return string? letter
---@return any ...
function control.read(fd)
	local head, reason = socket.read(fd, 1)
	if not head then
		return nil, head == nil and reason or nil
	elseif head == "\0" then
		return nil, control.EMPTY
	end
	local text
	text, reason = socket.read(fd, head:byte())
	if not text then
		return nil, text == nil and reason or nil
	end
	local values = table.pack(pcall(skynet.unpack, text))
	if not values[1] or type(values[2]) ~= "string" then
		return nil, control.GARBAGE
	end
	return table.unpack(values, 2, values.n)
end

---@param id any
---@return boolean
function control.is_id(id)
	return math.type(id) == "integer" and id >= 1 and id <= HARBOR_MAX
end

---@param name any
---@return boolean
function control.is_name(name)
	-- messages find names up to a zero byte: with one inside it would take another name's place
	return type(name) == "string" and #name >= 1 and #name <= NAME_MAX
		and not name:find("\0", 1, true)
end

---@param handle any
---@return boolean
function control.is_handle(handle)
	return math.type(handle) == "integer" and handle >= 1 and handle <= HANDLE_MAX
end

---How long to wait before the next attempt after so many failures: longer each time, and never the
---same for all.
---@param failures integer
---@return integer centiseconds
function control.backoff(failures)
	local most = math.min(BACKOFF_MIN_CS << math.min(failures, BACKOFF_STEPS), BACKOFF_MAX_CS)
	return math.random(most // 2, most)
end

---How long the other end of a new connection may take: to answer, and to authenticate where nodes
---do that. Handshakes of many nodes can queue up, so that gets twice its setting.
---@return integer centiseconds
function control.dial_timeout()
	if socket_driver.guards().kind == "none" then
		return DIAL_CS
	end
	local seconds = tonumber(skynet.getenv "auth_timeout") or AUTH_DEFAULT_S
	return DIAL_CS + math.ceil(seconds * 200)
end

---The harbor id in a handle.
---@param handle integer
---@return integer
function control.harbor_of(handle)
	return handle >> 24
end

---Centiseconds between heartbeats.
---@return integer
function control.beat_interval()
	local seconds = math.tointeger(tonumber(skynet.getenv "harbor_heartbeat"))
	return (seconds and seconds > 0 and seconds or BEAT_DEFAULT_S) * 100
end

---Call `check` each `interval`, until it returns false. It gets whether this process has itself
---been asleep, so that the silence of others says nothing about them.
---@param interval integer  centiseconds
---@param check fun(slept: boolean): boolean?
function control.every(interval, check)
	local last = skynet.now()
	local function tick()
		local now = skynet.now()
		local slept = now - last > interval * 2
		last = now
		if check(slept) ~= false then
			skynet.timeout(interval, tick)
		end
	end
	skynet.timeout(interval, tick)
end

---The extension table of a message, or nil when the sender is a node of the reference.
---@param value any
---@return table?
function control.extension(value)
	return type(value) == "table" and value or nil
end

---Which process an H or a C speaks of, or nil when that is a node of the reference.
---@param value any  its extension
---@return integer? incarnation
function control.incarnation(value)
	local incarnation = type(value) == "table" and value.incarnation
	return math.type(incarnation) == "integer" and incarnation or nil
end

---Whether that can be where a node is. It gets into logs, so it has no control characters.
---@param value any
---@return boolean
function control.is_address(value)
	return type(value) == "string" and value ~= "" and not value:find "%c"
end

---Open a socket. What is no address raises, at a place that says nothing to an operator.
---@async
---@return integer? fd
---@return string? reason
---@return boolean? hopeless  it is no address
local function try(open, ...)
	local ok, fd, reason = pcall(open, ...)
	if not ok then
		return nil, (tostring(fd):gsub("^[^:]+:%d+: ", "")), true
	end
	return fd, reason
end

---Connect to another node.
---@async
---@param address string
---@return integer? fd
---@return string? reason
---@return boolean? hopeless  it is no address: the next attempt will not do better
function control.dial(address)
	return try(socket.open, address, nil, control.dial_timeout(), true)
end

---Listen on `address`; raises a message that names it.
---@async
---@param address string
---@param accept fun(fd: integer, from: string)
---@return integer fd
function control.listen(address, accept)
	local fd, reason = try(socket.listen, address, nil, nil, true)
	if not fd then
		error(("cannot listen on '%s'%s"):format(address,
			type(reason) == "string" and ": " .. reason or ""), 0)
	end
	socket.start(fd, accept)
	return fd
end

return control
