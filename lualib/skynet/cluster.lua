---Calls between the nodes of a cluster, which know each other by name.
---
---`call` and `send` hand the packed arguments to the sender of the node, a service that all
---services of this node share; it dials when it has something to send.
---@class skynet.cluster
local cluster = {}

local skynet = require "skynet"
local core = require "skynet.core"
local cluster_names = require "skynet.cluster_names"
local retry = require "skynet.retry"

local SENDER <const> = ".clustersender:"
local TIMEOUT_MAX_CS <const> = 0x7fffffff
local MAXCLIENT_MAX <const> = 0x7fffffff
local HANDLE_MAX <const> = 0xffffffff
local PORT_MAX <const> = 65535

---@type integer
local clusterd

---Raises an error in the caller of a public function that got something it cannot use.
---@param fits boolean?
---@param func string
---@param index integer
---@param wanted string
---@param value any
local function check(fits, func, index, wanted, value)
	if not fits then
		error(("bad argument #%d to '%s' (%s expected, got %s)"):format(index, func, wanted,
			type(value) == "number" and tostring(value) or type(value)), 3)
	end
end

---@param value any
---@param least integer
---@param most integer
---@return boolean
local function is_between(value, least, most)
	local number = type(value) == "number" and math.tointeger(value)
	return number and number >= least and number <= most
end

---@param value any
---@return boolean
local function is_handle(value)
	return is_between(value, 1, HANDLE_MAX)
end

---@alias cluster.address
---| integer  a handle of the other node
---| string   "@name" registered there, ".name" local there, or a global name of its harbor network

---The service that sends to a node, by the name of the node; started when it is first looked up.
---@type table<string, integer>
local senders = setmetatable({}, {
	__index = function(self, node)
		if not cluster_names.is_node(node) then
			error(("'%s' is not the name of a cluster node"):format(tostring(node)), 3)
		end
		local name = SENDER .. node
		local sender = core.addresscommand("QUERY", name)
			or core.addresscommand("LAUNCH", "clustersender " .. node)
			or core.addresscommand("QUERY", name)
		if not sender then
			error(("cannot start the sender of cluster node '%s'"):format(node), 3)
		end
		self[node] = sender
		return sender
	end,
})

---Send a request and wait for the answer. Raises when the other service raised or is missing, and
---when the node is down, absent (with `__nowaiting`) or lost.
---@async
---@param node string
---@param address cluster.address
---@param ... any
---@return any ...
function cluster.call(node, address, ...)
	return skynet.call(senders[node], "lua", address, ...)
end

---As `call`, but raises when there is no answer within `timeout` centiseconds.
---@async
---@param timeout integer  centiseconds, at least 1
---@param node string
---@param address cluster.address
---@param ... any
---@return any ...
function cluster.call_timeout(timeout, node, address, ...)
	check(is_between(timeout, 1, TIMEOUT_MAX_CS), "call_timeout", 1, "positive integer", timeout)
	return skynet.call_timeout(timeout, senders[node], "lua", true, timeout, address, ...)
end

---Send a message without an answer. Waits only while too much waits for the node already (policy
---`block` of `cluster_buffer_policy`). A message that cannot be sent is lost.
---@async
---@param node string
---@param address cluster.address
---@param ... any
function cluster.send(node, address, ...)
	skynet.send(senders[node], "lua", address, ...)
end

---Listen for other nodes, at the address that the table of nodes has for a name, or on a port.
---@async
---@param port string|integer  name of a node, or a port on all interfaces; 0 picks one
---@param maxclient integer?  connections at most, 1024 by default
---@return string address  that is bound, or the name
---@return integer? port
function cluster.open(port, maxclient)
	check(type(port) == "string" or is_between(port, 0, PORT_MAX), "open", 1,
		"name of a node or port", port)
	check(maxclient == nil or is_between(maxclient, 1, MAXCLIENT_MAX), "open", 2,
		"positive integer", maxclient)
	if type(port) == "string" then
		return skynet.call(clusterd, "lua", "listen", port, nil, maxclient)
	end
	return skynet.call(clusterd, "lua", "listen", "0.0.0.0", port, maxclient)
end

