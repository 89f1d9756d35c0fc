---The commands of the debug console.
---
---A command is called with the console session and the words behind its name; what it returns is
---written by `skynet.console.output`. Errors raised with level 0 are meant for the operator.
local skynet = require "skynet"
local core = require "skynet.core"
local input = require "skynet.console.input"
local output = require "skynet.console.output"
require "skynet.manager"

local LAUNCHER <const> = ".launcher"
---Default of TI, in centiseconds.
local TIMEOUT <const> = 300

---@class skynet.console.command
---@field usage string  its arguments
---@field help string
---@field run fun(session: skynet.console.session, ...: string): any

---@type table<string, skynet.console.command>
local commands = {}

---@param usage string  name and arguments
---@param help string
---@param run fun(session: skynet.console.session, ...: string): any
local function define(usage, help, run)
	local name, arguments = usage:match "^(%S+)%s*(.*)$"
	commands[name] = { usage = arguments, help = help, run = run }
end

---@param text string
local function fail(text)
	error(text, 0)
end

---The service an operator means: `.name`, `:hex`, or hex digits for one of this node.
---@param text string?
---@return integer handle
local function address_of(text)
	if not text then
		fail "Need an address"
	end
	local handle
	if text:byte() == 46 then
		handle = skynet.localname(text)
	elseif text:find "^:%x+$" and #text <= 9 then
		handle = tonumber(text:sub(2), 16)
	elseif text:find "^%x+$" and #text <= 8 then
		handle = tonumber(text, 16) | skynet.harbor(skynet.self()) << 24
	end
	if not handle then
		fail "Not a valid name"
	end
	return handle
end

---Send a word of the debug protocol, to which nobody waits for an answer.
---@param handle integer
---@param word string
local function tell(handle, word)
	if skynet.send(handle, "debug", word) == nil then
		fail(("%s is no service, or has ended"):format(skynet.address(handle)))
	end
end

---The service of this node that an operator means, which is alive: other nodes take no such command
---from here.
---@param text string?
---@return integer handle
local function own_address_of(text)
	local handle = address_of(text)
	local harbor, remote = skynet.harbor(handle)
	if remote then
		fail(("%s is a service of harbor %d: use the console of that node"):format(
			skynet.address(handle), harbor))
	end
	tell(handle, "PING")
	return handle
end

---@param text string?
---@return integer centiseconds  0 or less: for ever
local function timeout_of(text)
	local ti = text and math.tointeger(tonumber(text)) or not text and TIMEOUT
	if not ti then
		fail "Need a timeout in centiseconds"
	end
	return ti
end

---@param text string?
---@param what string
---@return string
local function needed(text, what)
	if not text then
		fail("Need " .. what)
	end
	return text
end

local function check_logpath()
	if not skynet.getenv "logpath" then
		fail "Need the setting logpath, the folder of these files"
	end
end

---@param text string?
---@return boolean?
local function switch_of(text)
	if text == nil then
		return nil
	elseif text == "on" or text == "off" then
		return text == "on"
	end
	fail "Need on or off"
end

---@async
---@return any ...
local function debug_call(address, ...)
	return skynet.call(address, "debug", ...)
end

---@async
---@return any
local function launcher_call(...)
	return skynet.call(LAUNCHER, "lua", ...)
end

define("help", "This list", function()
	local list = {}
	for name, command in pairs(commands) do
		local usage = command.usage ~= "" and command.usage .. ": " or ""
		list[name] = usage .. command.help
	end
	return list
end)

-- ---- services ----

define("list", "Services and what they were started with", function()
	return launcher_call "LIST"
end)

---What a service says about a bounded mailbox, shown when there is a bound.
local BOUND_KEYS <const> = { "blocked", "dropped", "mailbox_limit", "rejected" }

define("stat [TI]", "CPU, messages, mailbox and tasks of each service", function(_, ti)
	local list = launcher_call("STAT", timeout_of(ti))
	for _, stat in pairs(list) do
		if type(stat) == "table" and (stat.mailbox_limit or 0) == 0 then
			for _, key in ipairs(BOUND_KEYS) do
				stat[key] = nil
			end
		end
	end
	return list
end)

