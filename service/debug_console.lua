---Operator access by telnet or HTTP: see docs/console.md. Arguments: [ip] port, or `unix:/path`; ip
---is 127.0.0.1 when not given, port 0 picks one.
---
---Who connects can run code in the node. The setting `console_password` asks for `auth PASSWORD`
---first.
local skynet = require "skynet"
local socket = require "skynet.socket"
local input = require "skynet.console.input"
local output = require "skynet.console.output"

local LOOPBACK <const> = "127.0.0.1"
local BANNER <const> = "Welcome to skynet console"
local DONE <const> = "<CMD OK>"
local FAILED <const> = "<CMD Error>"
local PASSWORD_KEY <const> = "console_password"

---Connections at a time. For another one the oldest that has not logged in goes; without such a one
---it is turned away.
local MAX_CONNECTIONS <const> = 64
---Wrong passwords until a connection is closed, and the wait after each, in centiseconds.
local MAX_ATTEMPTS <const> = 3
local ATTEMPT_DELAY <const> = 100
---How long a connection may take to log in, in centiseconds.
local LOGIN_TIME <const> = 3000
---How long a command may go on when nobody is there any more to see its answer, in centiseconds. It
---may wait for a service that never answers.
local ABANDON_TIME <const> = 1000

local ip, port = ...
if ip and ip:find "^unix:" then
	port = 0
elseif not port then
	ip, port = LOOPBACK, ip
end
port = math.tointeger(tonumber(port)) or error "debug_console needs a port"

local password = skynet.getenv(PASSWORD_KEY)
local connections = 0
---Those that have not logged in, the oldest first.
---@type skynet.console.session[]
local strangers = {}

---@class skynet.console.session
---@field fd integer
---@field reader skynet.console.reader
---@field command string  the line being run
---@field words string[]  its words
---@field write fun(line: string)
---@field before_read? fun()  waits until nobody else reads
---@field logged_in boolean
---@field attempts integer  wrong passwords so far
---@field task? thread  what serves a connection that has not logged in
---@field delayed? boolean  it waits after a wrong password
---@field over? boolean  nobody serves it any more

---@param fd integer
---@return skynet.console.session
local function new_session(fd)
	return {
		fd = fd,
		reader = input.reader(function()
			return socket.read(fd)
		end),
		command = "",
		words = {},
		write = function(line)
			socket.write(fd, line .. "\n")
		end,
		logged_in = password == nil,
		attempts = 0,
	}
end

---Write the result of a command and how it ended.
---@param session skynet.console.session
---@param ok boolean
---@param result any
local function report(session, ok, result)
	if ok then
		output.write(result, session.write)
	else
		session.write(tostring(result))
	end
	session.write(ok and DONE or FAILED)
end

---@async
---@param session skynet.console.session
---@param line string
local function run_command(session, line)
	session.command, session.words = line, input.split(line)
	local command = require("skynet.console.commands")[session.words[1]]
	if not command then
		report(session, false, "Invalid command, type help for command list\n")
		return
	end
	report(session, pcall(command.run, session, table.unpack(session.words, 2)))
end

---Whoever it is, it is no stranger any more.
---@param session skynet.console.session
local function forget_stranger(session)
	for i, stranger in ipairs(strangers) do
		if stranger == session then
			table.remove(strangers, i)
			return
		end
	end
end

---End the connection of a stranger, the oldest that can go. Guessing is to cost time, also over
---many connections, so one that waits after a wrong password keeps its place.
---@return boolean found
local function end_stranger()
	for _, session in ipairs(strangers) do
		if not session.delayed then
			skynet.killthread(session.task)
			return true
		end
	end
	return false
end

---@async
---@param session skynet.console.session
---@param given string?
---@return boolean
local function check_password(session, given)
	if given and input.same_secret(given, password) then
		session.logged_in = true
		forget_stranger(session)
		return true
	end
	session.attempts = session.attempts + 1
	skynet.error(("Debug console: wrong password (attempt %d)"):format(session.attempts))
	session.delayed = true
	skynet.sleep(ATTEMPT_DELAY)
	session.delayed = nil
	return false
end

