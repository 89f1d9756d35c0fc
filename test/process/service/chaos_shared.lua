---What nodes of a chaos test share, used all the time: a channel of node 1 and one of node 2, a
---topic, the datacenter, a global name for each node and one for any node, a name of the cluster;
---and what operators do meanwhile. Each use is checked; what is lost is not counted, since faults
---lose things. Arguments: how often this node has been started.
local skynet = require "skynet"
require "skynet.manager"
local harbor = require "skynet.harbor"
local cluster = require "skynet.cluster"
local datacenter = require "skynet.datacenter"
local multicast = require "skynet.multicast"

local CHANNELS <const> = { 0x70000001, 0x70000002 }
local TOPIC <const> = "chaos"
local PAUSE_CS <const> = 10
local SLOW_CS <const> = 100
local CALL_CS <const> = 1000
local ROVER <const> = "ROVER" -- belongs to one node, and to another when that has ended
local PASSING <const> = "passing" -- a name of the cluster that comes and goes
local id <const> = tonumber(skynet.getenv "harbor")
local start <const> = tonumber((...))
local key <const> = ("%d.%d"):format(id, start)

local running, pending, faults = false, 0, 0
---Numbers of values of the datacenter that this node waits for.
---@type table<integer, boolean>
local waits = {}
---The last value of which the datacenter has confirmed that it is stored.
local stored = 0
---Channels and topics, by name.
---@type table<string, table>
local outlets = {}
---Outlet and publisher to the last number, and to how many came.
---@type table<string, integer>
local last, heard = {}, {}
---@type table<integer, boolean>
local linked = {}

local function fault(text, ...)
	faults = faults + 1
	skynet.error(("shared: " .. text):format(...))
end

---What a call to another node may end with, when that node or the way there has a fault. A node
---without descriptors finds no modules.
local EXPECTED <const> = { dead_node = true, timeout = true, dead_service = true }
local EXPECTED_TEXTS <const> = { "cannot be reached", "has no multicast service",
	"no node has the name", "nobody has registered the name", "module '.-' not found" }

local function is_expected(err)
	for _, pattern in ipairs(EXPECTED_TEXTS) do
		if tostring(err):find(pattern) then
			return true
		end
	end
	return EXPECTED[skynet.error_kind(err) or ""]
end

---@async
local function try(what, func, ...)
	pending = pending + 1
	local result = table.pack(pcall(func, ...))
	pending = pending - 1
	if not result[1] and not is_expected(result[2]) then
		fault("%s: %s", what, result[2])
	end
	return table.unpack(result, 1, result.n)
end

---A handler that checks what comes of an outlet: for each publisher in order, none twice.
local function hear(name)
	return function(_, _, publisher, number, text)
		local from = name .. " " .. publisher
		if number <= (last[from] or 0) then
			fault("%s brings %d after %d", from, number, last[from])
		end
		if text ~= publisher:rep(number % 50) then
			fault("%s brings a changed %d", from, number)
		end
		last[from] = math.max(number, last[from] or 0)
		heard[from] = (heard[from] or 0) + 1
	end
end

---@async
local function publish(name, publisher, number)
	return try(name, outlets[name].publish, outlets[name], publisher, number,
		publisher:rep(number % 50))
end

---Until the node is reached, or never.
---@async
local function subscribe(name)
	while not try(name, outlets[name].subscribe, outlets[name]) do
		skynet.sleep(PAUSE_CS)
	end
end

---A later read must not find less than what was stored with success; nothing, if the store is new.
---@async
local function use_datacenter(number)
	if try("set", datacenter.set, "chaos", key, number) then
		stored = number
	end
	local before = stored
	local ok, value = try("get", datacenter.get, "chaos", key)
	if ok and value and (value < before or value > number) then
		fault("the datacenter has %s, %d was stored", value, before)
	end
end

---@async
local function wait_for_value(number)
	waits[number] = true
	local ok, value = try("wait", datacenter.wait, "wait", key, number)
	waits[number] = nil
	if ok and value ~= key .. number then
		fault("waited for %s, got %s", number, value)
	end
end

