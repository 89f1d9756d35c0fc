---The member of a harbor network on this node: joins at the master, makes the links to the other
---nodes, and keeps the global names. No arguments. Local name: .cslave.
---
---Its parts are libraries: harbor_membership (the master), harbor_links (the other nodes),
---harbor_names (names) and harbor_transport (the C service, which carries the messages).
local skynet = require "skynet"
local socket = require "skynet.socket"
local control = require "skynet.harbor_control"
local links = require "skynet.harbor_links"
local membership = require "skynet.harbor_membership"
local names = require "skynet.harbor_names"
local transport = require "skynet.harbor_transport"

local DIALERS_CS <const> = 1000

local own_id = math.tointeger(tonumber(skynet.getenv "harbor"))
local listener

-- ---- from the master ----

---@type table<string, fun(...)>
local on = {}

function on.C(id, address, extension)
	if control.is_id(id) and id ~= own_id and control.is_address(address) then
		-- a process that nobody has told from the one before has names of its own
		if not links.announced(id, address, control.incarnation(extension)) then
			names.forget_node(id)
		end
	else
		skynet.error "ignored an invalid C message of the master"
	end
end

function on.N(name, handle)
	if control.is_name(name) and control.is_handle(handle) then
		names.learn(name, handle)
	else
		skynet.error "ignored an invalid name from the master"
	end
end

function on.D(id)
	if control.is_id(id) and id ~= own_id then
		skynet.error(("harbor %d is gone"):format(id))
		names.forget_node(id)
		links.gone(id)
	end
end

function on.P()
	-- being heard is all
end

-- ---- from services of this node ----

---@alias cslave.command "REGISTER"|"QUERYNAME"|"LINK"|"CONNECT"|"LINKMASTER"
---@type table<cslave.command, fun(...)>
local command = {
	REGISTER = names.command.REGISTER,
	QUERYNAME = names.command.QUERYNAME,
	LINK = links.command.LINK,
	CONNECT = links.command.CONNECT,
	LINKMASTER = membership.command.LINKMASTER,
}

-- ---- names of nodes that are lost ----

---Harbor ids of nodes of the reference that were lost while there was no master, who could tell
---their names again: what is known of them is kept until there is one. They may be linked again by
---then, as another process. Nodes of ours tell each new master their names.
---@type table<integer, boolean>
local doubtful = {}

---The next process under this id may have other services behind the handles of its names.
---@param id integer
local function lose_names(id)
	if membership.is_joined() or links.is_ours(id) then
		names.forget_node(id)
	else
		doubtful[id] = true
	end
end

---There is a master again. A name may also have come from the old one after the link was lost.
local function rejoined()
	names.forget_others(function(id)
		return id == own_id or links.is_up(id) and not doubtful[id]
	end)
	doubtful = {}
	transport.forget_foreign()
	names.repeat_all(own_id)
end

-- ---- start and stop ----

---A setting that a member cannot do without.
---@param key string
---@return string
local function must_have(key)
	local value = skynet.getenv(key)
	if not value then
		error(("setting '%s' is missing: a node with harbor id %d needs it (harbor = 0: no network)")
			:format(key, own_id), 0)
	end
	return value
end

---@async
local function join()
	local address, master = must_have "address", must_have "master"
	if address:match ":0+$" then
		error(("setting 'address' is '%s': others are told it as it is, so it needs a port")
			:format(address), 0)
	end
	-- before anybody can connect: others may dial a process that was here before
	transport.launch(own_id)
	listener = links.listen(own_id, address, lose_names)
	local fd = membership.reach { id = own_id, address = address, master = master }
	names.connect {
		registered = function(name, handle)
			membership.tell("R", name, handle)
		end,
		asked = function(name)
			membership.tell("Q", name)
		end,
	}
	local count, extension = membership.join(fd)
	links.expect(extension and extension.ours)
	skynet.fork(membership.follow, on, rejoined)
	membership.watch()
	if count > 0 then
		links.await_dialers(count, DIALERS_CS)
	end
end

---The node ends in order: nobody connects any more, master and peers see it leave.
local function leave()
	if listener then
		socket.close(listener)
	end
	membership.leave()
	links.close_all()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local handler = command[name]
		if not handler then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		handler(...)
	end)
	join()
	skynet.on_stop(leave)
end)
