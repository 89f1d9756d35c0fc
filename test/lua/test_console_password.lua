---The debug console with a password, and without a folder for message logs.
-- config: console_password = "open sesame"; logpath = false
local skynet = require "skynet"
local socket = require "skynet.socket"
local tap = require "tap"

local port

local function connect()
	local fd = assert(socket.open("127.0.0.1", port))
	socket.readline(fd)
	return fd
end

local function ask(fd, line)
	socket.write(fd, line .. "\n")
	local first = socket.readline(fd)
	if first and not first:find "^<" then
		return first, socket.readline(fd)
	end
	return first
end

local function lets_in()
	local fd = connect()
	tap.is(ask(fd, "auth open sesame\r"), "<CMD OK>", "takes the password")
	tap.is(ask(fd, "getenv harbor"), "harbor\t0", "runs commands afterwards")
	tap.like(ask(fd, "logon 1"), "^Need the setting logpath", "says that messages cannot be logged")
	tap.like(ask(fd, "log puppet"), "^Need the setting logpath", "for a new service neither")
	socket.close(fd)
	fd = connect()
	local text, mark = ask(fd, "getenv harbor")
	tap.is(text, "Password needed: auth PASSWORD", "runs nothing before")
	tap.is(mark, "<CMD Error>", "marks it as an error")
	tap.is(ask(fd, "auth open sesame"), "<CMD OK>", "takes the password at the second try")
	socket.close(fd)
end

local function keeps_out()
	local fd = connect()
	tap.is(ask(fd, "auth wrong"), "Wrong password", "refuses a wrong password")
	tap.is(ask(fd, "auth open"), "Wrong password", "refuses a part of the password")
	tap.is(ask(fd, "auth"), "Password needed: auth PASSWORD", "refuses no password")
	tap.is(socket.readline(fd), false, "closes after three attempts")
	socket.close(fd)
end

local function http(header)
	local fd = connect()
	socket.write(fd, "GET /getenv/harbor HTTP/1.1\r\n" .. header .. "\r\n")
	local all = socket.readall(fd)
	socket.close(fd)
	return all
end

local function guards_http()
	tap.like(http "", "^Password needed", "refuses HTTP without a token")
	tap.like(http "Authorization: Bearer wrong\r\n", "^Password needed", "refuses a wrong token")
	tap.is(http "Authorization: Bearer open sesame\r\n", "harbor\t0\n<CMD OK>\n",
		"takes the right one")
end

local function keeps_no_operator_out()
	local operator = connect()
	ask(operator, "auth open sesame")
	local guesser = connect()
	socket.write(guesser, "auth wrong\n")
	-- more than there is room for; the first one is told nothing and closed
	local strangers = {}
	for i = 1, 70 do
		strangers[i] = connect()
	end
	tap.is(socket.read(strangers[1], 1), false, "ends the oldest stranger when there are too many")
	tap.is(socket.readline(guesser), "Wrong password", "but not one that waits after a guess")
	tap.is(ask(operator, "getenv harbor"), "harbor\t0", "and none that has logged in")
	local second = connect()
	tap.is(ask(second, "auth open sesame"), "<CMD OK>", "lets another one in meanwhile")
	for _, fd in ipairs { operator, guesser, second, table.unpack(strangers) } do
		socket.close(fd)
	end
end

tap.run(function()
	local console = skynet.newservice("debug_console", 0)
	port = skynet.call(console, "debug", "INFO").port
	lets_in()
	keeps_out()
	guards_http()
	keeps_no_operator_out()
	tap.eventually(function()
		return skynet.call(console, "debug", "INFO").connections == 0
	end, "no connection is left")
end)
