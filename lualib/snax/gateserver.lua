-- The ground of gates: listens, counts clients and turns their streams into frames of 2-byte
-- length + payload (skynet.netpack). What happens to a connection is told to the user's handler.
-- A service that uses it must not load skynet.socket: both handle socket messages.
local netpack = require "skynet.netpack"
local skynet = require "skynet"
local driver = require "skynet.socketdriver"

---@class snax.gateserver
local gateserver = {}

---@class snax.gateserver.handler
---@field connect fun(fd: integer, address: string) accepted; nothing is read before openclient
---@field message fun(fd: integer, message: lightuserdata, size: integer) owns the block
---@field disconnect fun(fd: integer)?
---@field error fun(fd: integer, message: string)?
---@field warning fun(fd: integer, kib: integer)?
---@field open (fun(source: integer, conf: snax.gateserver.conf): any)? its results answer `open`
---@field command (fun(cmd: string, source: integer, ...): any)?
---@field embed boolean? the service calls skynet.start itself

---@class snax.gateserver.conf
---@field address string? 0.0.0.0
---@field port integer?
---@field maxclient integer? 1024
---@field nodelay boolean?
---@field backlog integer?

local DEFAULT_ADDRESS <const> = "0.0.0.0"
local DEFAULT_MAXCLIENT <const> = 1024

-- States of a connection. It counts as a client until its end was seen, and is known until the
-- handler has closed it, too.
local SILENT <const> = 1 -- accepted, not read
local READING <const> = 2
local CLOSING <const> = 3 -- closed by the handler, CLOSE is to come
local ENDED <const> = 4 -- CLOSE was there

---@type table<integer, integer>
local connections = {}
local client_count = 0
local max_client = DEFAULT_MAXCLIENT
local nodelay = false
local listener -- socket id
local opening -- what is to be known about a listener that is not bound yet
local queue -- of netpack
local commands = setmetatable({}, {
	-- The service ends: another gate may want the address.
	__gc = function()
		if listener then
			driver.close(listener)
		end
	end,
})
local on = {} -- events

local function is_open(fd)
	local state = connections[fd]
	return state == SILENT or state == READING
end

-- ---- clients that send faster than their frames are handled ----

-- They are not read until the mailbox is short again: they wait then, and not the others.
local BURST <const> = 64 -- frames of one connection, one after the other
local SHORT <const> = 16 -- messages in the mailbox

---@type table<integer, true>
local held = {}

---@async
local function resume_held()
	repeat
		skynet.sleep(1)
	until skynet.mqlen() < SHORT
	for fd in pairs(held) do
		held[fd] = nil
		if connections[fd] == READING then
			driver.start(fd)
		end
	end
end

---@param fd integer
local function hold(fd)
	if connections[fd] ~= READING or held[fd] then
		return
	end
	if next(held) == nil then
		skynet.fork(resume_held)
	end
	held[fd] = true
	driver.pause(fd)
end

---Begin to read an accepted connection.
---@param fd integer
function gateserver.openclient(fd)
	if is_open(fd) then
		connections[fd] = READING
		held[fd] = nil
		driver.start(fd)
	end
end

---Stop reading a connection; `openclient` resumes.
---@param fd integer
function gateserver.pauseclient(fd)
	if connections[fd] == READING then
		held[fd] = nil -- it is for the caller to go on
		driver.pause(fd)
	end
end

---Close a connection. The handler is told by `disconnect`, if it was not yet.
---@param fd integer
function gateserver.closeclient(fd)
	if is_open(fd) then
		connections[fd] = CLOSING
		driver.close(fd)
	elseif connections[fd] == ENDED then
		connections[fd] = nil
		driver.close(fd)
	end
end

-- ---- the listener ----

-- Waits until the listener is bound; CONNECT tells where.
---@async
local function await_bound(conf)
	opening = { conf = conf }
	skynet.wait(opening)
	local failure = opening.failure
	opening = nil
	if failure then
		listener = nil
		error("Listen error: " .. failure)
	end
end

function on.init(id, address, port)
	if opening and id == listener then
		opening.conf.address = address
		opening.conf.port = port
		skynet.wakeup(opening)
	end
end

