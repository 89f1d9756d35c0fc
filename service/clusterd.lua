---Control of the cluster on this node: names of nodes, listeners, registered services. No
---arguments; local name .clusterd. Requests and answers do not pass here: C services carry them,
---`clustersender` (one for each other node) and `clusteragent` (one for each incoming connection).
---They ask for addresses and names in plain text (`question`), Lua services in `lua` (`command`).
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.core"
local socket = require "skynet.socket"
local cluster_events = require "skynet.cluster_events"
local cluster_names = require "skynet.cluster_names"

local DEFAULT_MAXCLIENT <const> = 1024
local SENDER <const> = ".clustersender:"
local CHANGED <const> = "changed"
local WAITING <const> = {} -- result of a command that answers later
local PEER_NAME <const> = "__skynet_peer" -- the name that probes ask for, see cluster_frame.h

---@type table<string, string|false> node to address; false: down on purpose
local nodes = {}
---@type table<string, any>
local options = {}
---@type table<string, fun()[]> node to the functions that wait for its address
local waiting = {}
---@type table<string, integer> registered name to handle
local handles = {}
---@type table<integer, string> handle to registered name
local names = {}
---@class clusterd.listener
---@field count integer  its connections
---@field limit integer
---@field full boolean?  one was closed for want of room, and half of it is still taken

---@type table<integer, { agent: integer, listener: clusterd.listener }> socket id to connection
local connections = {}
---@type table<string, integer> identity of a sender elsewhere to the socket id of its connection
local followed = {}
---@type table<string, integer> node and packed address to proxy
local proxies = {}

---@param node string
---@return integer? handle
local function find_sender(node)
	return core.addresscommand("QUERY", SENDER .. node)
end

---@param node string
---@param ... string|integer
local function tell_sender(node, ...)
	local sender = find_sender(node)
	if sender then
		core.send(sender, skynet.PTYPE_SYSTEM, 0, table.concat({ ... }))
	end
end

---@return integer  default deadline of calls, 0: none
local function call_timeout()
	return math.tointeger(options.__call_timeout) or 0
end

---@param node string
---@return string  "host port timeout"
local function address_text(node)
	local host, port = cluster_names.split_address(nodes[node])
	return ("%s %d %d"):format(host, port, call_timeout())
end

---Runs what waits for nodes whose address is known by now, or for any node.
---@param all boolean?
local function wake_waiting(all)
	for node, list in pairs(waiting) do
		if all or nodes[node] ~= nil then
			waiting[node] = nil
			for _, resume in ipairs(list) do
				resume()
			end
		end
	end
end

