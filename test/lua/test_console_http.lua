---Every command of the debug console, by telnet, by GET and by POST: each ends in the same way.
-- config: logpath = "."
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local tap = require "tap"

local BANNER <const> = "Welcome to skynet console\n"

local port
local puppet -- hex address of a service that commands may be about

---What follows each command, and how it ends. PUPPET stands for a service; FRESH for a new one.
---@type table<string, { [1]: string, [2]: string }[]>
local COMMANDS <const> = {
	help = { { "", "OK" } },
	list = { { "", "OK" }, { " ignored", "OK" } },
	stat = { { "", "OK" }, { " 300", "OK" }, { " x", "Error" } },
	mem = { { "", "OK" }, { " 300", "OK" }, { " x", "Error" } },
	gc = { { "", "OK" }, { " 300", "OK" }, { " x", "Error" } },
	service = { { "", "OK" } },
	start = {
		{ " puppet", "OK" },
		{ " puppet a b", "OK" },
		{ " there_is_none", "OK" },
		{ "", "Error" },
	},
	log = { { " there_is_none", "OK" }, { "", "Error" } },
	snax = { { " there_is_none", "OK" }, { "", "Error" } },
	kill = { { " FRESH", "OK" }, { "", "Error" }, { " .nobody", "Error" } },
	exit = { { " FRESH", "OK" }, { "", "Error" }, { " xyz!", "Error" } },
	info = { { " PUPPET", "OK" }, { " PUPPET a b", "OK" }, { "", "Error" } },
	task = { { " PUPPET", "OK" }, { "", "Error" } },
	uniqtask = { { " PUPPET", "OK" }, { "", "Error" } },
	killtask = { { " PUPPET nothing", "OK" }, { "", "Error" } },
	ping = { { " PUPPET", "OK" }, { "", "Error" }, { " ffffff", "Error" } },
	dbgcmd = { { " PUPPET MEM", "OK" }, { " PUPPET NONSENSE", "Error" }, { " PUPPET", "Error" } },
	inject = { { " PUPPET no_such_file", "Error" }, { "", "Error" } },
	call = {
		{ " PUPPET 'echo',1", "OK" },
		{ " PUPPET +", "Error" },
		{ " PUPPET", "Error" },
		{ "", "Error" },
	},
	trace = {
		{ " PUPPET on", "OK" },
		{ " PUPPET off", "OK" },
		{ " PUPPET lua maybe", "Error" },
		{ "", "Error" },
	},
	logon = { { " PUPPET", "OK" }, { "", "Error" } },
	logoff = { { " PUPPET", "OK" }, { "", "Error" } },
	signal = { { " PUPPET 1", "OK" }, { " PUPPET x", "Error" }, { "", "Error" } },
	debug = { { " ffffff", "Error" }, { "", "Error" } },
	clearcache = { { "", "OK" } },
	getenv = { { " harbor", "OK" }, { " no_such_key", "OK" }, { "", "Error" } },
	setenv = {
		{ " KEY value", "OK" },
		{ " harbor 1", "Error" },
		{ " KEY", "Error" },
		{ "", "Error" },
	},
	netstat = { { "", "OK" } },
	guard = { { "", "OK" } },
	cluster = { { "", "Error" } },
	cmem = { { "", "OK" } },
	jmem = { { "", "OK" } },
	profactive = { { "", "OK" } },
	dumpheap = { { "", "OK" } },
	node = { { "", "OK" } },
}
---What ends the node is tested in process tests.
local ELSEWHERE <const> = { stop = true }

local function exchange(text, shut)
	local fd = assert(socket.open("127.0.0.1", port))
	socket.write(fd, text)
	local answer = ""
	repeat
		local bytes = socket.read(fd)
		answer = answer .. (bytes or "")
	until not bytes or shut and answer:find "<CMD %a+>\n$"
	socket.close(fd)
	return answer
end

---@type table<string, fun(line: string): string>
local FORMS <const> = {
	telnet = function(line)
		return exchange(line .. "\n", true)
	end,
	GET = function(line)
		return exchange(("GET /%s HTTP/1.1\r\nHost: here\r\n\r\n"):format(line:gsub(" ", "/")))
	end,
	POST = function(line)
		return exchange(("POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"):format(#line, line))
	end,
}

local count = 0

local function filled(arguments)
	count = count + 1
	if arguments:find "FRESH" then
		arguments = arguments:gsub("FRESH", skynet.address(skynet.newservice "puppet"):sub(2))
	end
	return (arguments:gsub("PUPPET", puppet):gsub("KEY", "test_key_" .. count))
end

local function check(command, arguments, mark)
	for name, form in pairs(FORMS) do
		local line = command .. filled(arguments)
		local answer = form(line)
		local passed = answer:sub(1, #BANNER) == BANNER and answer:find("<CMD " .. mark .. ">\n$")
		if not passed then
			tap.fail(("%s '%s%s' ends with %s"):format(name, command, arguments, mark), answer)
		else
			tap.pass(("%s '%s%s' ends with %s"):format(name, command, arguments, mark))
		end
	end
end

local function every_command_is_tested(help)
	local known = 0
	for command in help:gmatch "\n(%l+)[^\n]*\t" do
		known = known + 1
		if not COMMANDS[command] and not ELSEWHERE[command] then
			tap.fail("every command has a line in this test", command)
		end
	end
	tap.ok(known > 30, "help lists the commands")
	for command in pairs(COMMANDS) do
		if not help:find("\n" .. command, 1, true) then
			tap.fail("every line of this test is about a command", command)
		end
	end
end

local function forms_of_http()
	tap.like(FORMS.GET "getenv harbor", "^" .. BANNER .. "harbor\t0\n<CMD OK>\n$",
		"slashes of a path stand for spaces")
	tap.like(FORMS.POST "getenv harbor\nlist", "<CMD %a+>\n$", "a body is one command")
	tap.like(exchange "GET / HTTP/1.1\r\n\r\n", "Invalid command.*<CMD Error>\n$",
		"an empty path is no command")
	tap.like(exchange "POST / HTTP/1.1\r\n\r\n", "Invalid command.*<CMD Error>\n$",
		"neither is no body")
	tap.like(exchange "GET /getenv%20harbor HTTP/1.1\r\n\r\n", "Invalid command",
		"nothing is decoded")
	for _, request in ipairs { "GET /getenv/harbor HTTP/1.1\r\nReferer: http://page/\r\n\r\n",
		"POST / HTTP/1.1\r\nOrigin: null\r\nContent-Length: 13\r\n\r\ngetenv harbor" } do
		tap.is(exchange(request), BANNER
			.. "Web browsers are not served: any page could run commands here\n<CMD Error>\n",
			"a web page cannot run commands by " .. request:match "%u+")
	end
	tap.like(exchange "GET /getenv/harbor\r\n\r\n", "harbor\t0\n<CMD OK>\n$",
		"the version may be left out")
end

tap.run(function()
	local console = skynet.newservice("debug_console", 0)
	port = skynet.call(console, "debug", "INFO").port
	puppet = skynet.address(skynet.newservice "puppet"):sub(2)
	every_command_is_tested(FORMS.telnet "help")
	for command, lines in pairs(COMMANDS) do
		for _, line in ipairs(lines) do
			check(command, line[1], line[2])
		end
	end
	forms_of_http()
	os.remove(puppet .. ".log")
	tap.eventually(function()
		return skynet.call(console, "debug", "INFO").connections == 0
	end, "no connection is left")
end)
