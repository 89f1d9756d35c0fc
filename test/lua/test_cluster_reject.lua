-- config: cluster_buffer_limit = 300000
-- config: cluster_buffer_policy = "reject"
---A node that does not read its requests, with the policy to refuse more.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local tap = require "tap"

local TEXT <const> = ("x"):rep(60000)

tap.run(function()
	local reader
	local id, _, port = socket.listen("127.0.0.1", 0)
	socket.start(id, function(connection) reader = connection end)
	cluster.reload { full = "127.0.0.1:" .. port }
	local function rejected()
		local links = skynet.call(".clusterd", "lua", "links")
		return links.full and links.full.rejected > 0
	end
	tap.eventually(function()
		cluster.send("full", "@any", TEXT)
		return rejected()
	end, "messages are refused when too much waits")
	local ok, message = pcall(cluster.call, "full", "@any", TEXT)
	tap.ok(not ok, "a call is refused too")
	tap.is(skynet.error_kind(message), "overloaded", "and the error says why")
	ok, message = pcall(skynet.call, cluster.proxy "full@any", "lua", TEXT)
	tap.ok(not ok, "and one by a proxy")
	tap.is(skynet.error_kind(message), "overloaded", "for the same reason")
	local count = 0
	socket.start(reader)
	skynet.fork(function()
		while socket.read(reader, 1) do
			count = count + 1
		end
	end)
	tap.eventually(function()
		return skynet.call(".clusterd", "lua", "links").full.queued == 0
	end, "what was accepted leaves when the node reads")
	ok, message = pcall(cluster.call_timeout, 10, "full", "@any", "again")
	tap.ok(not ok and skynet.error_kind(message) == "timeout", "then calls are accepted again")
end)
