-- Requests and responses over one connection that is made, and made again, when it is needed.
--
-- A channel has at most one link (skynet.socketchannel_link) at a time. The channel knows the link,
-- and not the other way round: a channel that nobody holds is collected and closes its link.
--   connector  the coroutine that is making a connection; others wait for it
local link = require "skynet.socketchannel_link"
local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"

local SOCKET_ERROR <const> = link.error
local PAUSE_MAX <const> = 10 -- seconds between two rounds of attempts
local REDIRECT_MAX <const> = 16
local AUTH_FAILED <const> = "authentication failed"

---@class skynet.socketchannel
local socketchannel = {
	---Raised when the connection fails or ends. Compare by identity.
	error = SOCKET_ERROR,
}

---@alias skynet.socketchannel.host string|{ host: string, port: integer? }

---@class skynet.socketchannel.desc
---@field host string
---@field port integer?
---@field response (fun(sock: table): any, boolean, any, boolean?)? makes it a channel with sessions
---@field auth fun(channel: skynet.socketchannel.channel)?
---@field backup skynet.socketchannel.host[]?
---@field nodelay boolean?
---@field overload fun(is_overload: boolean)?
---@field socket_read (fun(sock: table, n: integer?): string)?
---@field socket_readline (fun(sock: table, separator: string?): string)?
---@field timeout integer? centiseconds that a request may take, connecting included; nil: no limit

---@class skynet.socketchannel.channel
---@field private __sock table? the open connection; its first element is the socket id
---@field private __host string
---@field private __port integer?
local channel = {}

local meta = { __index = channel }

function meta:__gc()
	local sock = self.__sock
	if sock then
		-- The dispatcher of the link sees the end and cleans up.
		socket.shutdown(sock[1])
	end
end

-- Raises an error in the caller of the function that was given them.
local function check_address(host, port)
	if type(host) ~= "string" then
		error("bad host (string expected, got " .. type(host) .. ")", 3)
	elseif port ~= nil and not math.tointeger(tonumber(port)) then
		error("bad port (integer expected, got " .. tostring(port) .. ")", 3)
	end
end

local function check_backup(backup)
	if backup ~= nil and type(backup) ~= "table" then
		error("bad backup (table expected, got " .. type(backup) .. ")", 3)
	end
end

---Make a channel. It connects at the first request or by `connect`.
---@param desc skynet.socketchannel.desc
---@return skynet.socketchannel.channel
function socketchannel.channel(desc)
	if type(desc) ~= "table" or desc.host == nil then
		error("host is needed", 2)
	end
	check_address(desc.host, desc.port)
	check_backup(desc.backup)
	return setmetatable({
		__host = desc.host,
		__port = desc.port,
		__backup = desc.backup,
		__auth = desc.auth,
		__nodelay = desc.nodelay,
		__timeout = desc.timeout,
		__link_options = {
			response = desc.response,
			overload = desc.overload,
			sock_meta = link.sock_meta(desc.socket_read, desc.socket_readline),
		},
		__waiting = {},
		__moved = 0, -- counts changes of the address
	}, meta)
end

-- ---- making a connection ----

-- Ends the attempt to connect that goes on, if there is one.
local function end_attempt(self)
	if self.__opening then
		socket.shutdown(self.__opening)
	end
end

-- Ends the link and waits until it is closed.
local function drop_link(self)
	local old = self.__link
	self.__link = nil
	self.__sock = nil
	if old then
		link.close(old)
	end
end