---Apply a table of nodes, or read the file of the config key `cluster` again.
---@async
---@param nodes table<string, string|false>?
function cluster.reload(nodes)
	check(nodes == nil or type(nodes) == "table", "reload", 1, "table", nodes)
	skynet.call(clusterd, "lua", "reload", nodes)
end

---Give a service a name under which other nodes can call it, as "@name".
---@async
---@param name string
---@param handle integer?  default: this service
function cluster.register(name, handle)
	check(type(name) == "string", "register", 1, "name", name)
	check(handle == nil or is_handle(handle), "register", 2, "handle", handle)
	skynet.call(clusterd, "lua", "register", name, handle)
end

---Take a name away again. An unknown name is ignored.
---@async
---@param name string
function cluster.unregister(name)
	check(type(name) == "string", "unregister", 1, "name", name)
	skynet.call(clusterd, "lua", "unregister", name)
end

---Ask all nodes at once for a name. The first that has it wins.
---@async
---@param name string
---@return string node
---@return integer handle
local function query_all(name)
	local nodes = skynet.call(clusterd, "lua", "nodes")
	local left, task = #nodes, coroutine.running()
	local found, handle
	for _, node in ipairs(nodes) do
		skynet.fork(function()
			local ok, answer = pcall(skynet.call, senders[node], "lua", 0, name)
			left = left - 1
			if ok and not found then
				found, handle = node, answer
			end
			if task and (found or left == 0) then
				skynet.wakeup(task)
				task = nil
			end
		end)
	end
	if left > 0 then
		skynet.wait(task)
	end
	if not found then
		error(("no node has the name '%s'"):format(name), 3)
	end
	return found, handle
end

---Ask a node for the handle of a registered name, or all nodes when `node` is nil: then the node
---comes first. Raises when there is none.
---@async
---@param node string?
---@param name string  without "@"
---@return integer|string handle
---@return integer? handle
function cluster.query(node, name)
	check(type(name) == "string", "query", 2, "name", name)
	if node == nil then
		return query_all(name)
	end
	return skynet.call(senders[node], "lua", 0, name)
end

---A local service that stands for one of another node: `proxy(node, address)`, "node@name" or
---"node.name".
---@async
---@param node string
---@param address cluster.address?
---@return integer handle
function cluster.proxy(node, address)
	check(type(node) == "string", "proxy", 1, "name of a node", node)
	if address == nil then
		local name, rest = node:match "^([^@.]+)([@.].+)$"
		if not name then
			error(("'%s' is not node@name or node.name"):format(node), 2)
		end
		node, address = name, rest
	end
	check(cluster_names.is_node(node), "proxy", 1, "name of a node", node)
	check(type(address) == "string" or is_handle(address), "proxy", 2, "address", address)
	return skynet.call(clusterd, "lua", "proxy", node, address)
end

---A snax object for a service of another node, which has called snax.enablecluster.
---@async
---@param node string
---@param name string  type of the snax service
---@param address cluster.address?  default: the unique one of that type
---@return table object
function cluster.snax(node, name, address)
	local snax = require "skynet.snax"
	address = address or cluster.call(node, ".service", "QUERY", "snaxd", name)
	return snax.bind(cluster.proxy(node, address), name)
end

---The sender of a node, nil when the node is down or absent.
---@async
---@param node string
---@return integer? handle
function cluster.get_sender(node)
	check(cluster_names.is_node(node), "get_sender", 1, "name of a node", node)
	return skynet.call(clusterd, "lua", "sender", node)
end

---Call `func(node, what)` whenever a connection to a node is "up" or "down", or its address is
---"changed". Only what happens after this call is reported. A service that is far behind hears the
---last event of each node.
---@async
---@param func fun(node: string, what: string)
function cluster.on_node(func)
	check(type(func) == "function", "on_node", 1, "function", func)
	local serial = skynet.call(clusterd, "lua", "serial")
	skynet.fork(function()
		while true do
			local ok, number, events = pcall(retry.while_full, skynet.call_forever, clusterd,
				"lua", "watch", serial)
			if not ok then
				-- clusterd has ended, as it does when the node is stopped
				return
			end
			for _, event in ipairs(events) do
				skynet.fork(func, event.node, event.what)
			end
			serial = number
		end
	end)
end

skynet.init(function()
	clusterd = skynet.uniqueservice "clusterd"
end)

return cluster
