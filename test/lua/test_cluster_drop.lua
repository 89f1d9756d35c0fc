-- config: cluster_buffer_limit = 300000
-- config: cluster_buffer_policy = "drop"
-- config: cluster_heartbeat = 0
---A node that does not read its requests, with the policy to drop the oldest.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local tap = require "tap"

local TEXT <const> = ("x"):rep(30000)

tap.run(function()
	local reader
	local id, _, port = socket.listen("127.0.0.1", 0)
	socket.start(id, function(connection) reader = connection end)
	cluster.reload { full = "127.0.0.1:" .. port }
	local function status()
		return skynet.call(".clusterd", "lua", "links").full or { dropped = 0 }
	end
	local sent = 0
	tap.eventually(function()
		for _ = 1, 20 do
			sent = sent + 1
			cluster.send("full", "@any", sent, TEXT)
		end
		return status().dropped > 0
	end, "old messages are dropped when too much waits")
	tap.eventually(function() return reader end, "the node is connected")
	local answered
	skynet.fork(function()
		cluster.call("full", "@any", "call")
		answered = true
	end)
	for _ = 1, 20 do
		sent = sent + 1
		cluster.send("full", "@any", sent, TEXT)
	end
	local last, gaps, count = 0, 0, 0
	socket.start(reader)
	skynet.fork(function()
		while true do
			local body = socket.read(reader, (string.unpack(">I2", socket.read(reader, 2))))
			local _, _, session = string.unpack("<Bs1I4", body)
			local number = skynet.unpack(body:sub(11))
			if session ~= 0 then
				socket.write(reader, string.pack(">s2", string.pack("<I4B", session, 1)))
			elseif math.type(number) == "integer" then
				gaps = gaps + number - last - 1
				last, count = number, count + 1
			end
		end
	end)
	tap.eventually(function() return last == sent end, "the newest arrive")
	tap.eventually(function() return answered end, "a call is never dropped")
	tap.is(gaps, status().dropped, "what is missing has been counted")
	tap.is(count + gaps, sent, "the rest came in order")
end)
