---The links of this node to the others of its harbor network: who dials whom, and who waits for a
---link or for its end. For the service cslave.
---
---A peer is `open` while the C service has a socket for it or needs none, because the node runs in
---this process; `up` while messages can be sent, and `linked` from then until the link breaks or,
---for a node of the reference, the master says that it is gone. Whoever has been told an address by
---the master dials; nodes of ours are dialled again when a link breaks.
---@class skynet.harbor_links
local links = {}

local skynet = require "skynet"
local socket = require "skynet.socket"
local control = require "skynet.harbor_control"
local transport = require "skynet.harbor_transport"

local HELLO_CS <const> = 500
local FOREIGN_DIALS <const> = 5

---@class skynet.harbor_links.peer
---@field id integer
---@field address string?  where to dial; nil when this end does not
---@field incarnation integer?
---@field ours boolean?  it understands our extensions
---@field open boolean?  there is a socket, or no need of one
---@field up boolean?
---@field linked boolean
---@field dialling boolean?
---@field renewed boolean?  another process has the id now: dial it when the old link has ended
---@field breaks function[]  responses owed when the link breaks
---@field connects function[]  responses owed when the link is made

---@type integer
local own_id
---@type table<integer, skynet.harbor_links.peer>
local peers = {}
local stopping = false
---Called when a link comes or goes, or a node leaves, while this one joins.
---@type fun(left: boolean?)?
local joining

---Called with the id of a node whose link has broken.
---@param _id integer
local function on_loss(_id) end

---@param id integer
---@return skynet.harbor_links.peer
local function peer_of(id)
	local peer = peers[id]
	if not peer then
		peer = { id = id, linked = false, breaks = {}, connects = {} }
		peers[id] = peer
	end
	return peer
end

---@param peer skynet.harbor_links.peer
---@param linked boolean
---@param reason string?  why the link is down, for `harbor.link`
local function set_linked(peer, linked, reason)
	if linked == peer.linked then
		return
	end
	peer.linked = linked
	local waiting
	if linked then
		waiting, peer.connects = peer.connects, {}
	else
		waiting, peer.breaks = peer.breaks, {}
	end
	for _, response in ipairs(waiting) do
		response(true, reason)
	end
	if joining then
		joining()
	end
end

---@param peer skynet.harbor_links.peer
---@param fd integer
---@param dialled boolean
local function hand_over(peer, fd, dialled)
	socket.abandon(fd)
	peer.open = true
	transport.open(peer.id, fd, dialled, peer.ours)
end

---Dial once. False when the node cannot be reached; true also when there is no need to any more.
---@async
---@param peer skynet.harbor_links.peer
---@return boolean
local function dial_once(peer)
	local address = peer.address
	if transport.is_sibling(peer.id) then
		return true
	end
	local fd, err, hopeless = control.dial(address)
	if not fd then
		skynet.error(("cannot connect to harbor %d at %s: %s"):format(peer.id, address, err))
		if hopeless and peer.address == address then
			peer.address = nil
		end
		return false
	elseif peer.open or peer.address ~= address or stopping then
		socket.close(fd)
	else
		hand_over(peer, fd, true)
	end
	return true
end

---Dial until there is a link, or the node is gone, or this node stops.
---@async
---@param peer skynet.harbor_links.peer
local function dial(peer)
	if peer.dialling then
		-- the task that dials may be in a pause: there is a reason to try at once
		skynet.wakeup(peer)
		return
	end
	peer.dialling = true
	local failures = 0
	while peer.address and not peer.open and not stopping do
		local address = peer.address
		if dial_once(peer) or peer.address ~= address then
			failures = 0
		else
			failures = failures + 1
			if not peer.ours and failures >= FOREIGN_DIALS then
				skynet.error(("harbor %d at %s is not dialled any more"):format(peer.id, address))
				peer.address = nil
			else
				skynet.sleep(control.backoff(failures), peer)
			end
		end
	end
	peer.dialling = nil
end

transport.on("U", function(id)
	local peer = peer_of(math.tointeger(tonumber(id)))
	peer.open, peer.up = true, true
	set_linked(peer, true)
end)

transport.on("D", function(text)
	local id, reason = text:match "^(%d+) ?(.*)$"
	local peer = peer_of(math.tointeger(tonumber(id)))
	peer.open, peer.up = nil, nil
	set_linked(peer, false, reason)
	on_loss(peer.id)
	if peer.address and (peer.ours or peer.renewed) and not stopping then
		peer.renewed = nil
		skynet.fork(function()
			skynet.sleep(control.backoff(0))
			dial(peer)
		end)
	end
end)

