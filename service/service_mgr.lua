---Unique services: one per name on this node, or (`@name`) one per name in the harbor network.
---No arguments. Local name: .service; on the node with the master also the global name SERVICE.
---
---A name is queried (somebody waits for it), launching, ready or failed. A launch that failed stays
---failed: later requests get its error. A service that ends is forgotten, so that the next request
---launches it again. Addresses of services of the network are kept by each node that asked, and are
---forgotten when the service or the link to its node is gone.
local skynet = require "skynet"
require "skynet.manager"
local harbor_watch = require "skynet.harbor_watch"
local report = require "skynet.service_report"

local SNAX <const> = "snaxd"
local GLOBAL <const> = "@"
local NETWORK_MANAGER <const> = "SERVICE"
local LOCAL_MANAGER <const> = ".service"
---How long another service may take to say what it is doing, in centiseconds.
local PATIENCE <const> = 300

---@enum service_mgr.state
local STATE <const> = { QUERIED = 1, LAUNCHING = 2, READY = 3, FAILED = 4 }

---@class service_mgr.entry
---@field state service_mgr.state
---@field address integer?  when ready
---@field error string?  when failed
---@field launcher service_mgr.waiter?  who asked for the launch under way
---@field task thread?  of ours, that launches
---@field asking boolean?  the network has been asked for it
---@field waiters service_mgr.waiter[]

---@class service_mgr.waiter
---@field source integer
---@field session integer
---@field response? fun(ok: boolean|"TEST", ...): boolean

---Key to entry. Keys: `name`, `@name`, `snaxd.name`, `@snaxd.name`.
---@type table<string, service_mgr.entry>
local entries = {}

---Managers of the other nodes, by harbor id; only where the master is.
---@type table<integer, integer>
local managers = {}

---@return service_mgr.waiter
local function this_request()
	local session, source = skynet.context()
	return { session = session, source = source }
end

---@param key string
---@return service_mgr.entry
local function entry_of(key)
	local entry = entries[key]
	if not entry then
		entry = { state = STATE.QUERIED, waiters = {} }
		entries[key] = entry
	end
	return entry
end

---@param entry service_mgr.entry
---@param ... any  address, or nil and an error text
local function answer_waiters(entry, ...)
	local waiters = entry.waiters
	entry.waiters = {}
	for _, waiter in ipairs(waiters) do
		waiter.response(true, ...)
	end
end

---@param key string
---@param entry service_mgr.entry
local function forget(key, entry)
	if entries[key] == entry then
		entries[key] = nil
	end
end

---Forget what lives on a node, and who waits there.
---@param id integer
local function forget_node(id)
	managers[id] = nil
	for key, entry in pairs(entries) do
		if entry.state == STATE.READY and skynet.harbor(entry.address) == id then
			entries[key] = nil
		end
		for i = #entry.waiters, 1, -1 do
			if skynet.harbor(entry.waiters[i].source) == id then
				table.remove(entry.waiters, i)
			end
		end
	end
end

---Forget a service once it is gone: its answer to LINK is the end of its life.
---@async
---@param key string
---@param entry service_mgr.entry
local function watch_service(key, entry)
	local address = entry.address
	pcall(skynet.call_forever, address, "debug", "LINK")
	-- a service that does not know LINK fails the request and lives on
	if not pcall(skynet.call, address, "debug", "PING") then
		forget(key, entry)
	end
end

---@param key string
---@param entry service_mgr.entry
---@param address integer
local function ready(key, entry, address)
	entry.state, entry.address = STATE.READY, address
	skynet.fork(watch_service, key, entry)
	harbor_watch.node_of(address, forget_node)
end

---@async
---@param name string
---@return integer? address
local function start_service(name, ...)
	if name == SNAX then
		return require("skynet.snax").rawnewservice(...)
	end
	return skynet.newservice(name, ...)
end