function commands.open(handler, source, conf)
	if listener then
		error("gate is open already")
	end
	max_client = conf.maxclient or DEFAULT_MAXCLIENT
	nodelay = conf.nodelay
	local address = conf.address or DEFAULT_ADDRESS
	skynet.error(string.format("Listen on %s:%s", address, conf.port or ""))
	listener = driver.listen(address, conf.port, conf.backlog)
	await_bound(conf)
	driver.start(listener)
	if handler.open then
		return handler.open(source, conf)
	end
end

function commands.close()
	if opening then
		opening.failure = "closed"
		skynet.wakeup(opening)
	end
	if listener then
		driver.close(listener)
		listener = nil
	end
end

-- ---- events ----

local function add_events(handler)
	-- The log is told once: who floods a gate and is closed for that may have sent a million frames.
	local last_dropped
	local function deliver(fd, message, size)
		if is_open(fd) then
			handler.message(fd, message, size)
			return
		end
		if fd ~= last_dropped then
			last_dropped = fd
			skynet.error(string.format("Drop message from fd (%d) : %d bytes", fd, size))
		end
		driver.drop(message, size)
	end

	on.data = deliver

	-- Takes all frames of the queue. A handler may suspend: another coroutine, made ready before
	-- that, then goes on with the frames behind.
	local successor = false
	local function drain()
		successor = false
		local last, burst = nil, 0
		local fd, message, size = netpack.pop(queue)
		while fd do
			burst = fd == last and burst + 1 or 1
			last = fd
			if burst == BURST then
				hold(fd)
			end
			if not successor then
				successor = true
				skynet.fork(drain)
			end
			deliver(fd, message, size)
			fd, message, size = netpack.pop(queue)
		end
	end
	on.more = drain

	function on.open(fd, address)
		if client_count >= max_client then
			driver.shutdown(fd)
			return
		end
		client_count = client_count + 1
		connections[fd] = SILENT
		if nodelay then
			driver.nodelay(fd)
		end
		handler.connect(fd, address)
	end

	-- The end of a connection that was counted.
	local function ended(fd, state)
		client_count = client_count - 1
		connections[fd] = state ~= CLOSING and ENDED or nil
		if handler.disconnect then
			handler.disconnect(fd)
		end
	end

	function on.close(fd)
		local state = connections[fd]
		if fd == listener then
			listener = nil
		elseif state and state ~= ENDED then
			ended(fd, state)
		end
	end

	local function listener_error(message)
		if opening then
			opening.failure = message
			skynet.wakeup(opening)
		else
			skynet.error("gateserver accept error:", message)
		end
	end

	function on.error(fd, message)
		local state = connections[fd]
		if fd == listener then
			return listener_error(message)
		end
		driver.shutdown(fd)
		if state and state ~= ENDED then
			if handler.error then
				handler.error(fd, message)
			end
			-- There may be no CLOSE behind an error; the handler may have closed it.
			state = connections[fd]
			if state and state ~= ENDED then
				ended(fd, state)
			end
		end
	end

	function on.warning(fd, kib)
		if handler.warning then
			handler.warning(fd, kib)
		end
	end
end

-- ---- start ----

local function register_socket()
	skynet.register_protocol {
		name = "socket",
		id = skynet.PTYPE_SOCKET,
		unpack = function(message, size)
			return netpack.filter(queue, message, size)
		end,
		dispatch = function(_, _, new_queue, event, ...)
			queue = new_queue
			if event then
				return on[event](...)
			end
		end,
	}
end

---Run the gate: call once, at the end of a service script.
---@param handler snax.gateserver.handler
function gateserver.start(handler)
	if type(handler.message) ~= "function" or type(handler.connect) ~= "function" then
		error("handler needs the functions message and connect", 2)
	end
	add_events(handler)

	local function init()
		skynet.dispatch("lua", function(_, source, cmd, ...)
			local command = commands[cmd]
			if command then
				skynet.retpack(command(handler, source, ...))
			elseif handler.command then
				skynet.retpack(handler.command(cmd, source, ...))
			else
				error("unknown command " .. tostring(cmd))
			end
		end)
	end

	if handler.embed then
		init()
	else
		skynet.start(init)
	end
	register_socket()
end

return gateserver
