---The shared tree: values, subtrees, and waiting for what is not there yet.
local skynet = require "skynet"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local tap = require "tap"

---Start waiting; the result is filled in later: { ok, value or error }.
local function wait_for(...)
	local result = {}
	skynet.fork(function(...)
		result[1], result[2] = pcall(datacenter.wait, ...)
	end, ...)
	-- a request behind ours has been handled when ours has
	skynet.yield()
	datacenter.get "nothing"
	return result
end

local function done(result)
	return function()
		return result[1] ~= nil
	end
end

local function values()
	tap.is(datacenter.get "a", nil, "has nothing at first")
	tap.is(select("#", datacenter.get "a"), 0, "answers no value below a missing first key")
	tap.is(datacenter.get(), nil, "answers nil without keys")
	tap.is(select("#", datacenter.set("a", "b", 1)), 0, "answers no value when there was none")
	tap.is(datacenter.set("a", "b", 2), 1, "answers the previous value")
	tap.is(datacenter.get("a", "b"), 2, "has the last value")
	tap.is_deeply(datacenter.get "a", { b = 2 }, "gives a subtree as a table")
	tap.is(select("#", datacenter.get("a", "x")), 1, "answers nil below a key that is there")
	tap.is(datacenter.get("a", "x", "y"), nil, "has nothing below a missing level")
	datacenter.set("a", "s", "text")
	tap.is(datacenter.get("a", "s", "y"), nil, "has nothing below a string")
	tap.raises(function()
		datacenter.get("a", "b", "c")
	end, "call failed", "raises when reading below a number")
	tap.raises(function()
		datacenter.set("a", "b", "c", 1)
	end, "call failed", "raises when storing below a number")
	tap.is(datacenter.set("a", "b", nil), 2, "deletes with nil")
	tap.is(datacenter.get("a", "b"), nil, "has nothing after that")
	datacenter.set("t", { x = { 1, 2 } })
	tap.is(datacenter.get("t", "x", 2), 2, "reads inside a table that was stored")
	datacenter.set(false, 1.5, "odd")
	tap.is(datacenter.get(false, 1.5), "odd", "takes keys of any kind")
	tap.raises(function()
		datacenter.set "only a value"
	end, "call failed", "refuses to store without a path")
	tap.raises(function()
		datacenter.set("a", nil, 1)
	end, "call failed", "refuses nil as a key")
	tap.raises(function()
		datacenter.set(0 / 0, 1)
	end, "call failed", "refuses NaN as a key")
	tap.raises(function()
		skynet.call("DATACENTER", "lua", "NONSENSE")
	end, "call failed", "refuses an unknown command")
end

local function waiting()
	datacenter.set("w", "now", 5)
	tap.is(datacenter.wait("w", "now"), 5, "does not wait for what is there")
	local first, second = wait_for("w", "later"), wait_for("w", "later")
	tap.is(first[1], nil, "waits for what is not there")
	datacenter.set("w", "other", 1)
	tap.is(first[1], nil, "does not wake for another key")
	datacenter.set("w", "later", 7)
	tap.eventually(done(first), "wakes who waits")
	tap.eventually(done(second), "wakes all who wait")
	tap.is(first[2], 7, "gives the value")
	tap.is(second[2], 7, "gives it to all")
	local deep = wait_for("x", "y", "z")
	datacenter.set("x", { y = { z = "in a table" } })
	tap.eventually(done(deep), "wakes who waits inside a table that is stored")
	tap.is(deep[2], "in a table", "gives what is in the table")
end

local function conflicts()
	local branch = wait_for("c", "branch")
	datacenter.set("c", "branch", "leaf", 1)
	tap.eventually(done(branch), "ends the wait for a path that becomes a branch")
	tap.is(branch[1], false, "fails the wait for a path that becomes a branch")
	local leaf = wait_for("d", "e", "f")
	tap.raises(function()
		datacenter.wait("d", "e")
	end, "call failed", "refuses to wait above a path that is waited for")
	tap.raises(function()
		datacenter.wait("d", "e", "f", "g")
	end, "call failed", "refuses to wait below a path that is waited for")
	tap.is(leaf[1], nil, "goes on waiting after the refusals")
	datacenter.set("d", "e", "f", true)
	tap.eventually(done(leaf), "answers in the end")
	local again = wait_for("d", "other")
	datacenter.set("d", "other", 1)
	tap.eventually(done(again), "keeps no trace of waits that ended")
	tap.raises(function()
		datacenter.wait()
	end, "call failed", "refuses to wait for nothing")
	tap.raises(function()
		datacenter.wait("n", nil, "n")
	end, "call failed", "refuses to wait for a nil key")
	local below = wait_for("n", "n")
	datacenter.set("n", "n", 1)
	tap.eventually(done(below), "a refused wait leaves no trace")
end

local function dead_waiters()
	local puppet = skynet.newservice "puppet"
	local store = harbor.queryname "DATACENTER"
	skynet.send(puppet, "lua", "run", "call", store, "lua", "WAIT", "gone", "deep")
	tap.eventually(function()
		return skynet.call(puppet, "debug", "STAT").task > 0
	end, "another service waits")
	pcall(skynet.call, puppet, "lua", "leave")
	tap.eventually(function()
		return not skynet.send(puppet, "lua", "echo")
	end, "that service leaves")
	local result = wait_for "gone"
	datacenter.set("gone", 1)
	tap.eventually(done(result), "a dead waiter is in nobody's way")
	tap.is(result[2], 1, "gives the value")
end

tap.run(function()
	values()
	waiting()
	conflicts()
	dead_waiters()
end)
