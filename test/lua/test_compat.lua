---Module names of versions before 1.1, and the deprecated request queue.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local ALIASES <const> = {
	cluster = "skynet.cluster",
	crypt = "skynet.crypt",
	datacenter = "skynet.datacenter",
	dns = "skynet.dns",
	memory = "skynet.memory",
	mongo = "skynet.db.mongo",
	mqueue = "skynet.mqueue",
	multicast = "skynet.multicast",
	mysql = "skynet.db.mysql",
	netpack = "skynet.netpack",
	profile = "skynet.profile",
	redis = "skynet.db.redis",
	sharedata = "skynet.sharedata",
	sharemap = "skynet.sharemap",
	snax = "skynet.snax",
	socket = "skynet.socket",
	socketchannel = "skynet.socketchannel",
	socketdriver = "skynet.socketdriver",
	stm = "skynet.stm",
}

local function aliases()
	for old, new in pairs(ALIASES) do
		local func = loadfile("./lualib/compat10/" .. old .. ".lua")
		if not tap.ok(func, old .. " is there") then
			return
		end
		local ok, module = pcall(require, new)
		if ok then
			tap.is(func(), module, ("%s is %s"):format(old, new))
		end
	end
	tap.ok(not package.searchpath("compat10", package.path), "are not on the default path")
end

local function queue_of_requests()
	local mqueue = require "skynet.mqueue"
	local server = skynet.newservice "queue_server"
	local sum, text = mqueue.call(server, "add", 1, 2)
	tap.is(sum, 3, "mqueue.call gives the results")
	tap.is(text, "added", "mqueue.call gives all results")
	tap.raises(function()
		mqueue.call(server, "fail", "on purpose")
	end, "on purpose", "mqueue.call raises the error of the function")
	for i = 1, 5 do
		mqueue.send(server, "note", i)
	end
	tap.is(mqueue.call(server, "notes"), "1 2 3 4 5",
		"handles one after the other, also when a handler waits")
	mqueue.send(server, "fail", "one way")
	mqueue.send(server, "note", 6)
	mqueue.send(server, "note", 7)
	tap.is(mqueue.call(server, "size"), 0, "counts nobody when all are handled")
	tap.is(mqueue.call(server, "notes"), "1 2 3 4 5 6 7", "goes on after an error")
	for _ = 1, 3 do
		skynet.fork(pcall, mqueue.call, server, "note", 8)
	end
	local left
	skynet.fork(function()
		left = mqueue.call(server, "kill_waiting", 3)
	end)
	tap.eventually(function()
		mqueue.send(server, "note", 9)
		return left
	end, "requests wait for their turn")
	tap.is(left, 0, "requests that are killed while they wait are not counted")
	tap.is(select("#", mqueue.call(server, "nothing")), 0, "a function may give nothing")
	tap.raises(function()
		mqueue.call(server, "fail", { "a table" })
	end, "table: ", "an error that is no text is raised as text")
	tap.raises(function()
		mqueue.call(":00ffffff", "add")
	end, nil, "calling nobody is an error")
	tap.ok(not subject.logged "forgot response", "no answer is missed")
	mqueue.register(function() end)
	tap.raises(function()
		mqueue.register(function() end)
	end, "before", "mqueue.register refuses a second function")
	tap.raises(function()
		mqueue.register "text"
	end, "function expected", "mqueue.register refuses what is no function")
end

tap.run(function()
	aliases()
	queue_of_requests()
end)
