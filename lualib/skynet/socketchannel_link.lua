-- One connection of a socket channel: who waits for what, and the coroutine that reads responses.
-- The ground of skynet.socketchannel, not for users. A link ends once; its dispatcher then closes
-- the socket. `down`: it has ended. `eof`: the peer has; what has arrived is still answered.
local skynet = require "skynet"
local socket = require "skynet.socket"

---@class skynet.socketchannel_link
local M = {}

local SOCKET_ERROR <const> = setmetatable({}, {
	__tostring = function()
		return "[Error: socket]"
	end,
})
M.error = SOCKET_ERROR

local TIMEOUT <const> = "timeout"

---@class skynet.socketchannel.waiter
---@field response function? reads the response (without sessions)
---@field parts any[]? of a response in several parts
---@field done boolean?
---@field ok boolean?
---@field data any

---@class skynet.socketchannel.link
---@field fd integer
---@field sock table
---@field down boolean?
---@field eof boolean?
---@field idle boolean?
---@field queue skynet.socketchannel.waiter[] in order of the requests, from `first` to `last`
---@field sessions table<any, skynet.socketchannel.waiter>
---@field late table<any, boolean> sessions whose waiter has given up

-- ---- what response functions read from ----

---@async
local function read(sock, n)
	local data = socket.read(sock[1], n)
	if not data then
		error(SOCKET_ERROR)
	end
	return data
end

---@async
local function readline(sock, separator)
	local line = socket.readline(sock[1], separator)
	if not line then
		error(SOCKET_ERROR)
	end
	return line
end

---The metatable of the objects that response functions get.
---@param own_read function?
---@param own_readline function?
---@return table
function M.sock_meta(own_read, own_readline)
	return { __index = { read = own_read or read, readline = own_readline or readline } }
end

-- ---- waiters ----

local function finish(waiter, ok, data)
	if not waiter.done then
		waiter.done = true
		waiter.ok = ok
		waiter.data = data
		skynet.wakeup(waiter)
	end
end

-- Ends the link. Every waiter gets `reason`.
local function fail(link, reason)
	link.down = true
	local waiters = 0
	for i = link.first, link.last do
		finish(link.queue[i], false, reason)
		link.queue[i] = nil
		waiters = waiters + 1
	end
	link.first = 1
	link.last = 0
	for session, waiter in pairs(link.sessions) do
		link.sessions[session] = nil
		finish(waiter, false, reason)
		waiters = waiters + 1
	end
	return waiters
end

local function wake_dispatcher(link)
	if link.idle then
		link.idle = nil
		skynet.wakeup(link)
	end
end

-- Adds one part. True when the response is complete.
local function add_part(waiter, ok, data, more)
	if ok and more then
		waiter.parts = waiter.parts or {}
		table.insert(waiter.parts, data)
		return false
	end
	if ok and waiter.parts then
		table.insert(waiter.parts, data)
		data = waiter.parts
	end
	finish(waiter, ok, data)
	return true
end

-- ---- reading responses ----

-- The end of a dispatcher: `reason` is what a response function raised.
local function end_dispatch(link, reason)
	if not link.down then
		local waiters = fail(link, reason)
		if waiters == 0 and reason ~= SOCKET_ERROR then
			skynet.error("socket: response failed:", reason)
		end
	end
	socket.close(link.fd)
end

---@async
local function next_waiter(link)
	while link.first > link.last do
		if link.down or link.eof then
			return nil
		end
		link.idle = true
		skynet.wait(link)
	end
	return link.queue[link.first]
end

-- Responses come in the order of their requests.
local function dispatch_in_order(link)
	while true do
		local waiter = next_waiter(link)
		if waiter == nil then
			return end_dispatch(link, SOCKET_ERROR)
		end
		local complete
		repeat
			local done, ok, data, more = pcall(waiter.response, link.sock)
			if not done then
				return end_dispatch(link, ok)
			end
			complete = add_part(waiter, ok, data, more)
		until complete
		if link.down then
			return end_dispatch(link, SOCKET_ERROR)
		end
		link.queue[link.first] = nil
		link.first = link.first + 1
	end
end

