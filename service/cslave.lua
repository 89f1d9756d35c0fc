---The member of a harbor network on this node: joins at the master, makes the links to the other
---nodes, and keeps the global names. No arguments. Local name: .cslave.
---
---A peer is `open` while the harbor service has a socket for it, and `linked` from the making of
---the link until it breaks or the master says that the node is gone. Whoever has been told an
---address by the master dials; nodes of ours are dialed again when a link breaks.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local control = require "skynet.harbor_control"

local JOIN_CS <const> = 1000
local DIAL_CS <const> = 500
local BACKOFF_MIN_CS <const> = 10
local BACKOFF_MAX_CS <const> = 500
local FOREIGN_DIALS <const> = 5
---So many, however long one has taken: this process may have been asleep.
local DIALS_MIN <const> = 3
local INCARNATION_MAX <const> = 0x7fffffffffff

---@class cslave.peer
---@field id integer
---@field address string?  where to dial; nil when this end does not
---@field incarnation integer?
---@field ours boolean?  it understands our extensions
---@field open boolean?
---@field linked boolean?
---@field dialing boolean?
---@field links function[]  responses owed when the link breaks
---@field connects function[]  responses owed when the link is made

local own_id, own_address, incarnation
---@type integer
local harbor_service
---@type table<integer, cslave.peer>
local peers = {}
---@type table<string, integer>
local names = {}
---@type table<string, function[]>
local queries = {}

---Connection to the master.
local master = { fd = nil, ours = false, heard = 0, waiters = {} }
local listener
local stopping = false
---Called when something changes while the node joins.
local joining

skynet.register_protocol {
	name = "harbor",
	id = skynet.PTYPE_HARBOR,
	pack = function(text)
		return text
	end,
}

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}

---@param format string
---@param ... any
local function log(format, ...)
	skynet.error(format:format(...))
end

---@param list function[]
---@param ... any
local function answer_all(list, ...)
	for i = #list, 1, -1 do
		local response = table.remove(list, i)
		response(true, ...)
	end
end

---@param id integer
---@return cslave.peer
local function peer_of(id)
	local peer = peers[id]
	if not peer then
		peer = { id = id, links = {}, connects = {} }
		peers[id] = peer
	end
	return peer
end

-- ---- names ----

local function tell_harbor_name(name)
	skynet.redirect(harbor_service, names[name], "harbor", 0, "N " .. name)
end

local function learn(name, handle)
	names[name] = handle
	local waiting = queries[name]
	queries[name] = nil
	if waiting then
		answer_all(waiting, handle)
	end
	tell_harbor_name(name)
end

local function forget_names_of(id)
	for name, handle in pairs(names) do
		if control.harbor_of(handle) == id then
			names[name] = nil
		end
	end
end

---@return boolean sent
local function tell_master(...)
	return master.fd ~= nil and control.write(master.fd, ...)
end

-- ---- links ----

---@param peer cslave.peer
local function set_linked(peer, linked)
	if linked == (peer.linked or false) then
		return
	end
	peer.linked = linked
	answer_all(linked and peer.connects or peer.links)
	if joining then
		joining()
	end
end

---@param peer cslave.peer
---@param fd integer
---@param how "S"|"A"
local function hand_over(peer, fd, how)
	socket.abandon(fd)
	peer.open = true
	skynet.send(harbor_service, "harbor", ("%s %d %d%s"):format(how, fd, peer.id,
		how == "S" and peer.ours and " beat" or ""))
	set_linked(peer, true)
end