---@async
---@param session skynet.console.session
---@param line string
---@return boolean continue
local function log_in(session, line)
	local given = line:match "^%s*auth%s+(.-)\r?$"
	if check_password(session, given) then
		report(session, true)
		return true
	end
	report(session, false, given and "Wrong password" or "Password needed: auth PASSWORD")
	return session.attempts < MAX_ATTEMPTS
end

---@async
---@param session skynet.console.session
---@param first string  the request line
local function serve_http(session, first)
	local request, err = input.http(session.reader, first)
	if not request then
		report(session, false, err)
	elseif request.browser then
		report(session, false, "Web browsers are not served: any page could run commands here")
	elseif not session.logged_in and not check_password(session, request.token) then
		report(session, false, "Password needed: Authorization: Bearer PASSWORD")
	else
		run_command(session, request.command)
	end
end

---@async
---@param session skynet.console.session
---@return string? line
---@return string? err
local function next_line(session)
	if session.before_read then
		session.before_read()
		session.before_read = nil
	end
	return session.reader:line()
end

---Serve one connection until either side has enough.
---@async
---@param session skynet.console.session
local function serve(session)
	session.write(BANNER)
	while true do
		local line, err = next_line(session)
		if err then
			report(session, false, err)
		end
		if not line then
			return
		end
		if input.is_http(line) then
			return serve_http(session, line)
		end
		if line ~= "" then
			if session.logged_in then
				run_command(session, line)
			elseif not log_in(session, line) then
				return
			end
		end
	end
end

---A connection that does not log in gives its place to others.
---@param session skynet.console.session
---@param task thread  what serves it
local function limit_login(session, task)
	if not session.logged_in then
		session.task = task
		table.insert(strangers, session)
		skynet.timeout(LOGIN_TIME, function()
			if not session.logged_in then
				socket.shutdown(session.fd)
			end
		end)
	end
end

---A connection whose other end has gone gives its place to others, too.
---@param session skynet.console.session
---@param task thread  what serves it
local function limit_absence(session, task)
	socket.onclose(session.fd, function()
		skynet.timeout(ABANDON_TIME, function()
			-- a task that has ended may serve somebody else
			if not session.over then
				skynet.killthread(task)
			end
		end)
	end)
end

---@async
---@param fd integer
---@param peer string
local function converse(fd, peer)
	if not socket.start(fd) then
		return
	end
	skynet.error(peer .. " connected")
	local session = new_session(fd)
	local _ <close> = setmetatable({}, {
		__close = function()
			skynet.error(peer .. " disconnect")
			session.logged_in, session.over = true, true
			forget_stranger(session)
			skynet.fork(socket.close, fd)
		end,
	})
	local task = coroutine.running()
	limit_login(session, task)
	limit_absence(session, task)
	local ok, err = xpcall(serve, debug.traceback, session)
	if not ok then
		skynet.error("Debug console: " .. tostring(err))
	end
end

---@param fd integer
---@param peer string
local function accept(fd, peer)
	if connections >= MAX_CONNECTIONS and not end_stranger() then
		skynet.error(("Debug console: too many connections, %s turned away"):format(peer))
		socket.close_fd(fd)
		return
	end
	connections = connections + 1
	skynet.fork(function()
		local _ <close> = setmetatable({}, {
			__close = function()
				connections = connections - 1
			end,
		})
		local ok, err = pcall(converse, fd, peer)
		if not ok then
			skynet.error("Debug console: " .. tostring(err))
		end
	end)
end

---@param host string
---@return boolean
local function is_loopback(host)
	return host == "::1" or host == "localhost" or host:find "^127%." ~= nil
		or host:find "^unix:" ~= nil
end

skynet.start(function()
	local listener, address, actual = socket.listen(ip, port)
	if not listener then
		error(("debug console cannot listen on %s:%d: %s"):format(ip, port, address))
	end
	skynet.error(("Start debug console at %s:%d"):format(address, actual))
	if not password and not is_loopback(ip) then
		skynet.error(("Debug console at %s:%d: anybody who reaches it can run code in this node; "
			.. "set %s"):format(address, actual, PASSWORD_KEY))
	end
	skynet.info_func(function()
		return { address = address, port = actual, connections = connections }
	end)
	socket.start(listener, accept)
end)