---Handle a connection that was made to this node: read the id of the peer and hand the socket over.
---@async
---@param fd integer
---@param from string
local function accept(fd, from)
	if not socket.start(fd) then
		return
	end
	socket.timeout(fd, HELLO_CS)
	local byte = socket.read(fd, 1)
	local id = byte and byte:byte()
	local peer = control.is_id(id) and id ~= own_id and peer_of(id)
	local crossed = peer and peer.open and not peer.up
	if crossed and id > own_id then
		-- this node dials it too, and the connection of the lower id stays: the other end closes
		socket.read(fd, 1)
		byte = nil
	end
	if not peer or peer.open and not (crossed and id < own_id) or stopping then
		if byte then
			skynet.error(("refused a connection of harbor %d from %s%s"):format(id, from,
				id == 0 and ": " .. (control.demands(fd) or "no node has that id") or ""))
		end
		socket.close(fd)
		return
	end
	skynet.error(("harbor %d has connected from %s"):format(id, from))
	hand_over(peer, fd, false)
end

---Listen for others. Raises when that fails.
---@async
---@param id integer  harbor id of this node
---@param address string
---@param lost fun(id: integer)  the link to a node has broken
---@return integer listener
function links.listen(id, address, lost)
	own_id = id
	on_loss = lost
	return control.listen(address, function(fd, from)
		skynet.fork(accept, fd, from)
	end)
end

---The master tells which of the nodes that are going to dial this one answer heartbeats: nodes of
---this kind, given by a string of their ids as bytes. They have to from the first heartbeat on.
---@param ids any
function links.expect(ids)
	for i = 1, type(ids) == "string" and #ids or 0 do
		local id = ids:byte(i)
		if control.is_id(id) and id ~= own_id then
			peer_of(id).ours = true
		end
	end
end

---The master says where a node is.
---@param id integer
---@param address string
---@param incarnation integer?  nil: a node of the reference
---@return boolean known  it is the process that this node has heard of before
function links.announced(id, address, incarnation)
	local peer = peer_of(id)
	local known = incarnation ~= nil and peer.incarnation == incarnation
	local same = incarnation and
		(peer.incarnation == nil or peer.incarnation == incarnation)
	peer.address, peer.incarnation, peer.ours = address, incarnation, incarnation ~= nil
	if not peer.open then
		skynet.fork(dial, peer)
	elseif same then
		set_linked(peer, peer.up or false, "it is not up")
	elseif not incarnation and peer.linked then
		-- a new master of the reference names the nodes that it finds; if this one is another
		-- process than before, the old link ends by itself
		peer.renewed = true
	else
		-- another process under the old id: the new link follows the end of the old one
		peer.renewed = true
		transport.close(id)
	end
	return known
end

---Whether messages can go to a node now.
---@param id integer
---@return boolean
function links.is_up(id)
	local peer = peers[id]
	return peer ~= nil and peer.up == true
end

---Whether a node is known to be of ours.
---@param id integer
---@return boolean
function links.is_ours(id)
	local peer = peers[id]
	return peer ~= nil and peer.ours == true
end

---The master says that a node is gone. Its link may still work, and stays: what waits for an answer
---over it goes on waiting, at both ends. If the node is of ours its end will be noticed here.
---@param id integer
function links.gone(id)
	local peer = peer_of(id)
	peer.address = nil
	if not (peer.up and peer.ours) then
		set_linked(peer, false, "the node has left the network")
	end
	if joining then
		joining(true)
	end
end

---Wait until the `count` nodes that have been told to dial this one have done so. Those that leave
---meanwhile do not count.
---@async
---@param count integer
---@param patience integer  centiseconds
function links.await_dialers(count, patience)
	local waiter = {}
	local function enough()
		local linked = 0
		for _, peer in pairs(peers) do
			linked = linked + (peer.linked and not peer.address and 1 or 0)
		end
		return linked >= count
	end
	joining = function(left)
		count = count - (left and 1 or 0)
		if enough() then
			skynet.wakeup(waiter)
		end
	end
	if not enough() and skynet.sleep(patience, waiter) ~= "BREAK" then
		skynet.error(("not all of %d nodes have connected in time"):format(count))
	end
	joining = nil
end

---End all links; nobody is dialled any more.
function links.close_all()
	stopping = true
	for id, peer in pairs(peers) do
		if peer.open then
			transport.close(id)
		end
	end
end

---Requests; they raise what their sender has done wrong.
---@type table<"LINK"|"CONNECT", fun(...)>
links.command = {}

---id: answers when the link breaks, at once when there is none; with the reason.
function links.command.LINK(id)
	local peer = peers[id]
	if peer and peer.linked then
		table.insert(peer.breaks, skynet.response())
	else
		skynet.retpack "there is no link"
	end
end

---id: answers when there is a link.
function links.command.CONNECT(id)
	if not control.is_id(id) or id == own_id then
		error(("harbor %s cannot be connected: ids are 1 to 255, and this node has %d"):format(
			tostring(id), own_id), 0)
	end
	local peer = peer_of(id)
	if peer.linked then
		skynet.ret()
	else
		table.insert(peer.connects, skynet.response())
	end
end

return links
