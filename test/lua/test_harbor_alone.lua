-- A node without a harbor network: what stands in for the member.
local skynet = require "skynet"
require "skynet.manager"
local harbor = require "skynet.harbor"
local tap = require "tap"

tap.run(function()
	local me = skynet.self()
	harbor.globalname("MINE")
	tap.is(harbor.queryname "MINE", me, "a name is known")
	local peer = skynet.newservice "puppet"
	harbor.globalname("MINE", peer)
	tap.is(harbor.queryname "MINE", me, "it stays with its first owner")
	tap.raises(function()
		skynet.call(".cslave", "lua", "REGISTER", "MINE", peer)
	end, "taken", "a call to register it again says so")
	tap.raises(function()
		skynet.call(".cslave", "lua", "REGISTER", "SIXTEEN_BYTES___", peer)
	end, "15 bytes", "a name has at most 15 bytes")
	local answer, echo
	skynet.fork(function()
		answer = harbor.queryname "LATER"
	end)
	skynet.fork(function()
		echo = skynet.call("LATER", "lua", "echo", 1)
	end)
	skynet.yield()
	harbor.globalname("LATER", peer)
	tap.eventually(function()
		return answer and echo
	end, "a name is waited for")
	tap.is(answer, peer, "who asked gets the handle")
	tap.is(echo, 1, "who called is answered")
	tap.is(harbor.queryname ".nobody", nil, "a local name is not waited for")
	harbor.link(2)
	tap.ok(true, "link returns at once")
	tap.raises(harbor.linkmaster, "single node", "there is no master")
	local _, err = pcall(skynet.call, 0x02000005, "lua", "x")
	tap.like(err, "call failed: dead node 2", "another node is dead")
	tap.raises(function()
		skynet.call(".cslave", "lua", "NONSENSE")
	end, "NONSENSE", "an unknown request is refused by its name")
end)