define("mem [TI]", "Lua memory of each service", function(_, ti)
	return launcher_call("MEM", timeout_of(ti))
end)

define("gc [TI]", "Collect garbage in each service", function(_, ti)
	return launcher_call("GC", timeout_of(ti))
end)

define("service", "Unique services", function()
	return skynet.call("SERVICE", "lua", "LIST")
end)

---@param ok boolean
---@param address any
---@param ... string  what was started
local function started(ok, address, ...)
	if not ok then
		return "Failed"
	elseif not address then
		return "Exit"
	end
	return { [skynet.address(address)] = table.concat({ ... }, " ") }
end

define("start NAME ARGS...", "Start a Lua service", function(_, name, ...)
	needed(name, "a name")
	local ok, address = pcall(skynet.newservice, name, ...)
	return started(ok, address, name, ...)
end)

define("log NAME ARGS...", "Start a Lua service with its messages logged", function(_, name, ...)
	needed(name, "a name")
	check_logpath()
	local ok, address = pcall(launcher_call, "LOGLAUNCH", "snlua", name, ...)
	return started(ok, address, name, ...)
end)

define("snax NAME ARGS...", "Start a snax service", function(_, name, ...)
	needed(name, "a name")
	local ok, address = pcall(function(...)
		return require("skynet.snax").rawnewservice(...)
	end, name, ...)
	return started(ok and address ~= nil, address, name, ...)
end)

define("kill A", "Kill a service without asking it", function(_, address)
	return launcher_call("KILL", own_address_of(address))
end)

define("exit A", "Ask a service to leave", function(_, address)
	tell(address_of(address), "EXIT")
end)

define("info A ARGS...", "What a service says about itself", function(_, address, ...)
	return (debug_call(address_of(address), "INFO", ...))
end)

define("task A", "Tasks of a service and where they wait", function(_, address)
	return (debug_call(address_of(address), "TASK"))
end)

define("uniqtask A", "Tasks of a service that wait at the same place", function(_, address)
	return (debug_call(address_of(address), "UNIQTASK"))
end)

define("killtask A PATTERN", "End a task of a service", function(_, address, pattern)
	return (debug_call(address_of(address), "KILLTASK", needed(pattern, "a thread name")))
end)

define("ping A", "Round trip to a service in centiseconds", function(_, address)
	local handle, begin = address_of(address), skynet.now()
	-- a service in C never answers
	skynet.call_timeout(TIMEOUT, handle, "debug", "PING")
	return tostring(skynet.now() - begin)
end)

-- ---- looking inside ----

define("dbgcmd A CMD ARGS...", "Any debug command", function(_, address, name, ...)
	return (debug_call(address_of(address), needed(name, "a debug command"), ...))
end)

define("inject A FILE ARGS...", "Run a Lua file in a service", function(_, address, name, ...)
	local handle = address_of(address)
	local file = io.open(needed(name, "a file"), "rb")
	local source = file and file:read "a"
	if file then
		file:close()
	end
	if not source then
		fail "Can't open file"
	end
	local ok, text = debug_call(handle, "RUN", source, name, ...)
	if not ok then
		fail(text)
	end
	return text
end)

define("call A EXPRESSION,...", "Send a Lua request and show the answer", function(session)
	local handle = address_of(session.words[2])
	local expressions = input.rest(session.command, 2)
	if expressions == "" then
		fail "need arguments"
	end
	local func, err = load("return " .. expressions, "=(call)", "t", {})
	if not func then
		fail(err)
	end
	local arguments = table.pack(pcall(func))
	if not arguments[1] then
		fail(tostring(arguments[2]))
	end
	return table.pack(skynet.call(handle, "lua", table.unpack(arguments, 2, arguments.n)))
end)

define("trace A [PROTO] [on/off]", "Trace requests to a service", function(_, address, proto, flag)
	local handle = address_of(address)
	if proto == "on" or proto == "off" then
		proto, flag = nil, proto
	end
	debug_call(handle, "TRACELOG", proto or "lua", switch_of(flag))
end)

define("logon A", "Log the messages of a service to a file", function(_, address)
	address = own_address_of(address)
	check_logpath()
	core.command("LOGON", skynet.address(address))
end)