---@async
local function store_value(number)
	try("set", datacenter.set, "wait", key, number, key .. number)
	try("delete", datacenter.set, "wait", key, number, nil)
end

---@async
local function ask_by_name(name, expected)
	local ok, answer = try("who", skynet.call_timeout, CALL_CS, name, "lua", "who")
	if ok and answer ~= expected then
		fault("%s is %s", name, answer)
	end
end

---The first node that asks for nothing takes the name.
---@async
local function rove()
	local ok, answer = try("rove", skynet.call_timeout, CALL_CS, ROVER, "lua", "who")
	if not ok then
		skynet.send(".cslave", "lua", "REGISTER", ROVER, skynet.self())
	elseif math.type(answer) ~= "integer" then
		fault("%s is %s", ROVER, answer)
	end
end

---Names that come and go must not disturb others. This node itself has it.
---@async
local function pass_by()
	try("register", cluster.register, PASSING)
	try("query", cluster.query, nil, PASSING)
	try("unregister", cluster.unregister, PASSING)
end

---What operators ask for.
---@async
local function inspect()
	try("links", skynet.call, ".clusterd", "lua", "links")
	try("stat", skynet.call, ".launcher", "lua", "STAT", CALL_CS)
	if pcall(cluster.open, "n" .. id) then
		fault "the address can be opened twice"
	end
end

---@async
local function watch(other)
	while true do
		linked[other] = false
		harbor.connect(other)
		linked[other] = true
		harbor.link(other)
	end
end

---@async
local function repeatedly(func, pause)
	local number = 0
	while true do
		if running then
			number = number + 1
			func(number)
		end
		skynet.sleep(pause or PAUSE_CS)
	end
end

local command = {}

function command.who()
	return id
end

---Who has the name that moves.
---@async
function command.rover()
	local ok, answer = try("rover", skynet.call_timeout, CALL_CS, ROVER, "lua", "who")
	return ok and answer or 0
end

function command.run(on)
	running = on
end

---How many calls wait. Values of the datacenter that could not be stored are stored now.
---@async
function command.pending()
	for number in pairs(waits) do
		store_value(number)
	end
	return pending
end

function command.faults()
	return faults
end

---True when all others are linked.
function command.linked()
	for _, there in pairs(linked) do
		if not there then
			return false
		end
	end
	return true
end

---Publishes a few times in each outlet as `publisher`.
---@async
function command.publish(publisher, count)
	for name in pairs(outlets) do
		for number = 1, count do
			if not publish(name, publisher, number) then
				return false
			end
		end
	end
	return true
end

---True when each outlet brought what these published: each message once.
function command.heard(publishers, count)
	for name in pairs(outlets) do
		for _, publisher in ipairs(publishers) do
			local from = name .. " " .. publisher
			if heard[from] ~= count or last[from] ~= count then
				return ("%s brought %s, the last %s"):format(from, heard[from], last[from])
			end
		end
	end
	return true
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		skynet.retpack(command[name](...))
	end)
	skynet.register ".shared"
	harbor.globalname("SHARED" .. id)
	for i, number in ipairs(CHANNELS) do
		local name = "channel" .. i
		outlets[name] = multicast.new { channel = number, dispatch = hear(name) }
		skynet.fork(subscribe, name)
	end
	outlets.topic = multicast.topic(TOPIC, { dispatch = hear "topic" })
	skynet.fork(subscribe, "topic")
	for name in pairs(outlets) do
		skynet.fork(repeatedly, function(number)
			publish(name, key, number)
		end)
	end
	skynet.fork(repeatedly, use_datacenter)
	skynet.fork(repeatedly, rove, SLOW_CS)
	skynet.fork(repeatedly, pass_by)
	skynet.fork(repeatedly, inspect, SLOW_CS)
	skynet.fork(repeatedly, function(number)
		skynet.fork(wait_for_value, number)
		skynet.sleep(PAUSE_CS)
		store_value(number)
	end)
	for other in skynet.getenv("chaos_others"):gmatch "%d+" do
		other = math.tointeger(other)
		skynet.fork(watch, other)
		skynet.fork(repeatedly, function()
			ask_by_name("SHARED" .. other, other)
		end)
	end
end)
