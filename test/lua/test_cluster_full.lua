-- config: cluster_patience = 60
-- config: cluster_heartbeat = 60
-- config: cluster_buffer_limit = 300000
---A receiver with a full mailbox and policy `block` makes senders on other cluster nodes wait.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local subject = require "subject"
local tap = require "tap"

local LIMIT <const> = 5
local SIZE <const> = 30000
---More than buffers on the way can hold.
local COUNT <const> = 2000
local KEY <const> = "test_full_release"
local HEAD <const> = "local skynet = require 'skynet' "

tap.run(function()
	local _, port = cluster.open(0)
	cluster.reload { me = "127.0.0.1:" .. port }
	local peer = subject.new()
	subject.eval(peer, ("skynet.mailbox_limit(%d, 'block') return 1"):format(LIMIT))
	cluster.register("full", peer)
	tap.is(cluster.call("me", "@full", HEAD .. "skynet.retpack(1, ...)"), 1, "a service is reached")

	subject.call(peer, "skynet.ret() repeat until skynet.getenv(select(3, ...))", KEY)
	local filler, sent, done = ("x"):rep(SIZE), 0, false
	local text = "local _ = ... state.count = (state.count or 0) + 1 --" .. filler
	skynet.fork(function()
		for _ = 1, COUNT do
			cluster.send("me", "@full", text)
			sent = sent + 1
		end
		done = true
	end)
	tap.eventually(function()
		local before = sent
		skynet.sleep(20)
		return sent > 0 and sent == before
	end, "the sender comes to wait")
	tap.ok(not done, "before it has sent all")
	skynet.setenv(KEY, "now")
	tap.eventually(function()
		return done
	end, "it goes on when there is room")
	tap.eventually(function()
		return cluster.call("me", "@full", HEAD .. "skynet.retpack(state.count)") == COUNT
	end, "and nothing is lost")
	tap.ok(subject.eval(peer, "return skynet.stat 'blocked'") > 0, "the connection has waited")
end)