define("logoff A", "Stop logging the messages of a service", function(_, address)
	core.command("LOGOFF", skynet.address(own_address_of(address)))
end)

define("signal A [N]", "Signal a service; 0 breaks into its Lua code", function(_, address, number)
	local handle = skynet.address(own_address_of(address))
	if number and not math.tointeger(tonumber(number)) then
		fail "Need a number"
	end
	core.command("SIGNAL", number and handle .. " " .. number or handle)
end)

define("debug A", "Step through requests of a service; `cont` leaves", function(session, address)
	require "skynet.console.attach"(session, address_of(address))
end)

-- ---- the node ----

define("clearcache", "Read Lua files again from now on", function()
	require("skynet.codecache").clear()
end)

define("getenv KEY", "A setting", function(_, key)
	needed(key, "a key")
	return { [key] = tostring(skynet.getenv(key)) }
end)

define("setenv KEY VALUE", "Add a setting", function(_, key, value)
	skynet.setenv(needed(key, "a key"), needed(value, "a value"))
end)

---@param row table  of socket.netstat
---@param now integer
---@return table<string, any>
local function readable(row, now)
	local line = {}
	for key, value in pairs(row) do
		line[key] = value
	end
	line.address = row.address and skynet.address(row.address)
	line.read = row.read and output.size(row.read)
	line.write = row.write and output.size(row.write)
	line.wbuffer = row.wbuffer and output.size(row.wbuffer)
	line.rtime = row.rtime and output.age(math.max(0, now - row.rtime))
	line.wtime = row.wtime and output.age(math.max(0, now - row.wtime))
	return line
end

define("netstat", "Sockets of this process", function()
	local rows, now = require("skynet.socket").netstat(), skynet.now()
	for i, row in ipairs(rows) do
		rows[i] = readable(row, now)
	end
	return rows
end)

define("cluster", "Connections to the nodes of the cluster", function()
	local clusterd = skynet.localname ".clusterd"
	if not clusterd then
		fail "No service uses the cluster"
	end
	local links, count, incoming = skynet.call(clusterd, "lua", "links")
	for _, link in ipairs(incoming) do
		link.most, link.kept = output.size(link.most), output.size(link.kept)
		links[("(from %s)"):format(link.address)] = link
	end
	for _, link in pairs(links) do
		link.queued, link.limit = output.size(link.queued), output.size(link.limit)
	end
	links["(incoming)"] = count
	return links
end)

define("guard", "How other nodes authenticate here, and how often they did", function()
	return require("skynet.socketdriver").guards()
end)

define("cmem", "C memory of each service", function()
	local memory = require "skynet.memory"
	local list = {}
	for handle, bytes in pairs(memory.info()) do
		list[skynet.address(handle)] = bytes
	end
	list.block = memory.block()
	list.total = memory.total()
	return list
end)

define("jmem", "Statistics of the allocator", function()
	local list = {}
	for name, bytes in pairs(require("skynet.memory").jestat()) do
		list[name] = ("%11d  %8.2f Mb"):format(bytes, bytes / (1024 * 1024))
	end
	return list
end)

define("profactive [on/off]", "Heap profiling", function(_, flag)
	local active = switch_of(flag)
	local memory = require "skynet.memory"
	if active ~= nil then
		memory.profactive(active)
	else
		active = memory.profactive()
	end
	return "heap profilling is " .. (active and "active" or "deactive")
end)

define("dumpheap", "Write a heap profile", function()
	require("skynet.memory").dumpheap()
end)

define("node", "Version, uptime, services and memory of this node", function()
	local memory = require "skynet.memory"
	local count = 0
	for _ in pairs(launcher_call "LIST") do
		count = count + 1
	end
	return {
		harbor = (skynet.harbor(skynet.self())),
		memory = output.size(memory.total()),
		services = count,
		uptime = output.age(skynet.now()),
		version = core.command "VERSION",
		workers = skynet.getenv "thread",
	}
end)

define("stop", "Shut this node down in order", function()
	skynet.error "Stopped from the debug console"
	core.command "STOP"
end)

return commands
