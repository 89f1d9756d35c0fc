-- skynet.harbor_membership: the connection to a master that refuses, or falls silent.
local control = require "skynet.harbor_control"
local driver = require "skynet.socketdriver"
local membership = require "skynet.harbor_membership"
local skynet = require "skynet"
local socket = require "skynet.socket"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"
local ID <const> = 7

local joins = 0
local refusal = "go\27[2J away\nor not"

-- Lets everybody but the first join, and says nothing afterwards.
local function serve(id)
	socket.start(id)
	if control.read(id) ~= "H" then
		return
	elseif refusal then
		control.write(id, "E", refusal)
		refusal = nil
	else
		joins = joins + 1
		control.write(id, "W", 0, {})
	end
end

tap.run(function()
	skynet.setenv("harbor_heartbeat", "1")
	local listener, _, port = socket.listen(LOCAL, 0)
	socket.start(listener, function(id)
		skynet.fork(serve, id)
	end)
	local fd = membership.reach { id = ID, address = "-", master = LOCAL .. ":" .. port }
	tap.raises(function() membership.join(fd) end, "refuses this node: go%?%[2J away%?or not$",
		"what a master says fits into a line of the log")
	socket.close(fd)
	fd = membership.reach { id = ID, address = "-", master = LOCAL .. ":" .. port }
	membership.join(fd)
	tap.is(joins, 1, "the master lets a node join")
	skynet.fork(membership.follow, {}, function() end)
	membership.watch()
	-- Whatever is asked of the system for this connection, it never says that it has ended.
	local close, shutdown = driver.close, driver.shutdown
	driver.close = function(id) return id == fd or close(id) end
	driver.shutdown = function(id) return id == fd or shutdown(id) end
	tap.eventually(function() return joins >= 2 end, "when it is silent the node joins again")
	driver.close, driver.shutdown = close, shutdown
	driver.shutdown(fd)
	membership.leave()
	socket.close(listener)
end)
