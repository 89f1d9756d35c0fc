-- The only member of a harbor network: names, links and what skynet.harbor answers.
-- config: harbor = 1
-- config: standalone = "unix:$TEST_TMP/master"
-- config: master = "unix:$TEST_TMP/master"
-- config: address = "unix:$TEST_TMP/h1"
-- config: harbor_heartbeat = 3600
local skynet = require "skynet"
require "skynet.manager"
local harbor = require "skynet.harbor"
local socket = require "skynet.socket"
local tap = require "tap"

local PEER <const> = 9
local RETURNED <const> = 7
local UNKNOWN <const> = 8
local OURS <const> = 6

---Run `f` in a task; gives a function that tells what it has returned so far.
local function later(f, ...)
	local result
	skynet.fork(function(...)
		result = table.pack(pcall(f, ...))
	end, ...)
	return function()
		return result
	end
end

---Whether the slave has seen the request of `outcome` and has not answered it.
local function is_waiting(outcome)
	skynet.yield()
	harbor.queryname ".launcher"
	skynet.yield()
	return outcome() == nil
end

---Link to this node as another one would; gives the socket.
local function link_as(id)
	local fd = assert(socket.open(skynet.getenv "address"))
	socket.write(fd, string.char(id))
	tap.is(socket.read(fd, 1), "\1", "who connects and says its id hears ours")
	return fd
end

local function test_names()
	local me = skynet.self()
	harbor.globalname("MINE")
	tap.is(harbor.queryname "MINE", me, "globalname names the calling service")
	local peer = skynet.newservice "puppet"
	harbor.globalname("OTHER", peer)
	tap.is(harbor.queryname "OTHER", peer, "or the one that is given")
	tap.is(skynet.call("OTHER", "lua", "echo", 7), 7, "a name can be called")
	harbor.globalname("MINE", peer)
	tap.is(harbor.queryname "MINE", me, "a name that is taken stays with its first owner")
	tap.raises(function()
		skynet.call(".cslave", "lua", "REGISTER", "MINE", peer)
	end, "taken", "a call to register it says so")
	harbor.globalname("FIFTEEN_BYTES__")
	tap.is(harbor.queryname "FIFTEEN_BYTES__", me, "a name may have 15 bytes")
	for _, bad in ipairs { "", "SIXTEEN_BYTES___", 42 } do
		tap.raises(function()
			harbor.queryname(bad)
		end, "name", ("'%s' is no name"):format(bad))
		tap.raises(function()
			skynet.call(".cslave", "lua", "REGISTER", bad, me)
		end, "name", ("'%s' cannot be registered"):format(bad))
	end
	for _, bad in ipairs { 0, -1, 1.5, 1 << 32, "x" } do
		tap.raises(function()
			skynet.call(".cslave", "lua", "REGISTER", "BAD", bad)
		end, "handle", ("'%s' is no handle"):format(bad))
	end
	tap.is(harbor.queryname ".launcher", skynet.localname ".launcher",
		"a local name is looked up here")
	tap.is(harbor.queryname ".nobody", nil, "and not waited for")
	tap.raises(function()
		skynet.call(".cslave", "lua", "NONSENSE")
	end, "NONSENSE", "an unknown request is refused by its name")
end

local function test_waiting_for_names()
	local asked, again = later(harbor.queryname, "LATER"), later(harbor.queryname, "LATER")
	local called = later(skynet.call, "LATER", "lua", "echo", 1)
	local second = later(skynet.call, "LATER", "lua", "echo", 2)
	tap.ok(is_waiting(asked) and is_waiting(called), "a name that nobody has is waited for")
	local peer = skynet.newservice "puppet"
	harbor.globalname("LATER", peer)
	tap.eventually(function()
		return asked() and again() and called() and second()
	end, "until somebody has it")
	tap.is(asked()[2], peer, "who asked gets the handle")
	tap.is(again()[2], peer, "who asked second too")
	tap.is(called()[2], 1, "a call is answered")
	tap.is(second()[2], 2, "so is the second")
end

