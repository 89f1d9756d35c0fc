-- config: cluster_patience = 1
---A receiver that has no room for long does not hold up others that the same connection reaches.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local subject = require "subject"
local tap = require "tap"

local LIMIT <const> = 5
local KEY <const> = "test_full_release"
local HEAD <const> = "local skynet = require 'skynet' "

tap.run(function()
	local _, port = cluster.open(0)
	cluster.reload { me = "127.0.0.1:" .. port }
	local full, other = subject.new(), subject.new()
	subject.eval(full, ("skynet.mailbox_limit(%d, 'block') return 1"):format(LIMIT))
	cluster.register("full", full)
	cluster.register("other", other)
	tap.is(cluster.call("me", "@full", HEAD .. "skynet.retpack(1)"), 1, "a service is reached")

	subject.call(full, "skynet.ret() repeat until skynet.getenv(select(3, ...))", KEY)
	for _ = 1, LIMIT * 4 do
		cluster.send("me", "@full", "state.count = (state.count or 0) + 1")
	end
	tap.is(cluster.call("me", "@other", HEAD .. "skynet.retpack(2)"), 2,
		"another one is served in the end")
	subject.logs("service :%x+ has had a full mailbox for 1 s",
		"what it waited for is in the log")
	local ok, err = pcall(cluster.call, "me", "@full", HEAD .. "skynet.retpack(3)")
	tap.is(not ok and skynet.error_kind(err), "overloaded", "calls to the full one are refused")
	cluster.send("me", "@full", "state.count = 1000")
	tap.is(cluster.call("me", "@other", HEAD .. "skynet.retpack(4)"), 4,
		"others are not held up any more")
	skynet.setenv(KEY, "now")
	tap.eventually(function()
		return (pcall(cluster.call, "me", "@full", HEAD .. "skynet.retpack(5)"))
	end, "until it has room")
	subject.logs("has room again; %d+ messages from .* were refused",
		"which is in the log as well")
	local count = subject.eval(full, "return state.count")
	tap.ok(count >= LIMIT and count < 1000, "what came before was served, and nothing else")
end)
