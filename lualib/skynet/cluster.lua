---Calls between the nodes of a cluster, which know each other by name.
---
---`call` and `send` hand the packed arguments to the sender of the node, a service that all
---services of this node share; it dials when it has something to send.
---@class skynet.cluster
local cluster = {}

local skynet = require "skynet"
local core = require "skynet.core"

local SENDER <const> = ".clustersender:"
---Waiting for events is not ended by the setting `call_timeout`.
local FOREVER_CS <const> = 0x7fffffff

---@type integer
local clusterd

---@alias cluster.address
---| integer  a handle of the other node
---| string   "@name" registered there, ".name" local there, or a global name of its harbor network

---The sender of a node, started at the first use.
---@type table<string, integer>
local senders = setmetatable({}, {
	__index = function(self, node)
		if type(node) ~= "string" or node == "" or node:find "%s" then
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
---@param timeout integer  centiseconds, at least 0
---@param node string
---@param address cluster.address
---@param ... any
---@return any ...
function cluster.call_timeout(timeout, node, address, ...)
	return skynet.call_timeout(timeout, senders[node], "lua", true, timeout, address, ...)
end

---Send a message without an answer. Returns at once; a message that cannot be sent is lost.
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
	if type(port) == "string" then
		return skynet.call(clusterd, "lua", "listen", port, nil, maxclient)
	end
	return skynet.call(clusterd, "lua", "listen", "0.0.0.0", port, maxclient)
end

---Apply a table of nodes, or read the file of the config key `cluster` again.
---@async
---@param nodes table<string, string|false>?
function cluster.reload(nodes)
	skynet.call(clusterd, "lua", "reload", nodes)
end

---Give a service a name for other nodes, which call it as "@name".
---@async
---@param name string
---@param handle integer?  default: this service
function cluster.register(name, handle)
	assert(type(name) == "string", "a name is a string")
	skynet.call(clusterd, "lua", "register", name, handle)
end

---Take a name back. An unknown one is ignored.
---@async
---@param name string
function cluster.unregister(name)
	assert(type(name) == "string", "a name is a string")
	skynet.call(clusterd, "lua", "unregister", name)
end

---Raises an error in the caller of a public function.
local function check_name(func, index, name)
	if type(name) ~= "string" then
		error(("bad argument #%d to '%s' (name expected, got %s)"):format(index, func, type(name)), 3)
	end
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
	check_name("query", 2, name)
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
	if address == nil then
		local name, rest = node:match "^([^@.]+)([@.].+)$"
		if not name then
			error(("'%s' is not node@name or node.name"):format(node), 2)
		end
		node, address = name, rest
	end
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
	check_name("get_sender", 1, node)
	return skynet.call(clusterd, "lua", "sender", node)
end

---Call `func(node, what)` whenever a connection to a node is "up" or "down", or its address is
---"changed". Events that are in the past are not told.
---@async
---@param func fun(node: string, what: string)
function cluster.on_node(func)
	if type(func) ~= "function" then
		error("bad argument #1 to 'on_node' (function expected, got " .. type(func) .. ")", 2)
	end
	local serial = skynet.call(clusterd, "lua", "serial")
	skynet.fork(function()
		while true do
			local ok, number, events =
				pcall(skynet.call_timeout, FOREVER_CS, clusterd, "lua", "watch", serial)
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
