---The master of a harbor network: who its members are and where, and the global names. No
---arguments; listens on the setting `standalone`.
---
---A member is gone when its connection has ended; its id may be taken again then, and its names are
---forgotten. A member of ours that has lost its connection says H again with the same incarnation.
local skynet = require "skynet"
local socket = require "skynet.socket"
local control = require "skynet.harbor_control"

local HELLO_CS <const> = 1000
---As many ids have room in one message.
local OURS_MAX <const> = 200
---So much of a reason has room in one message.
local REASON_MAX <const> = 200

---@class cmaster.member
---@field id integer
---@field address string
---@field fd integer?  nil: gone
---@field incarnation integer?  nil: of the reference
---@field met table<integer, boolean>  ids that it has seen: the reference never dials them again
---@field heard integer

---@type table<integer, cmaster.member>
local members = {}
---@type table<string, integer>
local names = {}

local function broadcast(...)
	for _, member in pairs(members) do
		if member.fd then
			control.write(member.fd, ...)
		end
	end
end

---@param member cmaster.member
local function leave(member)
	member.fd = nil
	skynet.error(("harbor %d has left"):format(member.id))
	for name, handle in pairs(names) do
		if control.harbor_of(handle) == member.id then
			names[name] = nil
		end
	end
	broadcast("D", member.id)
end

---Tell a member of ours that it cannot join, and why.
---@param fd integer
---@param from string
---@param incarnation integer?
---@param reason string
local function refuse(fd, from, incarnation, reason)
	skynet.error(("refused a slave from %s: %s"):format(from, reason))
	if incarnation then
		control.write(fd, "E", reason:sub(1, REASON_MAX))
	end
end

---Take a newcomer in: the others are told to dial it, and it is told how many will.
---@param fd integer
---@param id integer
---@param address string
---@param incarnation integer?
---@return cmaster.member
local function join(fd, id, address, incarnation)
	local member = {
		id = id,
		address = address,
		fd = fd,
		incarnation = incarnation,
		met = {},
		heard = skynet.now(),
	}
	local old = members[id]
	if old and old.fd then
		old.fd = nil
	end
	members[id] = nil
	local extension = incarnation and { incarnation = incarnation }
	local dialers, ours = 0, ""
	for other_id, other in pairs(members) do
		if other.fd then
			control.write(other.fd, "C", id, address, other.incarnation and extension)
			if other.incarnation or not other.met[id] then
				dialers = dialers + 1
			end
			other.met[id] = true
			member.met[other_id] = true
			if other.incarnation and #ours < OURS_MAX then
				ours = ours .. string.char(other_id)
			end
		end
	end
	members[id] = member
	control.write(fd, "W", dialers, extension and { ours = ours })
	skynet.error(("harbor %d has joined (%s)"):format(id, address))
	return member
end

---@async
---@param fd integer
---@param from string
---@return cmaster.member?
local function handshake(fd, from)
	socket.timeout(fd, HELLO_CS)
	local letter, id, address, extension = control.read(fd)
	local demands = not letter and id == control.EMPTY and control.demands(fd)
	if demands then
		refuse(fd, from, nil, demands)
		return nil
	elseif letter ~= "H" or not control.is_id(id) or not control.is_address(address) then
		refuse(fd, from, nil, "its first message is not H with an id and an address")
		return nil
	end
	socket.timeout(fd)
	local incarnation = control.incarnation(extension)
	local old = members[id]
	local same = incarnation and old and old.incarnation == incarnation
	if old and old.fd and not same then
		refuse(fd, from, incarnation, ("harbor id %d is taken by %s"):format(id, old.address))
		return nil
	end
	local old_fd = old and old.fd
	local member = join(fd, id, address, incarnation)
	if old_fd then
		socket.shutdown(old_fd)
	end
	return member
end

---@type table<string, fun(member: cmaster.member, ...)>
local on = {}

function on.R(_, name, handle)
	if not control.is_name(name) or not control.is_handle(handle) then
		skynet.error("ignored the registration of an invalid name or handle")
		return
	end
	-- the first one keeps the name; telling all again corrects who believes otherwise
	names[name] = names[name] or handle
	broadcast("N", name, names[name])
end

function on.Q(member, name)
	local handle = name ~= nil and names[name]
	if handle then
		control.write(member.fd, "N", name, handle)
	end
end

function on.P(member)
	control.write(member.fd, "P")
end

---@async
---@param member cmaster.member
---@param fd integer
local function serve(member, fd)
	while member.fd == fd do
		local message = table.pack(control.read(fd))
		if not message[1] or member.fd ~= fd then
			return
		end
		member.heard = skynet.now()
		local handler = on[message[1]]
		if handler then
			handler(member, table.unpack(message, 2, message.n))
		else
			skynet.error(("harbor %d says %q, which is not known"):format(
				member.id, message[1]))
		end
	end
end

---@async
---@param fd integer
---@param from string
local function accept(fd, from)
	if not socket.start(fd) then
		return
	end
	local ok, member = pcall(handshake, fd, from)
	if ok and member then
		local served, err = pcall(serve, member, fd)
		if not served then
			skynet.error(("harbor %d (%s): %s"):format(member.id, from, err))
		end
	end
	socket.close(fd)
	if ok and member and member.fd == fd then
		leave(member)
	end
end

---End the connections of members of ours that have fallen silent.
local function watch_members()
	local interval = control.beat_interval()
	control.every(interval, function(slept)
		local now = skynet.now()
		for _, member in pairs(members) do
			if slept then
				member.heard = now
			elseif member.fd and member.incarnation and
				now - member.heard > interval * control.BEATS_MISSED then
				skynet.error(("harbor %d is silent"):format(member.id))
				socket.shutdown(member.fd)
			end
		end
	end)
end

skynet.start(function()
	local address = skynet.getenv "standalone"
	control.listen(address, function(fd, from)
		skynet.fork(accept, fd, from)
	end)
	skynet.error("master listens on " .. address)
	watch_members()
end)