-- The configured address, the backups, and the address before the last switch.
local function candidates(self)
	local list = { { self.__host, self.__port } }
	for _, item in ipairs(self.__backup or {}) do
		if type(item) == "table" then
			list[#list + 1] = { item.host, item.port }
		else
			list[#list + 1] = { item, self.__port }
		end
	end
	list[#list + 1] = self.__previous
	return list
end

-- The first address that is not marked in `tried`; marks it.
local function next_candidate(self, tried)
	for _, address in ipairs(candidates(self)) do
		local key = string.format("%s %s", address[1], address[2])
		if not tried[key] then
			tried[key] = true
			return address[1], address[2]
		end
	end
end

local function traceback(message)
	if message == SOCKET_ERROR then
		return "connection closed"
	end
	return debug.traceback(tostring(message), 2)
end

-- Runs the authentication of a fresh link.
local function authenticate(self)
	if not self.__auth then
		return true
	end
	local moved = self.__moved
	local ok, message = xpcall(self.__auth, traceback, self)
	if not ok and self.__moved == moved then
		skynet.error("socket: auth failed", message)
	end
	return ok
end

-- One attempt at one address. True, or nil and the reason.
local function attempt(self, host, port, timeout)
	local moved = self.__moved
	local fd, message = socket.open(host, port, timeout, nil, function(id)
		self.__opening = id
	end)
	self.__opening = nil
	if not fd then
		return nil, message
	end
	if self.__closed or self.__moved ~= moved then
		socket.close(fd)
		return nil, "address changed"
	end
	if self.__nodelay then
		driver.nodelay(fd)
	end
	local new = link.open(fd, self.__link_options)
	self.__link = new
	self.__sock = new.sock
	if not authenticate(self) then
		drop_link(self)
		return nil, AUTH_FAILED
	elseif self.__moved ~= moved then
		return nil, "address changed"
	elseif not link.is_up(self.__link) then
		drop_link(self)
		return nil, "connection closed"
	end
	if host ~= self.__host or port ~= self.__port then
		self.__previous = { self.__host, self.__port }
		self.__host = host
		self.__port = port
	end
	return true
end

-- One round over all addresses. Authentication may name other ones meanwhile.
local function round(self, timeout)
	local message = "no address"
	local tried = {}
	local redirects = 0
	while not self.__closed do
		local host, port = next_candidate(self, tried)
		if host == nil then
			if self.__backup or message == AUTH_FAILED then
				skynet.error("socket: no more backup host")
			end
			break
		end
		local moved = self.__moved
		local ok
		ok, message = attempt(self, host, port, timeout)
		if ok then
			return true
		elseif self.__moved ~= moved then
			redirects = redirects + 1
			if redirects > REDIRECT_MAX then
				break
			end
			tried = {}
		end
	end
	return nil, message
end

local function address_text(self)
	if self.__port then
		return string.format("%s:%s", self.__host, self.__port)
	end
	return tostring(self.__host)
end

---@async
local function connect_for_ever(self)
	local pause = 0
	repeat
		local ok, message = round(self)
		if ok then
			return true
		end
		if self.__closed then
			return nil, "channel closed"
		end
		skynet.error(string.format("socket: connect to %s failed: %s",
			address_text(self), message))
		self.__pausing = true
		skynet.sleep(pause * 100)
		self.__pausing = nil
		pause = pause < PAUSE_MAX and pause + 1 or 0
	until self.__closed
	return nil, "channel closed"
end

local function wake_all(list)
	for i, token in ipairs(list) do
		list[i] = nil
		skynet.wakeup(token)
	end
end

-- Makes way for the next connector, also when the present one is killed, maybe while it
-- authenticates.
local connecting_meta = {
	__close = function(connecting)
		local self = connecting.channel
		if not connecting.done and self.__sock then
			-- the dispatcher of the link sees the end and cleans up
			socket.shutdown(self.__sock[1])
			self.__link = nil
			self.__sock = nil
		end
		self.__connector = nil
		self.__opening = nil
		self.__pausing = nil
		local waiting = self.__waiting
		self.__waiting = {}
		wake_all(waiting)
	end,
}

-- Makes this coroutine the connector.
local function become_connector(self, once, timeout)
	self.__connector = coroutine.running()
	-- A link that the peer has ended may still have responses to read: it closes itself.
	self.__link = nil
	self.__sock = nil
	local connecting <close> = setmetatable({ channel = self }, connecting_meta)
	local ok, message
	if once then
		ok, message = round(self, timeout)
	else
		ok, message = connect_for_ever(self)
	end
	connecting.done = true
	return ok, message
end

-- Waits for the connector. Nil when that takes longer than until `deadline`.
---@async
local function await_connector(self, deadline)
	local token = {}
	table.insert(self.__waiting, token)
	if not deadline then
		skynet.wait(token)
		return true
	end
	local left = deadline - skynet.now()
	return left > 0 and skynet.sleep(left, token) == "BREAK" or nil
end

-- Returns with a link that is up, or raises.
local function connect(self, once, deadline)
	local waited = false
	while true do
		if self.__closed then
			error(SOCKET_ERROR)
		end
		if self.__connector == coroutine.running() then
			-- A request of the authentication.
			if link.is_up(self.__link) then
				return
			end
			error(SOCKET_ERROR)
		elseif self.__connector then
			waited = true
			if not await_connector(self, deadline) then
				error("timeout", 3)
			end
		elseif link.is_up(self.__link) then
			return
		elseif once and waited then
			-- The attempt that was waited for has just failed.
			error(SOCKET_ERROR)
		else
			local left = deadline and math.max(deadline - skynet.now(), 1)
			local ok, message = become_connector(self, once, left)
			if ok then
				return
			end
			skynet.error(string.format("Connect failed %s: %s",
				address_text(self), message))
			if deadline and skynet.now() >= deadline then
				error("timeout", 3)
			elseif once or self.__closed then
				error(SOCKET_ERROR)
			end
		end
	end
end

-- ---- what users call ----

---Connect, also a channel that was closed. Without `once`, try again until it works.
---@async
---@param once boolean?
---@return boolean
function channel:connect(once)
	self.__closed = nil
	connect(self, once)
	return true
end

-- The end of the time that one request may take.
local function deadline_of(self, timeout)
	timeout = timeout or self.__timeout
	return timeout and skynet.now() + timeout
end

local function check_usable(self)
	if self.__closed then
		error("channel is closed", 3)
	end
end

---Send `request`, and wait for its response when there is one.
---@async
---@param request any data in any form that a socket takes
---@param response any function of the response, or the session; nil: do not wait
---@param padding any[]? more parts; all of it is sent with low priority
---@param timeout integer? centiseconds, instead of that of the channel
---@return any
function channel:request(request, response, padding, timeout)
	check_usable(self)
	local deadline = deadline_of(self, timeout)
	if not link.is_up(self.__link) or self.__connector then
		connect(self, true, deadline)
	end
	local current = self.__link
	if not link.send(current, request, padding) then
		drop_link(self)
		error(SOCKET_ERROR)
	end
	if response == nil then
		return
	end
	local ok, data = link.await(current, response, deadline)
	if not ok then
		error(data, 2)
	end
	return data
end

---Wait for a response without sending anything.
---@async
---@param response any
---@return any
function channel:response(response)
	check_usable(self)
	if not link.is_up(self.__link) or self.__connector then
		connect(self, false)
	end
	local ok, data = link.await(self.__link, response, deadline_of(self))
	if not ok then
		error(data, 2)
	end
	return data
end

---Close. Whoever waits gets the socket error; `connect` opens again.
---@async
function channel:close()
	if self.__closed then
		return
	end
	self.__closed = true
	wake_all(self.__waiting)
	if self.__pausing then
		skynet.wakeup(self.__connector)
	end
	end_attempt(self)
	drop_link(self)
end

---Set another address. The present connection is dropped.
---@async
---@param host string
---@param port integer?
function channel:changehost(host, port)
	check_address(host, port)
	self.__host = host
	if port then
		self.__port = port
	end
	self.__previous = nil
	self.__moved = self.__moved + 1
	end_attempt(self)
	if not self.__closed then
		drop_link(self)
	end
end

---Set other backup addresses.
---@param backup skynet.socketchannel.host[]?
function channel:changebackup(backup)
	check_backup(backup)
	self.__backup = backup
end

return socketchannel