---Launch what `key` stands for by calling `start`, for the current request and all that wait.
---@async
---@param key string
---@param here boolean  launched, and a failure remembered, by this node rather than by the network
---@param start fun(...): integer?, string?
---@return integer? address
---@return string? err
local function launch(key, here, start, ...)
	local entry = entry_of(key)
	entry.state = STATE.LAUNCHING
	entry.launcher = this_request()
	entry.task = here and coroutine.running() or nil
	local ok, address, err = pcall(start, ...)
	entry.launcher, entry.task = nil, nil
	if ok and address then
		ready(key, entry, address)
		answer_waiters(entry, address)
		return address
	end
	err = ok and (err or "the service left during its start") or tostring(address)
	if here then
		entry.state, entry.error = STATE.FAILED, err
	else
		forget(key, entry)
	end
	answer_waiters(entry, nil, err)
	return nil, err
end

---@async
---@param address integer
---@return boolean
local function alive(address)
	local _, remote = skynet.harbor(address)
	-- a local send fails at once when the service is gone, also when it could not say goodbye
	return remote or skynet.send(address, "debug", "PING") ~= nil
end

---Forget a service that was killed: it has answered nothing, so whoever waits for it is told.
---@param key string
---@param entry service_mgr.entry
local function bury(key, entry)
	forget(key, entry)
	skynet.term(entry.address)
end

---Answer from what is known about `key`, put the request on its list, or launch.
---@async
---@param key string
---@param start? fun(key: string, ...): integer?, string?  nil: only ask
---@param ... any  for the launch
local function obtain(key, start, ...)
	local entry = entry_of(key)
	if entry.state == STATE.READY and not alive(entry.address) then
		bury(key, entry)
		entry = entry_of(key)
	end
	if entry.state == STATE.READY then
		skynet.retpack(entry.address)
	elseif entry.state == STATE.FAILED then
		skynet.retpack(nil, entry.error)
	elseif entry.state == STATE.LAUNCHING or not start then
		local waiter = this_request()
		harbor_watch.node_of(waiter.source, forget_node)
		waiter.response = skynet.response()
		table.insert(entry.waiters, waiter)
	else
		start(key, ...)
	end
end

---@param name string
---@param sub string?
---@return string key
local function key_of(name, sub)
	if type(name) ~= "string" then
		error("the name of a service is a string, not a " .. type(name))
	end
	if name:match "^@?(.*)$" == SNAX then
		return name .. "." .. tostring(sub)
	end
	return name
end

---@async
local function launch_here(key, name, ...)
	skynet.retpack(launch(key, true, start_service, (name:gsub("^@", "")), ...))
end

---@async
local function launch_there(key, name, ...)
	skynet.retpack(launch(key, false, skynet.call_forever, NETWORK_MANAGER, "lua",
		"LAUNCH", GLOBAL .. name, ...))
end

---Wait for the network to know `key`. A launch from this node may be first.
---@async
---@param key string
---@param entry service_mgr.entry
local function ask_network(key, entry, name, ...)
	local ok, address, err = pcall(skynet.call_forever, NETWORK_MANAGER, "lua",
		"QUERY", GLOBAL .. name, ...)
	entry.asking = nil
	if entries[key] ~= entry or entry.state ~= STATE.QUERIED then
		return
	end
	if ok and address then
		ready(key, entry, address)
		answer_waiters(entry, address)
	else
		forget(key, entry)
		answer_waiters(entry, nil, ok and err or tostring(address))
	end
end

---@alias service_mgr.command "LAUNCH"|"QUERY"|"GLAUNCH"|"GQUERY"|"LIST"|"REPORT"
---Handlers answer the request themselves.
---@type table<service_mgr.command, fun(...)>
local command = {}

---name ...: the unique service of this node, launched when it is not there.
function command.LAUNCH(name, ...)
	obtain(key_of(name, ...), launch_here, name, ...)
end

---name [sub]: the same, waiting until somebody launches it.
function command.QUERY(name, ...)
	obtain(key_of(name, ...))
end

