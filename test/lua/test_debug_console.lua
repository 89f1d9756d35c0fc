---The debug console as an operator sees it, by telnet and by HTTP.
-- config: logpath = "."
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local tap = require "tap"

local console, port

local function connect()
	local fd = assert(socket.open("127.0.0.1", port))
	tap.is(socket.readline(fd), "Welcome to skynet console", "greets")
	return fd
end

---Lines up to the end mark, and the mark.
local function answer(fd)
	local lines = {}
	while true do
		local line = socket.readline(fd)
		if not line then
			return lines, "closed"
		elseif line == "<CMD OK>" or line == "<CMD Error>" then
			return lines, line:match "^<CMD (%w+)>$"
		end
		lines[#lines + 1] = line
	end
end

local main_fd

---Run a command: its output as one text, and how it ended.
local function run(command)
	socket.write(main_fd, command .. "\n")
	local lines, mark = answer(main_fd)
	return table.concat(lines, "\n"), mark
end

local function succeeds(command, pattern, name)
	local text, mark = run(command)
	if mark ~= "OK" or not text:find(pattern) then
		tap.fail(name, ("%s: %s <%s>"):format(command, text, mark))
	else
		tap.pass(name)
	end
	return text
end

local function fails(command, pattern, name)
	local text, mark = run(command)
	if mark ~= "Error" or not text:find(pattern) then
		tap.fail(name, ("%s: %s <%s>"):format(command, text, mark))
	else
		tap.pass(name)
	end
end

local function start_console(...)
	local address = skynet.newservice("debug_console", ...)
	return address, skynet.call(address, "debug", "INFO").port
end

local function services()
	succeeds("help", "list\tServices", "help lists the commands")
	local puppet = skynet.newservice("puppet", "hello")
	local text = skynet.address(puppet)
	local short = text:sub(2)
	succeeds("list", text .. "\tsnlua puppet hello", "list shows services")
	succeeds("list\r", text, "a carriage return does no harm")
	succeeds("stat", text .. "\tcpu:[%d.]+\tmessage:%d+\tmqlen:%d+\ttask:%d+", "stat shows counters")
	succeeds("stat 100", text, "stat takes a timeout")
	skynet.call(puppet, "lua", "run", "mailbox_limit", 100, "reject")
	succeeds("stat", text .. "\t[^\n]*mailbox_limit:100\t[^\n]*rejected:0",
		"stat shows the bound of a mailbox")
	fails("stat x", "^Need a timeout", "stat refuses a timeout that is no number")
	succeeds("mem", text .. "\t%d+%.%d%d Kb %(snlua puppet hello%)", "mem shows sizes")
	succeeds("gc 0", text .. "\t%d+%.%d%d Kb", "gc shows sizes")
	succeeds("service", "", "service lists unique services")
	succeeds("info " .. short, "puppet\ttrue", "info shows what a service says")
	succeeds("info " .. text .. " a b", "arguments\ta,b", "info passes arguments")
	succeeds("task " .. short, "^$", "task shows nothing for an idle service")
	skynet.send(puppet, "lua", "hang")
	succeeds("task " .. short, "stack traceback", "task shows where a task waits")
	succeeds("uniqtask " .. short, "stack traceback", "uniqtask shows where a task waits")
	succeeds("ping " .. short, "^%d+$", "ping shows a time")
	succeeds("call " .. short .. " 'echo', 1, {x=2}, nil, true", "^1\t1\n2\tx:2\n4\ttrue\nn\t4$",
		"call shows all results")
	fails("call " .. short, "need arguments", "call refuses no arguments")
	fails("call " .. short .. " 1 +", "=?%(?call", "call shows syntax errors")
	fails("call " .. short .. " os.exit()", "", "call evaluates without globals")
	fails("call " .. short .. " 'fail', 'on purpose'", "call failed", "call shows that it failed")
	succeeds("dbgcmd " .. short .. " MEM", "^%d+", "dbgcmd shows a number")
	succeeds("dbgcmd " .. short .. " SUPPORT lua", "^true$", "dbgcmd shows a boolean")
	fails("dbgcmd " .. short, "^Need a debug command", "dbgcmd refuses no command")
	fails("dbgcmd " .. short .. " NONSENSE", "unknown debug command 'NONSENSE'",
		"dbgcmd refuses an unknown command")
	succeeds("trace " .. short, "^$", "trace says nothing")
	succeeds("trace " .. short .. " on", "^$", "trace takes on")
	succeeds("trace " .. short .. " lua off", "^$", "trace takes a protocol and off")
	fails("trace " .. short .. " lua maybe", "^Need on or off", "trace refuses anything else")
	succeeds("signal " .. short .. " 1", "^$", "signal says nothing")
	fails("signal " .. short .. " x", "^Need a number", "signal refuses a word")
	succeeds("killtask " .. short .. " thread", "^$", "killtask ends a task")
	succeeds("killtask " .. short .. " nonsense", "^Not found$", "killtask says when there is none")
	succeeds("kill " .. text, "^" .. text .. "\tsnlua puppet hello$", "kill names its victim")
	tap.ok(not skynet.send(puppet, "lua", "echo"), "kill kills")
	for command in ("kill exit logon logoff signal"):gmatch "%a+" do
		fails(command .. " " .. short, "^:%x+ is no service, or has ended$",
			command .. " says that a service is dead")
	end
	for command in ("kill info task uniqtask ping call logon debug"):gmatch "%a+" do
		fails(command, "^Need an address$", command .. " needs an address")
		fails(command .. " .nobody", "^Not a valid name$", command .. " refuses an unknown name")
		fails(command .. " xyz!", "^Not a valid name$", command .. " refuses a text that is no address")
		fails(command .. " 123456789", "^Not a valid name$", command .. " refuses a long address")
	end
	for command in ("kill logon logoff signal"):gmatch "%a+" do
		fails(command .. " :02000009",
			"^:02000009 is a service of harbor 2: use the console of that node$",
			command .. " refuses a service of another node")
	end
	fails("ping " .. short, "call to invalid address", "ping shows that a service is dead")
	fails("ping 1", "call failed: timeout", "ping does not wait for ever for a service in C")
end

local function starting()
	local text = succeeds("start puppet a b", "^:%x+\tpuppet a b$", "start shows address and name")
	succeeds("exit " .. text:match "^:%x+", "^$", "exit says nothing")
	tap.eventually(function()
		return not skynet.send(tonumber(text:match "^:(%x+)", 16), "lua", "echo")
	end, "exit makes a service leave")
	succeeds("start puppet exit", "^Exit$", "start tells that a service left at once")
	succeeds("start puppet fail", "^Failed$", "start tells that a service failed")
	succeeds("start there_is_none", "^Failed$", "start tells that there is no such service")
	fails("start", "^Need a name", "start needs a name")
	text = succeeds("log puppet", "^:%x+\tpuppet$", "log shows address and name")
	local short = text:match "^:(%x+)"
	succeeds("logoff " .. short, "^$", "logoff says nothing")
	os.remove(short .. ".log")
	succeeds("log puppet fail", "^Failed$", "log tells that a service failed")
	succeeds("snax there_is_none", "^Failed$", "snax tells that there is no such service")
	succeeds("kill " .. short, "snlua puppet$", "kill takes an address without colon")
end

local function injects()
	local puppet = skynet.newservice "puppet"
	local short = skynet.address(puppet):sub(2)
	local path = skynet.getenv "test_tmp" .. "/injected.lua"
	local file = assert(io.open(path, "w"))
	file:write [[
		print("inside", _P.lua.command ~= nil, ...)
		_P.lua.command.echo = function() return "new" end
	]]
	file:close()
	succeeds("inject " .. short .. " " .. path .. " a b", "^inside\ttrue\ta\tb",
		"inject runs a file inside a service")
	tap.is(skynet.call(puppet, "lua", "echo", 1), "new", "inject can patch a handler")
	file = assert(io.open(path, "w"))
	file:write 'error "on purpose"'
	file:close()
	fails("inject " .. short .. " " .. path, "on purpose", "inject shows an error")
	fails("inject " .. short .. " /none", "^Can't open file$", "inject says when there is no file")
	fails("inject " .. short .. " .", "^Can't open file$", "inject refuses a folder")
	skynet.kill(puppet)
end

local function node()
	succeeds("getenv start", "^start\ttest_debug_console$", "getenv shows a setting")
	succeeds("getenv there_is_none", "^there_is_none\tnil$", "getenv shows nil")
	succeeds("setenv my_key value", "^$", "setenv says nothing")
	tap.is(skynet.getenv "my_key", "value", "setenv adds a setting")
	fails("setenv my_key other", "exist", "setenv refuses a key that is there")
	fails("setenv my_other_key", "^Need a value", "setenv needs a value")
	succeeds("clearcache", "^$", "clearcache says nothing")
	succeeds("guard", "kind%s+none", "guard tells that nodes do not authenticate")
	local text = succeeds("netstat", "^%d+\t.*type:LISTEN", "netstat shows the listener")
	tap.like(text, "type:TCP", "netstat shows connections")
	tap.like(text, "address:" .. skynet.address(console), "netstat shows owners")
	fails("cluster", "^No service uses the cluster$", "cluster says when there is none")
	succeeds("cmem", "total\t%d+", "cmem shows a total")
	succeeds("jmem", "", "jmem answers")
	succeeds("profactive", "^heap profilling is %a+$", "profactive says whether it is on")
	succeeds("node", "services\t%d+", "node counts services")
	succeeds("node", "version\t%d+%.%d+%.%d+", "node shows the version")
	succeeds("node", "uptime\t%d", "node shows the uptime")
end

---Bytes until a prompt or the end mark is there.
local function until_text(pattern)
	local text = ""
	repeat
		local bytes = socket.read(main_fd)
		if not bytes then
			break
		end
		text = text .. bytes
	until text:find(pattern)
	return text
end

local function debugs()
	local puppet = skynet.newservice "puppet"
	local short = skynet.address(puppet):sub(2)
	local prompt = skynet.address(puppet) .. ">"
	socket.write(main_fd, "debug " .. short .. "\n")
	tap.like(until_text(prompt), prompt, "debug shows a prompt")
	socket.write(main_fd, "40+2\n")
	tap.like(until_text(prompt), "^42\t", "debug evaluates an expression")
	socket.write(main_fd, 'watch("lua")\n')
	until_text(prompt)
	local echoed
	skynet.fork(function()
		echoed = skynet.call(puppet, "lua", "echo", "seen")
	end)
	tap.like(until_text "%(%d+%)>", "puppet.lua%(%d+%)>", "debug stops at a request")
	tap.is(echoed, nil, "debug holds the request")
	tap.is(skynet.call(puppet, "debug", "PING"), nil, "debug lets other requests pass")
	socket.write(main_fd, "c\n")
	tap.eventually(function()
		return echoed == "seen"
	end, "debug goes on with the request")
	until_text(prompt)
	socket.write(main_fd, "cont\n")
	tap.like(until_text "<CMD", "<CMD OK>\n$", "debug ends with cont")
	succeeds("getenv harbor", "^harbor\t0$", "the console goes on after debug")

	socket.write(main_fd, "debug " .. skynet.address(puppet) .. "\n")
	tap.like(until_text(prompt), prompt, "debug takes an address with a colon")
	local second = connect()
	socket.write(second, "debug " .. short .. "\n")
	local _, mark = answer(second)
	tap.is(mark, "Error", "debug refuses a second debugger")
	socket.close(second)
	skynet.kill(puppet)
	tap.like(until_text "<CMD", "<CMD", "debug ends when the service is killed")
	succeeds("getenv harbor", "^harbor\t0$", "the console goes on after that")
	fails("debug " .. short, short .. " is not a service of this node", "debug names a dead target")
	tap.eventually(function()
		for _, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
			if line:find "debug_agent" then
				return false
			end
		end
		return true
	end, "debug leaves no agent behind")
	fails("debug 7fffff", "", "debug refuses a service that is not there")
end

local function nonsense()
	local text, mark = run "nonsense"
	tap.is(text, "Invalid command, type help for command list\n", "refuses an unknown command")
	tap.is(mark, "Error", "marks it as an error")
	fails(" ", "^Invalid command", "refuses a blank line")
	socket.write(main_fd, "\n\n")
	succeeds("getenv harbor", "^harbor\t0$", "ignores empty lines")
	fails("\0\255\1 \200", "^Invalid command", "refuses binary bytes")
	fails(("x"):rep(65000), "^Invalid command", "refuses a long word")
	fails(("x "):rep(20000), "^Invalid command", "refuses many words")
	fails(("stat "):rep(5000), "", "refuses many arguments")
	socket.write(main_fd, "getenv harbor\ngetenv thread\n")
	tap.is(answer(main_fd)[1], "harbor\t0", "runs commands that come together")
	tap.is(answer(main_fd)[1], "thread\t" .. skynet.getenv "thread", "one after the other")
	for byte in ("getenv harbor\n"):gmatch "." do
		socket.write(main_fd, byte)
		skynet.yield()
	end
	tap.is(answer(main_fd)[1], "harbor\t0", "runs a command that comes byte by byte")
end

local function garbage()
	local fd = connect()
	socket.write(fd, ("\255\0\27x"):rep(20000))
	local lines, mark = answer(fd)
	tap.is(lines[1], "line too long", "says that a line is too long")
	tap.is(mark, "Error", "marks it as an error")
	tap.is(socket.readline(fd), false, "closes after a line that is too long")
	socket.close(fd)
	math.randomseed(42)
	for _ = 1, 20 do
		fd = connect()
		local bytes = {}
		for i = 1, math.random(1, 200) do
			bytes[i] = string.char(math.random(0, 255))
		end
		socket.write(fd, table.concat(bytes))
		socket.close(fd)
	end
	succeeds("getenv harbor", "^harbor\t0$", "lives on after garbage")
	tap.eventually(function()
		return skynet.call(console, "debug", "INFO").connections == 1
	end, "keeps no connection that has gone")
end

local function http(text)
	local fd = connect()
	socket.write(fd, text)
	local all = socket.readall(fd)
	socket.close(fd)
	return all
end

local function serves_http()
	tap.is(http "GET /getenv/harbor HTTP/1.1\r\nHost: x\r\n\r\n", "harbor\t0\n<CMD OK>\n",
		"runs a command from a path and closes")
	tap.is(http "POST / HTTP/1.1\r\nContent-Length: 13\r\n\r\ngetenv harbor", "harbor\t0\n<CMD OK>\n",
		"runs a command from a body and closes")
	tap.like(http "GET /nonsense HTTP/1.1\r\n\r\n", "^Invalid command.*<CMD Error>\n$",
		"refuses an unknown command by HTTP")
	tap.like(http "POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", "too long\n<CMD Error>\n$",
		"refuses a long body")
	tap.like(http "GET /x HTTP/1.1\r\nbroken\r\n\r\n", "malformed", "refuses a malformed header")
end

local function bounds_connections()
	local fds = {}
	for i = 1, 63 do
		fds[i] = connect()
	end
	local fd = assert(socket.open("127.0.0.1", port))
	tap.is(socket.readline(fd), false, "turns away one connection too many")
	socket.close(fd)
	for _, id in ipairs(fds) do
		socket.close(id)
	end
	tap.eventually(function()
		return skynet.call(console, "debug", "INFO").connections == 1
	end, "counts connections down")
end

tap.run(function()
	console, port = start_console(0)
	main_fd = connect()
	services()
	starting()
	injects()
	node()
	debugs()
	nonsense()
	garbage()
	serves_http()
	bounds_connections()
	succeeds("getenv harbor", "^harbor\t0$", "serves its first connection to the end")
	tap.raises(function()
		skynet.newservice("debug_console", port)
	end, "call failed", "a second console on the port fails to start")
	tap.raises(function()
		skynet.newservice "debug_console"
	end, "call failed", "a console without a port fails to start")
end)