---What waits is bounded for all names together.
local function test_room_for_names()
	local names, calls = {}, {}
	local large = ("x"):rep(20 << 20)
	for i = 1, 3 do
		names[i] = "LARGE" .. i
		calls[i] = later(skynet.call, names[i], "lua", "echo", large)
	end
	tap.ok(is_waiting(calls[3]), "three large messages wait for three names")
	local _, err = pcall(skynet.call, "LARGE4", "lua", "echo", large)
	tap.is(skynet.error_kind(err), "overloaded", "a fourth has no room")
	local puppet = skynet.newservice "puppet"
	for i = 1, 3 do
		harbor.globalname(names[i], puppet)
		tap.eventually(calls[i], names[i] .. " is answered")
		tap.ok(calls[i]()[2] == large, "with all its bytes")
	end
	tap.ok(is_waiting(later(skynet.call, "LARGE5", "lua", "echo", large)), "then there is room")
end

local function test_links()
	harbor.link(PEER)
	tap.ok(true, "link to a node that nobody knows returns at once")
	harbor.link(1)
	tap.ok(true, "so does the one to this node")
	for _, bad in ipairs { 0, 1, 256, -1, "x", 1.5 } do
		tap.raises(function()
			harbor.connect(bad)
		end, "cannot be connected", ("connect to '%s' is refused"):format(bad))
	end
	local up = later(harbor.connect, PEER)
	tap.ok(is_waiting(up), "connect waits")
	local fd = link_as(PEER)
	tap.eventually(up, "until there is a link")
	harbor.connect(tostring(PEER))
	tap.ok(true, "then it returns at once, for an id that is text as well")
	local broken = later(harbor.link, tostring(PEER))
	tap.ok(is_waiting(broken), "link waits")
	local call = later(skynet.call, PEER << 24 | 5, "lua", "x")
	local frame = "\0\0\0\14\12x\1"
	tap.is(socket.read(fd, #frame), frame, "a call leaves as a frame")
	socket.close(fd)
	tap.eventually(function()
		return broken() and call()
	end, "until the link is broken")
	tap.like(call()[2], ("call failed: dead node %d %%(it was lost%%)"):format(PEER),
		"then the call fails")
	local _, err = pcall(skynet.call, PEER << 24 | 5, "lua", "x")
	tap.is(skynet.error_kind(err), "dead_node", "a later one does too")
	socket.close(link_as(PEER))
end

---A message to the master, as another node sends it.
local function tell_master(fd, ...)
	local message = skynet.packstring(...)
	socket.write(fd, string.char(#message) .. message)
end

---Whether the master tells that this is the handle of `name`. It also tells the names that the node
---here gives it again, before or behind that.
local function is_told(fd, name, handle)
	local named = skynet.packstring("N", name, handle)
	local message
	repeat
		local size = socket.read(fd, 1)
		message = size and socket.read(fd, size:byte())
	until not message or message == named
	return message == named
end

---Names of a node whose link breaks while there is a master: nobody here has the one that was known
---then, but the one that comes behind it. Gives the connection of that node to the master.
local function test_lost_name()
	local address = skynet.getenv "address" .. "_peer"
	local listener = socket.listen(address)
	local fd
	socket.start(listener, function(id)
		fd = id
	end)
	local master = assert(socket.open(skynet.getenv "master"))
	tell_master(master, "H", PEER, address)
	tap.eventually(function()
		return fd
	end, "a node is connected when the master has told its address")
	socket.start(fd)
	tap.is(socket.read(fd, 1), "\1", "it hears who connects")
	socket.write(fd, string.char(PEER))
	harbor.connect(PEER)
	local theirs = PEER << 24 | 5
	tell_master(master, "R", "THEIRS", theirs)
	tap.is(harbor.queryname "THEIRS", theirs, "another node has a name")
	socket.close(listener)
	socket.close(fd)
	harbor.link(PEER)
	tell_master(master, "R", "LATE", theirs + 1)
	tap.is(harbor.queryname "LATE", theirs + 1, "and one that comes when its link has broken")
	return master
end

---A node of ours joins and takes each link that it is offered. Gives what ends the last of these,
---and its connection to the master.
local function join_as_ours()
	local address = skynet.getenv "address" .. "_ours"
	local listener = socket.listen(address)
	local link
	socket.start(listener, function(fd)
		skynet.fork(function()
			socket.start(fd)
			socket.read(fd, 1)
			socket.write(fd, string.char(OURS))
			link = fd
		end)
	end)
	local master = assert(socket.open(skynet.getenv "master"))
	tell_master(master, "H", OURS, address, { incarnation = 5 })
	harbor.connect(OURS)
	tell_master(master, "R", "OURS", OURS << 24 | 5)
	tap.is(harbor.queryname "OURS", OURS << 24 | 5, "a node of ours has a name")
	return function()
		socket.close(link)
	end, master
end

local function test_master(of_peer)
	local break_link, of_ours = join_as_ours()
	local lost = later(harbor.linkmaster)
	local query = later(harbor.queryname, "NEVER")
	tap.ok(is_waiting(lost), "linkmaster waits")
	local link = link_as(RETURNED)
	tell_master(of_peer, "R", "MOVED", RETURNED << 24 | 5)
	tap.is(harbor.queryname "MOVED", RETURNED << 24 | 5, "a third node has a name")
	for address, name in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if name:find "cmaster" then
			skynet.kill(address)
		end
	end
	tap.eventually(lost, "until the master is gone")
	socket.close(of_peer)
	socket.close(of_ours)
	local broken = later(harbor.link, OURS)
	tap.ok(is_waiting(broken), "the link to the node of ours stays")
	break_link()
	tap.eventually(broken, "until it breaks")
	harbor.connect(OURS)
	tap.ok(true, "then it is made again, perhaps with another process")
	local certain = later(skynet.call, "OURS", "lua", "echo", 10)
	tap.is(skynet.error_kind(select(2, pcall(skynet.call, "THEIRS", "lua", "echo"))), "dead_node",
		"without a master a name of a lost node is that of a dead one")
	harbor.linkmaster()
	tap.ok(true, "then it returns at once")
	socket.close(link)
	harbor.link(RETURNED)
	link = link_as(RETURNED)
	tap.is(harbor.queryname "MOVED", RETURNED << 24 | 5, "names stay, also of a node that was lost")
	tap.ok(is_waiting(later(skynet.call, "MOVED", "lua", "echo")), "and can be called")
	tap.is(harbor.queryname "MINE", skynet.self(), "names stay")
	harbor.globalname("ALONE")
	tap.is(harbor.queryname "ALONE", skynet.self(), "and can be given on this node")
	skynet.newservice "cmaster"
	tap.eventually(function()
		return is_waiting(later(harbor.linkmaster))
	end, "a new master is joined")
	local fd = assert(socket.open(skynet.getenv "master"))
	socket.timeout(fd, 2000)
	local address = "unix:x"
	tell_master(fd, "H", UNKNOWN, address)
	tap.is(socket.read(fd, 5), "\4" .. skynet.packstring("W", 1), "another node is let in")
	local echoed = later(skynet.call, "THEIRS", "lua", "echo", 8)
	tap.ok(is_waiting(echoed), "with a new master it is a name to be waited for")
	local late = later(skynet.call, "LATE", "lua", "echo")
	local moved = later(skynet.call, "MOVED", "lua", "echo", 9)
	local puppet = skynet.newservice "puppet"
	tell_master(fd, "R", "THEIRS", puppet)
	tap.ok(is_told(fd, "THEIRS", puppet), "the others hear of a name")
	tap.eventually(echoed, "and what waits goes where the name is now")
	tap.is(echoed()[2], 8, "with its answer")
	tell_master(fd, "R", "MOVED", puppet)
	tap.eventually(moved, "also that of a node which is another process now, and linked")
	tap.is(moved()[2], 9, "with its answer too")
	socket.close(link)
	tap.ok(not certain(), "the name of the node of ours waits until somebody has it")
	tell_master(fd, "R", "OURS", puppet)
	tap.eventually(certain, "who need not be the node that is linked")
	tap.is(certain()[2], 10, "and answers")
	for _, name in ipairs { "MINE", "ALONE" } do
		tell_master(fd, "Q", name)
		tap.ok(is_told(fd, name, skynet.self()), ("the new master knows '%s'"):format(name))
	end
	socket.close(fd)
	tap.ok(not query(), "a question is still open")
	tap.ok(not late(), "and so is one for a service of the lost node that nobody names again")
end

tap.run(function()
	test_names()
	test_waiting_for_names()
	test_room_for_names()
	test_links()
	test_master(test_lost_name())
end)
