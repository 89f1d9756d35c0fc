-- require in coroutines: modules that yield, several that want the same, circles, failures.
local skynet = require "skynet"
local tap = require "tap"

local order = {}

skynet.init(function()
	order[#order + 1] = "first"
end)
skynet.init(function()
	skynet.sleep(1)
	order[#order + 1] = "second"
end)

local tmp = skynet.getenv "test_tmp"
package.path = tmp .. "/?.lua;" .. package.path

local function module(name, text)
	local file <close> = assert(io.open(tmp .. "/" .. name .. ".lua", "w"))
	file:write(text)
end

tap.run(function()
	tap.is(table.concat(order, " "), "first second", "init functions run in order before start")
	tap.is(require "skynet", skynet, "a loaded module is found at once")
	package.loaded.falsy = false
	tap.is(require "falsy", false, "a module may be false")

	module("yielding", [[
		local skynet = require "skynet"
		local name, file = ...
		skynet.sleep(1)
		return { name = name, file = file }
	]])
	local m = require "yielding"
	tap.is(m.name, "yielding", "a module that yields gets its name")
	tap.is(m.file, tmp .. "/yielding.lua", "and its file")
	tap.is(require "yielding", m, "and is loaded once")

	module("silent", "return nil")
	tap.is(require "silent", true, "a module without a value is true")

	INIT_ORDER = {} -- luacheck: ignore 111
	module("inner", [[
		require "skynet".init(function() table.insert(INIT_ORDER, "inner") end)
		return "inner"
	]])
	module("outer", [[
		local skynet = require "skynet"
		skynet.init(function() skynet.sleep(1) table.insert(INIT_ORDER, "outer") end)
		require "inner"
		return "outer"
	]])
	require "outer"
	tap.is(table.concat(INIT_ORDER, " "), "inner outer", -- luacheck: ignore 113
		"init functions of inner modules run first")
	tap.raises(function()
		skynet.init(function() end)
	end, "skynet.init", "skynet.init outside of a load is an error")

	module("slow", [[
		local skynet = require "skynet"
		SLOW_COUNT = (SLOW_COUNT or 0) + 1
		skynet.sleep(3)
		return { "slow" }
	]])
	local values, done = {}, 0
	for i = 1, 5 do
		skynet.fork(function()
			values[i] = require "slow"
			done = done + 1
		end)
	end
	tap.eventually(function()
		return done == 5
	end, "several coroutines get a module that is being loaded")
	tap.is(SLOW_COUNT, 1, "which runs once") -- luacheck: ignore 113
	tap.ok(values[1] and values[1] == values[5], "all get the same value")

	module("failing", [[
		local skynet = require "skynet"
		skynet.sleep(2)
		error "failed on purpose"
	]])
	local messages = {}
	for i = 1, 2 do
		skynet.fork(function()
			messages[i] = select(2, pcall(require, "failing"))
		end)
	end
	tap.eventually(function()
		return messages[1] and messages[2]
	end, "all coroutines hear of a failure")
	tap.like(messages[1], "failed on purpose.*stack traceback", "the one that loads gets the reason")
	tap.like(messages[2], "require failing failed", "the one that waits gets told")
	tap.is(package.loaded.failing, nil, "a failure is not kept")
	tap.raises(function()
		require "failing"
	end, "failed on purpose", "the next one tries again")

	module("circle_a", [[ return require "circle_b" ]])
	module("circle_b", [[ return require "circle_a" ]])
	tap.raises(function()
		require "circle_a"
	end, "circular dependency", "a circle is an error")

	module("cross_a", [[ require "skynet".sleep(2) return require "cross_b" ]])
	module("cross_b", [[ require "skynet".sleep(2) return require "cross_a" ]])
	local crossed = 0
	for _, name in ipairs { "cross_a", "cross_b" } do
		skynet.fork(function()
			pcall(require, name)
			crossed = crossed + 1
		end)
	end
	tap.eventually(function()
		return crossed == 2
	end, "a circle over two coroutines ends, too")

	tap.raises(function()
		require "no.such.module"
	end, "module 'no.such.module' not found:.*no file", "a missing module gives the stock text")
	module("wrong", "this is not Lua")
	tap.raises(function()
		require "wrong"
	end, "error loading module 'wrong' from file", "a syntax error gives the stock text")
	package.preload.ready = function(name)
		return name .. " from preload"
	end
	tap.is(require "ready", "ready from preload", "package.preload comes first")
	tap.is(type(require "skynet.debugchannel"), "table", "C modules load in a coroutine")
end)
