---The other nodes of the harbor network that have a multicast service: used by `multicastd`.
---
---The datacenter has the address of each service at { "multicast", harbor id }, as the reference
---wants it, and beside it a token that is new at each start. So a node that has come back is told
---from the one that was there before, and an address that outlived its node from a good one.
---@class skynet.multicast_nodes
local nodes = {}

local skynet = require "skynet"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local retry = require "skynet.retry"

local DIRECTORY <const> = "multicast"
local TOKENS <const> = "multicast_token"
local STORE <const> = "DATACENTER"
local RETRY_CS <const> = 100
local PATIENCE_CS <const> = 1000

---@class multicast_nodes.node
---@field handle integer  of the multicast service there
---@field token integer?  nil: a node of the reference, which has none
---@field valid boolean  the handle is that of a living service, as far as we know

---@class multicast_nodes.events
---@field found fun(id: integer)  there is a node with a multicast service like ours
---@field up fun(id: integer, node: multicast_nodes.node)  it can be reached (again)
---@field down fun(id: integer)

---Harbor id of this node; 0 when there is no network.
local here <const> = skynet.harbor(skynet.self())

---Harbor id to node, of all that we have dealt with.
---@type table<integer, multicast_nodes.node>
local known = {}

---What the datacenter had when it was last read: harbor id to token.
---@type table<integer, integer>
local directory = {}

---Harbor ids whose link is watched.
---@type table<integer, boolean>
local watched = {}

---@type multicast_nodes.events
local events

local own_token = 0

---Ask whether there is a service like ours. The address may be that of any service by now, which is
---to be disturbed no more than by somebody at a console: so it is asked for its INFO.
---@async
---@param node multicast_nodes.node
---@return string reason  why not
local function verify(node)
	local ok, info = pcall(skynet.call_timeout, PATIENCE_CS, node.handle, "debug", "INFO")
	local token = ok and type(info) == "table" and info.token
	node.valid = math.type(token) == "integer"
	if node.valid then
		node.token = token
	end
	return ok and "no multicast service" or tostring(info)
end

---The link to a node is up again: its service is where it was, or where the datacenter has it now.
---If neither, the node will tell us.
---@async
---@param id integer
---@param node multicast_nodes.node
local function find_again(id, node)
	local before = { handle = node.handle }
	verify(before)
	if node.valid then
		return
	elseif before.valid then
		node.token, node.valid = before.token, true
		events.up(id, node)
	else
		pcall(nodes.find, id)
	end
end

---Follow the link to a node: what was known about it is doubtful when it breaks.
---@async
---@param id integer
local function watch(id)
	watched[id] = true
	repeat
		-- a link that is not up yet would count as broken
		local up = pcall(retry.while_full, harbor.connect, id)
		local node = known[id]
		if up and not node.valid and node.token then
			find_again(id, node)
		end
		local broken = up and pcall(retry.while_full, harbor.link, id)
		if broken then
			node = known[id]
			node.valid = false
			known[id] = node.token and node
			events.down(id)
		end
	until not broken or not known[id]
	watched[id] = nil
end

---@param id integer
---@param handle integer
---@param token integer?
---@param valid boolean
---@return multicast_nodes.node
local function note(id, handle, token, valid)
	local node = known[id] or {}
	known[id] = node
	node.handle, node.token, node.valid = handle, token, valid
	if not watched[id] then
		skynet.fork(watch, id)
	end
	return node
end

---A node has asked us for something: we are to hear of its end.
---@param source integer  its service
---@param token any  if it has one
function nodes.asked_by(source, token)
	local id = skynet.harbor(source)
	local node = known[id]
	if not node or not node.valid or not watched[id] then
		-- it may be back before we have asked: what was lost with it is renewed now, or never
		events.up(id, note(id, source, math.type(token) == "integer" and token or nil, true))
	end
end

