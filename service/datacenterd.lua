---The tree of values behind `skynet.datacenter`. No arguments. Global name: DATACENTER.
---
---Values are in `root`; who waits for a path is in a second tree of the same shape, `awaited`,
---whose nodes are either a branch (`children`) or a leaf (`waiters`), never both: a path that is
---waited for ends there.
local skynet = require "skynet"
require "skynet.manager"
local harbor_watch = require "skynet.harbor_watch"

---A list of waiters is looked through for dead ones when it has grown to this length.
local PRUNE_FIRST <const> = 16

---@class datacenter.waiter
---@field response fun(ok: boolean|"TEST", ...): boolean
---@field node integer?  harbor id, of another node

local root = {}
local awaited = { children = {} }

---The value at a path. A string on the way has nothing below it, as little as a missing level.
---@param keys table  as from table.pack
---@return any
local function lookup(keys)
	local node = root
	for i = 1, keys.n do
		local kind = type(node)
		if kind == "table" then
			node = node[keys[i]]
		elseif kind == "nil" or kind == "string" then
			return nil
		else
			error(("cannot read below the %s at key %d"):format(kind, i - 1))
		end
	end
	return node
end

---@param key any
---@param position integer
local function check_key(key, position)
	if key == nil or key ~= key then
		error(("key %d cannot be %s"):format(position, tostring(key)))
	end
end

---Answer everybody who waits at or below `node`, where `value` has been stored.
---Returns true when nobody is left there.
---@param node table  of the tree of waiters
---@param value any
---@return boolean empty
local function wake(node, value)
	if value == nil then
		return false
	end
	if node.waiters then
		for _, waiter in ipairs(node.waiters) do
			waiter.response(true, value)
		end
		return true
	end
	if type(value) == "table" then
		for key, child in pairs(node.children) do
			if wake(child, value[key]) then
				node.children[key] = nil
			end
		end
	end
	return next(node.children) == nil
end

---@param node table
local function fail(node)
	for _, waiter in ipairs(node.waiters) do
		waiter.response(false)
	end
end

---Tell those who wait about a value that was stored at a path. Who waits above it can never be
---answered. Returns true when nobody is left at `node` or below.
---@param node table
---@param keys table  the path
---@param depth integer  the key that leads on from `node`
---@param count integer  length of the path
---@param value any
---@return boolean empty
local function announce(node, keys, depth, count, value)
	if depth > count then
		return wake(node, value)
	end
	if node.waiters then
		fail(node)
		return true
	end
	local child = node.children[keys[depth]]
	if child and announce(child, keys, depth + 1, count, value) then
		node.children[keys[depth]] = nil
	end
	return next(node.children) == nil
end

---Forget those at or below `node` who cannot be answered any more: their service is gone, or they
---are on node number `lost`. Returns true when nobody is left.
---@param node table
---@param lost integer?
---@return boolean empty
local function forget_dead(node, lost)
	if node.waiters then
		for i = #node.waiters, 1, -1 do
			local waiter = node.waiters[i]
			if waiter.node and waiter.node == lost or not waiter.response "TEST" then
				table.remove(node.waiters, i)
			end
		end
		return #node.waiters == 0
	end
	for key, child in pairs(node.children) do
		if forget_dead(child, lost) then
			node.children[key] = nil
		end
	end
	return next(node.children) == nil
end

---@param id integer  harbor id of a lost node
local function forget_node(id)
	forget_dead(awaited, id)
end

---@param node table  a leaf of the tree of waiters
local function add_waiter(node)
	local waiters = node.waiters
	if #waiters >= (node.prune_at or PRUNE_FIRST) then
		forget_dead(node)
		node.prune_at = math.max(PRUNE_FIRST, 2 * #waiters)
	end
	local _, source = skynet.context()
	local id, remote = skynet.harbor(source)
	table.insert(waiters, { response = skynet.response(), node = remote and id or nil })
	harbor_watch.node_of(source, forget_node)
end

---Note that the current request waits for a path.
---@param keys table
local function enlist(keys)
	for i = 1, keys.n do
		check_key(keys[i], i)
	end
	local node = awaited
	for i = 1, keys.n do
		if node.waiters then
			error "somebody waits for a path above this one"
		end
		local children, key = node.children, keys[i]
		node = children[key]
		-- an end where we pass, or a branch where we end, matters only while somebody alive is there
		if node and (node.waiters ~= nil) ~= (i == keys.n) and forget_dead(node) then
			node = nil
		end
		if not node then
			node = i < keys.n and { children = {} } or { waiters = {} }
			children[key] = node
		end
	end
	if not node.waiters then
		error "somebody waits for a path below this one"
	end
	add_waiter(node)
end

---@alias datacenter.command "QUERY"|"UPDATE"|"WAIT"
---@type table<datacenter.command, fun(...): ...>
local command = {}

---k1 ... kn: the value there. No value at all (rather than nil) when k1 is missing.
function command.QUERY(...)
	local keys = table.pack(...)
	if keys.n == 0 or root[keys[1]] == nil then
		return
	end
	return lookup(keys)
end

---k1 ... kn value: stores it and answers the previous one, or no value when there was none.
function command.UPDATE(...)
	local keys = table.pack(...)
	local count = keys.n - 1
	if count < 1 then
		error "a path and a value are needed"
	end
	local node = root
	for i = 1, count do
		check_key(keys[i], i)
		if i > 1 then
			local child = node[keys[i - 1]]
			if child == nil then
				child = {}
				node[keys[i - 1]] = child
			elseif type(child) ~= "table" then
				error(("cannot store below the %s at key %d"):format(type(child), i - 1))
			end
			node = child
		end
	end
	local last, value = keys[count], keys[keys.n]
	local previous = node[last]
	node[last] = value
	announce(awaited, keys, 1, count, value)
	if previous ~= nil then
		return previous
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		if name == "WAIT" then
			local keys = table.pack(...)
			if keys.n == 0 then
				error "a path is needed"
			end
			local value = lookup(keys)
			if value == nil then
				enlist(keys)
			else
				skynet.retpack(value)
			end
			return
		end
		local f = command[name]
		if not f then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		skynet.retpack(f(...))
	end)
end)