---@param step integer
---@return integer centiseconds
local function backoff(step)
	local most = math.min(BACKOFF_MIN_CS << math.min(step, 10), BACKOFF_MAX_CS)
	return math.random(most // 2, most)
end

---Dial until there is a link, or no more reason to.
---@async
---@param peer cslave.peer
local function dial(peer)
	if peer.dialing then
		return
	end
	peer.dialing = true
	local step = 0
	while peer.address and not peer.open and not stopping do
		local ok, fd, err = pcall(socket.open, peer.address, nil, DIAL_CS)
		if ok and fd and (peer.open or not peer.address) then
			socket.close(fd)
		elseif ok and fd then
			hand_over(peer, fd, "S")
		else
			log("cannot connect to harbor %d at %s: %s", peer.id, peer.address,
				ok and err or fd)
			step = step + 1
			if not peer.ours and step >= FOREIGN_DIALS then
				peer.address = nil
			else
				skynet.sleep(backoff(step))
			end
		end
	end
	peer.dialing = nil
end

---The harbor service has closed the socket of a peer.
---@param peer cslave.peer
local function link_lost(peer)
	peer.open = nil
	set_linked(peer, false)
	if peer.address and (peer.ours or peer.renewed) and not stopping then
		peer.renewed = nil
		skynet.fork(function()
			skynet.sleep(backoff(0))
			dial(peer)
		end)
	end
end

---Somebody has connected to this node.
---@async
---@param fd integer
---@param from string
local function accept(fd, from)
	if not socket.start(fd) then
		return
	end
	socket.timeout(fd, DIAL_CS)
	local byte = socket.read(fd, 1)
	local id = byte and byte:byte()
	local peer = control.is_id(id) and id ~= own_id and peer_of(id)
	if not peer or peer.open then
		if byte then
			log("refused a connection of harbor %d from %s", id, from)
		end
		socket.close(fd)
		return
	end
	log("harbor %d has connected from %s", id, from)
	hand_over(peer, fd, "A")
end

-- ---- from the master ----

---@type table<string, fun(...)>
local on = {}

function on.C(id, address, extension)
	if not control.is_id(id) or id == own_id or type(address) ~= "string" then
		log "ignored an invalid C message of the master"
		return
	end
	extension = control.extension(extension)
	local peer = peer_of(id)
	local new = extension and extension.incarnation
	local same = new and (peer.incarnation == nil or peer.incarnation == new)
	peer.address, peer.incarnation, peer.ours = address, new, extension ~= nil
	if not peer.open then
		skynet.fork(dial, peer)
	elseif same then
		set_linked(peer, true)
	else
		-- another process under the old id: the new link follows the end of the old one
		peer.renewed = true
		skynet.send(harbor_service, "harbor", "C " .. id)
	end
end

function on.N(name, handle)
	if control.is_name(name) and control.is_handle(handle) then
		learn(name, handle)
	else
		log "ignored an invalid name from the master"
	end
end

function on.D(id)
	if not control.is_id(id) or id == own_id then
		return
	end
	log("harbor %d is gone", id)
	local peer = peer_of(id)
	peer.address = nil
	forget_names_of(id)
	set_linked(peer, false)
	if joining then
		joining(true)
	end
end

function on.P()
	-- being heard is all
end

local function master_lost()
	if master.fd then
		socket.close(master.fd)
		master.fd = nil
	end
	answer_all(master.waiters)
end

---@async
local function read_master()
	local fd = master.fd
	while master.fd == fd do
		local message = table.pack(control.read(fd))
		if not message[1] then
			return
		end
		master.heard = skynet.now()
		local handler = on[message[1]]
		if handler then
			local ok, err = pcall(handler, table.unpack(message, 2, message.n))
			if not ok then
				skynet.error(err)
			end
		end
	end
end

---Say H and wait for W. Raises when the master cannot be reached or refuses.
---@async
---@param fd integer
---@return integer dialers
local function say_hello(fd)
	socket.timeout(fd, JOIN_CS)
	control.write(fd, "H", own_id, own_address, { incarnation = incarnation })
	local letter, value, extension = control.read(fd)
	socket.timeout(fd)
	if letter == "W" and math.type(value) == "integer" then
		master.ours = control.extension(extension) ~= nil
		master.heard = skynet.now()
		return value
	elseif letter == "E" then
		error(("the master refuses: %s"):format(tostring(value)), 0)
	end
	error(("the master refuses harbor id %d: it may be taken"):format(own_id), 0)
end

---@async
---@param address string
---@return integer? fd
---@return string? err
local function connect_master(address)
	local ok, fd, err = pcall(socket.open, address, nil, DIAL_CS)
	if not ok then
		return nil, tostring(fd)
	end
	return fd, err
end

---Join again, as often as it takes, and tell a master that may have forgotten everything.
---@async
local function rejoin()
	local step = 0
	while not stopping do
		skynet.sleep(backoff(step))
		local fd = connect_master(skynet.getenv "master")
		if fd then
			local ok, err = pcall(say_hello, fd)
			if ok then
				master.fd = fd
				log "joined the master again"
				return
			end
			log("cannot join again: %s", err)
			socket.close(fd)
		end
		step = step + 1
	end
end

local function tell_names()
	for name, handle in pairs(names) do
		if control.harbor_of(handle) == own_id then
			tell_master("R", name, handle)
		end
	end
	for name in pairs(queries) do
		tell_master("Q", name)
	end
end

---@async
local function follow_master()
	while not stopping do
		read_master()
		if stopping then
			return
		end
		log "the link to the master is lost"
		master_lost()
		rejoin()
		if master.fd then
			tell_names()
		end
	end
end

local function watch_master()
	local interval = control.beat_interval()
	control.every(interval, function(slept)
		if stopping then
			return false
		elseif not (master.fd and master.ours) then
			return
		elseif slept then
			master.heard = skynet.now()
		elseif skynet.now() - master.heard > interval * control.BEATS_MISSED then
			log "the master is silent"
			socket.shutdown(master.fd)
			return
		end
		tell_master "P"
	end)
end

-- ---- from services of this node ----

---@alias cslave.command "REGISTER"|"QUERYNAME"|"LINK"|"CONNECT"|"LINKMASTER"
---@type table<cslave.command, fun(...)>
local command = {}

---name handle: raises when the name is taken.
function command.REGISTER(name, handle)
	if not control.is_name(name) then
		error "a global name is a string of 1 to 15 bytes"
	end
	handle = math.tointeger(handle)
	if not control.is_handle(handle) then
		error(("'%s' needs the handle of a service"):format(name))
	end
	if names[name] then
		error(("global name '%s' is taken by %s"):format(name, skynet.address(names[name])))
	end
	learn(name, handle)
	tell_master("R", name, handle)
	skynet.ret()
end

---name: its handle; waits until there is one. `.name` is answered at once.
function command.QUERYNAME(name)
	if type(name) ~= "string" then
		error "a name is a string"
	end
	if name:byte() == 46 then
		local handle = skynet.localname(name)
		if handle then
			skynet.retpack(handle)
		else
			skynet.ret()
		end
	elseif names[name] then
		skynet.retpack(names[name])
	elseif not control.is_name(name) then
		error "a global name is a string of 1 to 15 bytes"
	else
		local first = not queries[name]
		queries[name] = queries[name] or {}
		table.insert(queries[name], skynet.response())
		if first then
			tell_master("Q", name)
		end
	end
end

---id: answers when the link breaks, at once when there is none.
function command.LINK(id)
	local peer = peers[id]
	if peer and peer.linked then
		table.insert(peer.links, skynet.response())
	else
		skynet.ret()
	end
end

---id: answers when there is a link.
function command.CONNECT(id)
	if not control.is_id(id) or id == own_id then
		error(("harbor %s cannot be connected"):format(tostring(id)))
	end
	local peer = peer_of(id)
	if peer.linked then
		skynet.ret()
	else
		table.insert(peer.connects, skynet.response())
	end
end

---Answers when the link to the master breaks, at once when it is broken.
function command.LINKMASTER()
	if master.fd then
		table.insert(master.waiters, skynet.response())
	else
		skynet.ret()
	end
end

---What the harbor service says; others have no say in links.
---@param source integer
---@param text string
local function on_text(_, source, text)
	if source ~= harbor_service then
		return
	end
	local what, value = text:match "^(%u) (.+)$"
	if what == "D" then
		link_lost(peer_of(math.tointeger(tonumber(value))))
	elseif what == "Q" and names[value] then
		tell_harbor_name(value)
	elseif what == "Q" then
		tell_master("Q", value)
	end
end

-- ---- start and stop ----

---Wait until the `count` nodes that have been told to dial this one have done so. Those that leave
---meanwhile do not count.
---@async
---@param count integer
local function await_dialers(count)
	local waiter = coroutine.running()
	local done = false
	local function enough()
		local linked = 0
		for _, peer in pairs(peers) do
			linked = linked + (peer.linked and not peer.address and 1 or 0)
		end
		return linked >= count
	end
	joining = function(left)
		count = count - (left and 1 or 0)
		if not done and enough() then
			done = true
			skynet.wakeup(waiter)
		end
	end
	skynet.timeout(JOIN_CS, function()
		if not done then
			done = true
			log("not all of %d nodes have connected in time", count)
			skynet.wakeup(waiter)
		end
	end)
	if not enough() then
		skynet.wait(waiter)
	end
	done = true
	joining = nil
end

---@async
---@param address string
---@return integer fd
local function reach_master(address)
	local deadline = skynet.now() + DIAL_CS
	local step = 0
	while true do
		local fd, err = connect_master(address)
		if fd then
			return fd
		elseif skynet.now() >= deadline and step >= DIALS_MIN then
			error(("cannot connect to the master at '%s': %s"):format(address, err), 0)
		end
		skynet.sleep(backoff(step))
		step = step + 1
	end
end

---@async
local function join()
	own_id = math.tointeger(tonumber(skynet.getenv "harbor"))
	own_address = skynet.getenv "address"
	local master_address = skynet.getenv "master"
	incarnation = math.random(1, INCARNATION_MAX)
	if not own_address or not master_address then
		error("settings 'address' and 'master' are needed when 'harbor' is not 0", 0)
	end
	listener = control.listen(own_address, function(fd, from)
		skynet.fork(accept, fd, from)
	end)
	local fd = reach_master(master_address)
	harbor_service = skynet.launch("harbor", own_id, skynet.self())
	if not harbor_service then
		error("the C service 'harbor' cannot be launched", 0)
	end
	local count = say_hello(fd)
	master.fd = fd
	skynet.fork(follow_master)
	watch_master()
	if count > 0 then
		await_dialers(count)
	end
end

---The node ends in order: nobody connects any more, master and peers see it leave.
local function leave()
	stopping = true
	if listener then
		socket.close(listener)
	end
	if master.fd then
		socket.close(master.fd)
	end
	for id, peer in pairs(peers) do
		if peer.open then
			skynet.send(harbor_service, "harbor", "C " .. id)
		end
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local handler = command[name]
		if not handler then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		handler(...)
	end)
	skynet.dispatch("text", on_text)
	join()
	skynet.on_stop(leave)
end)