---@param node string
---@param func fun()  runs when the address is known or will not be
local function when_known(node, func)
	if nodes[node] ~= nil or options.__nowaiting then
		func()
		return
	end
	local list = waiting[node] or {}
	waiting[node] = list
	list[#list + 1] = func
end

---@param new table
local function apply_nodes(new)
	cluster_names.check(new)
	local changed = {}
	local timeout = call_timeout()
	for name, value in pairs(new) do
		if cluster_names.is_option(name) then
			options[name] = value
		elseif nodes[name] ~= value then
			local old = nodes[name]
			nodes[name] = value
			if value == false then
				tell_sender(name, "down")
			elseif old ~= nil then
				tell_sender(name, "change ", address_text(name))
			end
			changed[#changed + 1] = name
		end
	end
	wake_waiting(options.__nowaiting)
	if call_timeout() ~= timeout then
		for name in pairs(nodes) do
			tell_sender(name, "timeout ", call_timeout())
		end
	end
	table.sort(changed)
	for _, name in ipairs(changed) do
		cluster_events.announce(name, CHANGED)
	end
end

---Reads the file that the config names. Raises when it cannot be used; nothing has changed then.
local function load_file()
	local path = skynet.getenv "cluster"
	if path then
		apply_nodes(cluster_names.load(path))
	end
end

---@param text string
local function answer_error(source, session, text)
	core.send(source, skynet.PTYPE_ERROR, session, "remote: " .. text)
end

---What senders and agents ask. Each answers by itself.
---@type table<string, fun(source: integer, session: integer, rest: string)>
local question = {}

---Where a node is, as soon as that is known: "host port timeout".
function question.address(source, session, node)
	when_known(node, function()
		if nodes[node] then
			core.send(source, skynet.PTYPE_RESPONSE, session, address_text(node))
		else
			core.send(source, skynet.PTYPE_ERROR, session,
				("dead_node: %s (%s)"):format(node,
					nodes[node] == false and "down on purpose" or "absent"))
		end
	end)
end

---What a registered name stands for: a handle in hexadecimal.
function question.name(source, session, name)
	local handle = handles[name]
	if handle then
		core.send(source, skynet.PTYPE_RESPONSE, session, ("%x"):format(handle))
	else
		answer_error(source, session, "Invalid name")
	end
end

---A question of another node for a name, packed: the packed handle.
function question.query(source, session, packed)
	local ok, name = pcall(skynet.unpack, packed)
	local handle = ok and type(name) == "string" and handles[name]
	if handle then
		core.send(source, skynet.PTYPE_RESPONSE, session, skynet.pack(handle))
	else
		answer_error(source, session, "name not found")
	end
end

---A connection has ended.
function question.closed(_, _, id)
	id = math.tointeger(tonumber(id))
	local connection = connections[id]
	if connection then
		local listener = connection.listener
		listener.count = listener.count - 1
		listener.full = listener.full and listener.count > listener.limit // 2
		connections[id] = nil
		if connection.identity and followed[connection.identity] == id then
			followed[connection.identity] = nil
		end
	end
end

---An agent knows now which sender its connection is from. An earlier connection of that sender ends
---first, with all that is left of it, so that no old request is served after a new one.
function question.identity(source, session, text)
	local identity, id = text:match "^(%x+) (%d+)$"
	id = math.tointeger(tonumber(id))
	local old_id = followed[identity]
	local old = connections[old_id or 0]
	followed[identity] = id
	if connections[id] then
		connections[id].identity = identity
	end
	if old then
		socket.close_fd(old_id)
		pcall(skynet.call, old.agent, "system", "replaced")
	end
	core.send(source, skynet.PTYPE_RESPONSE, session, "")
end

---A sender has its connection.
function question.up(_, _, node)
	cluster_events.announce(node, "up")
end

---A sender has lost its connection.
function question.down(_, _, node)
	cluster_events.announce(node, "down")
end

local function forget_names()
	for _, connection in pairs(connections) do
		core.send(connection.agent, skynet.PTYPE_SYSTEM, 0, "forget")
	end
end

---@param listener clusterd.listener
---@param id integer
---@param from string
local function accept(listener, id, from)
	if listener.count >= listener.limit then
		-- It is told once, or whoever knocks fills the log.
		if not listener.full then
			skynet.error(("cluster: too many connections (%d), closed %s and those that follow")
				:format(listener.count, from))
			listener.full = true
		end
		socket.close_fd(id)
		return
	end
	local agent = skynet.launch("clusteragent", id, from)
	if agent then
		listener.count = listener.count + 1
		connections[id] = { agent = agent, listener = listener }
	else
		socket.close_fd(id)
	end
end

---@type table<string, fun(source: integer, ...): ...>
local command = {}

---Number of the last event.
function command.serial()
	return cluster_events.serial()
end

---Waits for events behind number `serial`; their number and list.
function command.watch(_, serial)
	local last, list = cluster_events.watch(serial)
	if not last then
		return WAITING
	end
	return last, list
end

---Names of the nodes that have an address.
function command.nodes()
	local list = {}
	for name, address in pairs(nodes) do
		if address then
			list[#list + 1] = name
		end
	end
	table.sort(list)
	return list
end

---@async
---@param service integer
---@return table<string, string|integer>? status  nil: there is no such service any more
local function status_of(service)
	local ok, text = pcall(skynet.call, service, "system", "status")
	if not ok then
		return nil
	end
	local status = {}
	for key, value in text:gmatch "(%w+)=(%S*)" do
		status[key] = math.tointeger(tonumber(value)) or value
	end
	-- The last one, which may have blanks in it.
	status.address = text:match "address=(.*)$"
	return status
end

---What the connections to other nodes do, how many came from them, and what those do.
---@async
function command.links()
	local links, senders, agents, incoming = {}, {}, {}, {}
	-- while the services answer, names may come and connections may come and go
	for node in pairs(nodes) do
		senders[node] = find_sender(node)
	end
	for _, connection in pairs(connections) do
		agents[#agents + 1] = connection.agent
	end
	for node, sender in pairs(senders) do
		links[node] = status_of(sender)
	end
	for _, agent in ipairs(agents) do
		incoming[#incoming + 1] = status_of(agent)
	end
	return links, #agents, incoming
end

---Takes a table of nodes, or reads the file again.
function command.reload(_, new)
	if new then
		apply_nodes(new)
	else
		load_file()
	end
end

---Listens at the address of a node, or at an address and port.
function command.listen(_, address, port, maxclient)
	local name
	if not port then
		name = address
		local found = nodes[name]
		if not found then
			error(("cluster node [%s] has no address"):format(tostring(name)), 0)
		end
		address, port = cluster_names.split_address(found)
	end
	local listener = { count = 0, limit = maxclient or DEFAULT_MAXCLIENT }
	local ok, id, real_address, real_port = pcall(socket.listen, address, port, nil, true)
	if not ok or not id then
		error(("cluster cannot listen: %s"):format(tostring(ok and real_address or id)), 0)
	end
	socket.start(id, function(connection, from)
		accept(listener, connection, from)
	end)
	if name then
		return name
	end
	return real_address, real_port
end

---The sender of a node, started at the first use.
---@param node string
---@return integer? handle
local function start_sender(node)
	return find_sender(node) or skynet.launch("clustersender", node) or find_sender(node)
end

---The sender of a node; nil when the node is down or absent. Waits until its address is known.
---@async
function command.sender(_, node)
	local task = coroutine.running()
	local ready = false
	when_known(node, function()
		ready = true
		skynet.wakeup(task)
	end)
	if not ready then
		skynet.wait(task)
	end
	return nodes[node] and start_sender(node) or nil
end

---The proxy of an address, also while its node is down or not known yet.
function command.proxy(_, node, address)
	local packed = skynet.packstring(address):gsub(".", function(byte)
		return ("%02x"):format(byte:byte())
	end)
	local key = node .. " " .. packed
	if not proxies[key] then
		start_sender(node)
		proxies[key] = skynet.launch("clusterproxy", key)
	end
	return proxies[key] or error(("cannot start the proxy of '%s' of cluster node [%s]"):format(
		tostring(address), node), 0)
end

---Whether a service has ended. It can only be known of those of this node.
---@param handle integer
---@return boolean
local function has_ended(handle)
	local _, remote = skynet.harbor(handle)
	return not remote and skynet.send(handle, "debug", "PING") == nil
end

function command.register(source, name, handle)
	assert(type(name) == "string", "a name is a string")
	if handles[name] and has_ended(handles[name]) then
		command.unregister(source, name)
	end
	if handles[name] then
		error(("name '%s' is taken"):format(name), 0)
	elseif name == PEER_NAME then
		error(("name '%s' is reserved"):format(name), 0)
	end
	handle = math.tointeger(handle or source)
	assert(handle, "a handle is an integer")
	local old = names[handle]
	if old then
		handles[old] = nil
		forget_names()
	end
	handles[name] = handle
	names[handle] = name
	skynet.error(("cluster: register %s as :%08x"):format(name, handle))
end

function command.unregister(_, name)
	local handle = handles[name]
	if handle then
		handles[name] = nil
		names[handle] = nil
		forget_names()
	end
end

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text) return text end,
	unpack = skynet.tostring,
	dispatch = function(session, source, text)
		local word, rest = text:match "^(%l+) (.*)$"
		local answer = question[word]
		if answer then
			answer(source, session, rest)
		end
		-- Each has answered, or will; one that raised is answered by this.
		if session > 0 then
			skynet.ignoreret()
		end
	end,
}

---Reads the file; when it is wrong, says so and keeps what is known.
local function reload_file()
	local ok, message = pcall(load_file)
	skynet.error(ok and "cluster: names are read again"
		or ("error: cluster keeps its names: %s"):format(message))
end

---SIGHUP: the file is read again.
skynet.register_protocol {
	name = "system",
	id = skynet.PTYPE_SYSTEM,
	pack = function(text) return text end,
	unpack = skynet.tostring,
	dispatch = function(session)
		if session == 0 then
			reload_file()
		end
	end,
}

---@param session integer
---@param first any
local function answer_command(session, first, ...)
	if session > 0 and first ~= WAITING then
		skynet.retpack(first, ...)
	end
end

---Reads the file again whenever it changes.
local function watch_file()
	local path = skynet.getenv "cluster"
	if path then
		socket.watch(path, reload_file)
	end
end

skynet.start(function()
	load_file()
	skynet.register ".clusterd"
	skynet.dispatch("lua", function(session, source, word, ...)
		local run = command[word]
		if not run then
			error(("clusterd has no command '%s'"):format(tostring(word)), 0)
		end
		answer_command(session, run(source, ...))
	end)
	watch_file()
end)
