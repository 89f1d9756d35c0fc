---The membership of this node in its harbor network: the connection to the master, kept up for as
---long as the node lives. For the service cslave.
---@class skynet.harbor_membership
local membership = {}

local crypt = require "skynet.crypt"
local skynet = require "skynet"
local socket = require "skynet.socket"
local control = require "skynet.harbor_control"

local JOIN_CS <const> = 1000
local REACH_CS <const> = 500
---So many, however long one has taken: this process may have been asleep.
local DIALS_MIN <const> = 3
local INCARNATION_MAX <const> = 0x7fffffffffff

---@class skynet.harbor_membership.settings
---@field id integer  harbor id of this node
---@field address string  where it listens
---@field master string  where the master is

---@type skynet.harbor_membership.settings
local settings
---Tells a process from a later one under the same id. Not from math.random: Lua takes its seed from
---clock and addresses, which two processes that start in the same second may have in common.
local incarnation = string.unpack("<I8", crypt.randomkey()) & INCARNATION_MAX | 1

---The connection; nil while there is none.
---@type integer?
local fd
---Whether the master understands our extensions.
local ours = false
local heard = 0
---Responses owed when the connection breaks.
---@type function[]
local waiters = {}
local stopping = false

---What the end of an attempt to join means.
---@param letter string?
---@param value any
---@param demands string|false|nil
---@return string
local function why_not(letter, value, demands)
	local master = ("the master at '%s'"):format(settings.master)
	if letter == "E" and type(value) == "string" then
		-- it is shown: nothing in it may look like another line, or steer a terminal
		return ("%s refuses this node: %s"):format(master, (value:gsub("%c", "?")))
	elseif demands then
		return ("cannot join %s: %s"):format(master, demands)
	elseif value == "timeout" and not letter then
		return master .. " does not answer"
	elseif letter or value == control.EMPTY or value == control.GARBAGE then
		return master .. " does not answer as a master does: is another program there?"
	end
	return ("%s has closed the connection: harbor id %d may be taken"):format(master, settings.id)
end

---Say H and wait for W. Raises when the master refuses.
---@async
---@param new_fd integer
---@return integer dialers  nodes that are going to dial this one
---@return table? extension  of the master
local function say_hello(new_fd)
	socket.timeout(new_fd, JOIN_CS)
	control.write(new_fd, "H", settings.id, settings.address, { incarnation = incarnation })
	local letter, value, extension = control.read(new_fd)
	local demands = not letter and value == control.EMPTY and control.demands(new_fd)
	socket.timeout(new_fd)
	if letter == "W" and math.type(value) == "integer" then
		fd = new_fd
		ours = control.extension(extension) ~= nil
		heard = skynet.now()
		return value, control.extension(extension)
	end
	error(why_not(letter, value, demands), 0)
end

---Connect to the master, which may be starting just now; raises when it cannot be reached.
---@async
---@param how skynet.harbor_membership.settings
---@return integer fd
function membership.reach(how)
	settings = how
	local deadline = skynet.now() + REACH_CS
	local failures = 0
	while true do
		local new_fd, err, hopeless = control.dial(how.master)
		if new_fd then
			return new_fd
		end
		failures = failures + 1
		if hopeless or skynet.now() >= deadline and failures >= DIALS_MIN then
			error(("cannot connect to the master at '%s': %s"):format(how.master, err), 0)
		end
		skynet.sleep(control.backoff(failures))
	end
end

---Join by a connection that `reach` has made; raises when the master refuses.
---@async
---@type fun(fd: integer): integer, table?
membership.join = say_hello

---Send to the master.
---@param letter string
---@param ... any
---@return boolean sent
function membership.tell(letter, ...)
	return fd ~= nil and control.write(fd, letter, ...)
end

---Whether there is a master now.
---@return boolean
function membership.is_joined()
	return fd ~= nil
end

---@async
---@param on table<string, fun(...)>  letter to handler
local function read_all(on)
	local reading = fd
	while reading and fd == reading do
		local message = table.pack(control.read(reading))
		if not message[1] then
			return
		end
		heard = skynet.now()
		local handler = on[message[1]]
		if handler then
			local ok, err = pcall(handler, table.unpack(message, 2, message.n))
			if not ok then
				skynet.error(err)
			end
		end
	end
end

---There is no connection any more. Who reads from it goes on at once; nobody waits until the system
---is done with it.
local function hang_up()
	skynet.fork(socket.close, fd)
	fd = nil
end

local function lose()
	skynet.error "the link to the master is lost"
	if fd then
		hang_up()
	end
	local waiting = waiters
	waiters = {}
	for _, response in ipairs(waiting) do
		response(true)
	end
end

---Join again, as often as it takes.
---@async
local function rejoin()
	local failures = 0
	while not stopping do
		skynet.sleep(control.backoff(failures))
		local new_fd = control.dial(settings.master)
		if new_fd then
			local ok, err = pcall(say_hello, new_fd)
			if ok then
				skynet.error "joined the master again"
				return
			end
			skynet.error("cannot join again: " .. err)
			socket.close(new_fd)
		end
		failures = failures + 1
	end
end

---Answer what the master says, until this node leaves.
---@async
---@param on table<string, fun(...)>  letter to handler
---@param joined fun()  called each time that a master, which may know nothing, is there again
function membership.follow(on, joined)
	while true do
		read_all(on)
		if stopping then
			return
		end
		lose()
		rejoin()
		if stopping then
			return
		end
		joined()
	end
end

---Send heartbeats, and end the connection to a master that has fallen silent.
function membership.watch()
	local interval = control.beat_interval()
	control.every(interval, function(slept)
		if stopping then
			return false
		elseif not (fd and ours) then
			return
		elseif slept then
			heard = skynet.now()
		elseif skynet.now() - heard > interval * control.BEATS_MISSED then
			skynet.error "the master is silent"
			socket.shutdown(fd)
			hang_up()
			return
		end
		membership.tell "P"
	end)
end

---Leave in order: the master sees the end of the connection.
function membership.leave()
	stopping = true
	if fd then
		socket.close(fd)
	end
end

---Requests.
---@type table<"LINKMASTER", fun()>
membership.command = {}

---Answers when the link to the master breaks, at once when it is broken.
function membership.command.LINKMASTER()
	if fd then
		table.insert(waiters, skynet.response())
	else
		skynet.ret()
	end
end

return membership