-- The waiter of a session, nil and a log line when there is none.
local function waiter_of(link, session, more)
	local waiter = link.sessions[session]
	if waiter == nil then
		if session ~= nil and link.late[session] then
			link.late[session] = more or nil
		else
			skynet.error("socket: unknown session :", session)
		end
	end
	return waiter
end

local function answer(link, session, ok, data, more)
	local waiter = waiter_of(link, session, more)
	if waiter and add_part(waiter, ok, data, more) then
		link.sessions[session] = nil
	end
end

-- Responses say which session they are for. A response function that has read all of its response,
-- but can't make sense of it, may raise { session = , message = }: then only that request fails.
local function dispatch_by_session(link, response)
	while not link.down do
		local done, session, ok, data, more = pcall(response, link.sock)
		if done then
			answer(link, session, ok, data, more)
		elseif type(session) == "table" and session.session ~= nil then
			answer(link, session.session, false, session.message)
		else
			return end_dispatch(link, session)
		end
	end
	end_dispatch(link, SOCKET_ERROR)
end

local function watch_overload(fd, overload)
	local overloaded = false
	socket.warning(fd, function(id, kib)
		if kib == 0 then
			if overloaded then
				overloaded = false
				overload(false)
			end
		elseif not overloaded then
			overloaded = true
			overload(true)
		else
			skynet.error(string.format(
				"WARNING: %d K bytes need to send out (fd = %d)", kib, id))
		end
	end)
end

-- ---- what the channel calls ----

---Make a link of an open socket and start its dispatcher.
---@param fd integer
---@param options table response, overload, sock_meta
---@return skynet.socketchannel.link
function M.open(fd, options)
	local link = {
		fd = fd,
		sock = setmetatable({ fd }, options.sock_meta),
		queue = {},
		first = 1,
		last = 0,
		sessions = {},
		late = {},
		by_session = options.response ~= nil,
	}
	if options.overload then
		watch_overload(fd, options.overload)
	end
	if options.response then
		skynet.fork(dispatch_by_session, link, options.response)
	else
		-- Without requests in flight nobody reads, so nobody would see the end.
		socket.onclose(fd, function()
			link.eof = true
			wake_dispatcher(link)
		end)
		skynet.fork(dispatch_in_order, link)
	end
	return link
end

---Whether requests may be sent.
---@param link skynet.socketchannel.link?
---@return boolean
function M.is_up(link)
	return link ~= nil and not link.down and not link.eof
end

---Write a request. False when the socket does not take it.
---@param link skynet.socketchannel.link
---@param request any
---@param padding any[]?
---@return boolean
function M.send(link, request, padding)
	if not padding then
		return socket.write(link.fd, request)
	end
	local ok = socket.lwrite(link.fd, request)
	for _, part in ipairs(padding) do
		ok = ok and socket.lwrite(link.fd, part)
	end
	return ok
end

local function add_waiter(link, response)
	local waiter = {}
	if link.by_session then
		if link.sessions[response] then
			error("session is in use", 4)
		end
		link.late[response] = nil
		link.sessions[response] = waiter
	else
		waiter.response = response
		link.last = link.last + 1
		link.queue[link.last] = waiter
		wake_dispatcher(link)
	end
	return waiter
end

-- The time is over. In order, the response must still be read before the next one.
local function give_up(link, response, waiter)
	waiter.done = true
	if link.by_session and link.sessions[response] == waiter then
		link.sessions[response] = nil
		link.late[response] = true
	end
	return false, TIMEOUT
end

---Wait for a response.
---@async
---@param link skynet.socketchannel.link
---@param response any reading function, or session
---@param deadline integer? centiseconds of skynet.now
---@return boolean ok
---@return any data the response, or the error to raise
function M.await(link, response, deadline)
	if link.down then
		return false, SOCKET_ERROR
	end
	local waiter = add_waiter(link, response)
	if deadline then
		skynet.sleep(math.max(deadline - skynet.now(), 0), waiter)
		if not waiter.done then
			return give_up(link, response, waiter)
		end
	else
		skynet.wait(waiter)
	end
	return waiter.ok, waiter.data
end

---End the link: waiters get the socket error. Waits until the socket is closed.
---@async
---@param link skynet.socketchannel.link
function M.close(link)
	if not link.down then
		fail(link, SOCKET_ERROR)
		wake_dispatcher(link)
	end
	socket.close(link.fd)
end

return M
