---The global names that a node knows, and who waits for one. For the services cslave and cdummy.
---@class skynet.harbor_names
local names = {}

local skynet = require "skynet"
local control = require "skynet.harbor_control"
local transport = require "skynet.harbor_transport"

local DOT <const> = 46
---So long a message waits for a name.
local WAIT_CS <const> = 1000

---@type table<string, integer>
local handles = {}
---Responses owed to those who asked.
---@type table<string, function[]>
local queries = {}
---Names that messages wait for, and when they were asked for.
---@type table<string, integer>
local wanted = {}

---Called with what the network is to be told; nothing to do on a node without one.
local network = {
	---@param _name string
	---@param _handle integer
	registered = function(_name, _handle) end,
	---@param _name string
	asked = function(_name) end,
}

---@param tell { registered: fun(name: string, handle: integer), asked: fun(name: string) }
function names.connect(tell)
	network = tell
end

---A name has this handle from now on.
---@param name string
---@param handle integer
function names.learn(name, handle)
	handles[name] = handle
	wanted[name] = nil
	transport.name(name, handle)
	local waiting = queries[name]
	queries[name] = nil
	for _, response in ipairs(waiting or {}) do
		response(true, handle)
	end
end

---Forget the names of a node.
---@param id integer  harbor id
function names.forget_node(id)
	for name, handle in pairs(handles) do
		if control.harbor_of(handle) == id then
			handles[name] = nil
		end
	end
end

---Forget the names of all nodes but those for which `is_kept` gives true.
---@param is_kept fun(id: integer): boolean
function names.forget_others(is_kept)
	for name, handle in pairs(handles) do
		if not is_kept(control.harbor_of(handle)) then
			handles[name] = nil
		end
	end
end

---Tell the network again: which names are of node `id`, and what is asked for. What is known is
---asked for too: a name may have gone to another node, and who had it says nothing of it any more.
---@param id integer  harbor id
function names.repeat_all(id)
	for name, handle in pairs(handles) do
		if control.harbor_of(handle) == id then
			network.registered(name, handle)
		end
	end
	for name in pairs(queries) do
		network.asked(name)
	end
	for name, since in pairs(wanted) do
		if skynet.now() - since > WAIT_CS then
			wanted[name] = nil
		elseif not queries[name] then
			network.asked(name)
		end
	end
	for name, handle in pairs(handles) do
		if control.harbor_of(handle) ~= id then
			network.asked(name)
		end
	end
end

transport.on("Q", function(name)
	if handles[name] then
		transport.name(name, handles[name])
	else
		wanted[name] = skynet.now()
		network.asked(name)
	end
end)

---@param name any
local function check_name(name)
	if not control.is_name(name) then
		error(("'%s' is not a global name, a string of 1 to 15 bytes"):format(tostring(name)), 0)
	end
end

---Requests; they raise what their sender has done wrong.
---@type table<"REGISTER"|"QUERYNAME", fun(...)>
names.command = {}

---name handle: raises when the name is taken.
function names.command.REGISTER(name, handle)
	check_name(name)
	handle = math.tointeger(handle)
	if not control.is_handle(handle) then
		error(("'%s' needs the handle of a service"):format(name))
	end
	if handles[name] then
		error(("global name '%s' is taken by %s"):format(name, skynet.address(handles[name])))
	end
	names.learn(name, handle)
	network.registered(name, handle)
	skynet.ret()
end

---name: its handle; waits until there is one, for ever if need be. `.name` is answered at once.
function names.command.QUERYNAME(name)
	if type(name) ~= "string" then
		error "a name is a string"
	end
	if name:byte() == DOT then
		local handle = skynet.localname(name)
		if handle then
			skynet.retpack(handle)
		else
			skynet.ret()
		end
		return
	end
	check_name(name)
	if handles[name] then
		skynet.retpack(handles[name])
	elseif queries[name] then
		table.insert(queries[name], skynet.response())
	else
		queries[name] = { skynet.response() }
		network.asked(name)
	end
end

return names