---Where one line of LIST comes from: what an other service says about one of its tasks.
---@async
---@param address integer
---@param task integer|string
---@return string
local function trace_of(address, task)
	local request = skynet.request { address, "debug", "TASK", task }
	local text = "no answer"
	for _, answer in request:select(PATIENCE) do
		text = answer and tostring(answer[1]) or text
	end
	return text
end

---@async
---@param waiter service_mgr.waiter
---@return string
local function describe_waiter(waiter)
	return ("%s %s"):format(skynet.address(waiter.source), trace_of(waiter.source, waiter.session))
end

---@async
---@param entry service_mgr.entry
---@return string
local function describe(entry)
	if entry.state == STATE.READY then
		return skynet.address(entry.address)
	elseif entry.state == STATE.FAILED then
		return "Error: " .. entry.error
	end
	local lines = {}
	local launcher, session = entry.launcher, entry.task and skynet.task(entry.task)
	if launcher then
		local started = session and skynet.call(".launcher", "lua", "QUERY", session)
		if started then
			table.insert(lines, "Init as " .. skynet.address(started))
			table.insert(lines, trace_of(started, "init"))
		end
		table.insert(lines, "Launching from " .. skynet.address(launcher.source))
		table.insert(lines, trace_of(launcher.source, launcher.session))
	end
	if #entry.waiters > 0 then
		table.insert(lines, "Querying:")
		for _, waiter in ipairs { table.unpack(entry.waiters) } do
			table.insert(lines, describe_waiter(waiter))
		end
	end
	return table.concat(lines, "\n")
end

---@async
---@return table<string, string>
local function list_here()
	local known, list = {}, {}
	for key, entry in pairs(entries) do
		known[key] = entry
	end
	for key, entry in pairs(known) do
		if entry.state == STATE.READY and not alive(entry.address) then
			bury(key, entry)
		else
			list[key] = describe(entry)
		end
	end
	return list
end

---Key to what is known about it, as text.
function command.LIST()
	local list = list_here()
	local requests, ids = skynet.request(), {}
	for id, address in pairs(managers) do
		local request = { address, "lua", "LIST" }
		ids[request] = id
		requests:add(request)
	end
	if next(managers) then
		for request, answer in requests:select(PATIENCE) do
			for key, text in pairs(answer and answer[1] or {}) do
				list[("%s@%d"):format(key, ids[request])] = text
			end
		end
	end
	skynet.retpack(list)
end

---Be the manager of the network.
local function serve_network()
	function command.GLAUNCH(name, ...)
		return command.LAUNCH(GLOBAL .. name, ...)
	end

	function command.GQUERY(name, ...)
		return command.QUERY(GLOBAL .. name, ...)
	end

	---address: the manager of another node.
	function command.REPORT(address)
		address = math.tointeger(address)
		if not address then
			error "REPORT needs the handle of a service manager"
		end
		local id, remote = skynet.harbor(address)
		if remote then
			managers[id] = address
			harbor_watch.node_of(address, forget_node)
		end
		skynet.retpack(nil)
	end

	skynet.register(NETWORK_MANAGER)
end

---Ask the manager of the network for what is shared, and tell it about this node.
---@async
local function join_network()
	function command.GLAUNCH(name, ...)
		obtain(GLOBAL .. key_of(name, ...), launch_there, name, ...)
	end

	function command.GQUERY(name, ...)
		local key = GLOBAL .. key_of(name, ...)
		obtain(key)
		local entry = entries[key]
		if entry.state == STATE.QUERIED and not entry.asking then
			entry.asking = true
			skynet.fork(ask_network, key, entry, name, ...)
		end
	end

	report.keep(NETWORK_MANAGER)
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local f = command[name]
		if f then
			f(...)
		else
			skynet.retpack(nil, "Invalid command " .. tostring(name))
		end
	end)

	local other = skynet.localname(LOCAL_MANAGER)
	if other then
		skynet.error(LOCAL_MANAGER .. " is already register by ", skynet.address(other))
		skynet.exit()
	end
	skynet.register(LOCAL_MANAGER)

	if skynet.getenv "standalone" then
		serve_network()
	else
		join_network()
	end
end)