---The node with a harbor id. Raises when it has no multicast service, or is down.
---@async
---@param id integer
---@return multicast_nodes.node
function nodes.find(id)
	local node = known[id]
	if node and node.valid then
		return node
	end
	local handle, token = datacenter.get(DIRECTORY, id), datacenter.get(TOKENS, id)
	if math.type(handle) ~= "integer" or skynet.harbor(handle) ~= id then
		error(("node %d has no multicast service"):format(id), 0)
	end
	if not token then
		return note(id, handle, nil, true)
	end
	local candidate = { handle = handle, token = token }
	local reason = verify(candidate)
	if not candidate.valid then
		error(("node %d cannot be reached (%s)"):format(id, reason), 0)
	end
	node = known[id]
	if not node or not node.valid then
		node = note(id, handle, candidate.token, true)
		events.up(id, node)
	end
	return node
end

---A node says that its service has started, or has come to us before we knew of it.
---@param source integer
---@param token any
function nodes.here(source, token)
	local id, remote = skynet.harbor(source)
	if not remote or math.type(token) ~= "integer" then
		return
	end
	events.found(id)
	local node = known[id]
	if not node or not node.valid or node.token ~= token then
		if node and node.valid then
			-- we have missed its end
			events.down(id)
		end
		events.up(id, note(id, source, token, true))
	end
end

---@async
---@return table<integer, integer> tokens  by harbor id, without this node
local function read_directory()
	local list = {}
	for id, token in pairs(datacenter.get(TOKENS) or {}) do
		if id ~= here then
			list[id] = token
		end
	end
	directory = list
	return list
end

---Harbor ids of the nodes with a service like ours: those in the datacenter, or, while that cannot
---be reached, those that are known here. Of the others `found` tells when it is back.
---@async
---@return table<integer, integer> tokens  by harbor id
function nodes.list()
	local list = {}
	if here == 0 then
		return list
	end
	local ok, current = pcall(read_directory)
	if ok then
		return current
	end
	for id, token in pairs(directory) do
		list[id] = token
	end
	for id, node in pairs(known) do
		list[id] = node.valid and node.token or list[id]
	end
	return list
end

---@async
---@param id integer
---@param handle integer  as the datacenter has it
---@param returned boolean  the node has been here before
local function greet(id, handle, returned)
	local candidate = { handle = handle }
	verify(candidate)
	if candidate.valid then
		skynet.send(handle, "lua", "HERE", own_token)
	end
	if returned then
		-- It was lost, and has started again before it could hear of us from the
		-- datacenter: nobody else tells us that it is back.
		pcall(nodes.find, id)
	end
end

---Say where our service is, to the datacenter and to the others.
---@async
local function register()
	-- the token first: an address without one is that of a node of the reference
	datacenter.set(TOKENS, here, own_token)
	datacenter.set(DIRECTORY, here, skynet.self())
	for id, token in pairs(read_directory()) do
		local node, handle = known[id], datacenter.get(DIRECTORY, id)
		if math.type(handle) == "integer" and not (node and node.valid and node.token == token) then
			events.found(id)
			skynet.fork(greet, id, handle, node ~= nil)
		end
	end
end

---The datacenter is empty when its node has come back.
---@async
local function keep_registered()
	local store = retry.while_full(harbor.queryname, STORE)
	local id, remote = skynet.harbor(store or 0)
	while remote do
		retry.while_full(harbor.connect, id)
		retry.while_full(harbor.link, id)
		retry.while_full(harbor.connect, id)
		while not pcall(register) do
			skynet.sleep(RETRY_CS)
		end
	end
end

---@async
---@param token integer  of this node
---@param handlers multicast_nodes.events
function nodes.start(token, handlers)
	own_token, events = token, handlers
	if here ~= 0 then
		-- a link that breaks in this moment comes back; who starts this service need not start again
		local ok, err = pcall(register)
		while not ok do
			local kind = skynet.error_kind(err)
			if kind ~= "dead_node" and kind ~= "overloaded" then
				error(err, 0)
			end
			skynet.sleep(RETRY_CS)
			ok, err = pcall(register)
		end
		-- fails only when the slave ends, which it does with the node
		skynet.fork(pcall, keep_registered)
	end
end

return nodes
