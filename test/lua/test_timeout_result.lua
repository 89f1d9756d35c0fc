--- skynet.timeout returns its coroutine to whoever takes it, in whatever way it is called.
local skynet = require "skynet"
local tap = require "tap"

local function nothing() end

local function tail_call()
	return skynet.timeout(0, nothing)
end

local function through_varargs(...)
	return ...
end

local function is_thread(value, name)
	tap.is(type(value), "thread", name)
end

local function test_result_is_there()
	is_thread(tail_call(), "a tail call returns the coroutine")
	is_thread((select(2, pcall(skynet.timeout, 0, nothing))), "a protected call returns it")
	is_thread(({ skynet.timeout(0, nothing) })[1], "a table constructor gets it")
	is_thread(through_varargs(skynet.timeout(0, nothing)), "an argument list gets it")
	is_thread((skynet.timeout(0, nothing)), "an expression gets it")
	local callable = setmetatable({}, { __call = function(_, ...) return skynet.timeout(...) end })
	is_thread(callable(0, nothing), "a caller through __call gets it")
	local thread = coroutine.wrap(skynet.timeout)(0, nothing)
	is_thread(thread, "a native coroutine returns it")
	local _, last = 1, skynet.timeout(0, nothing)
	is_thread(last, "the last of several values is it")
end

local function test_result_is_not_there()
	local fired = 0
	local function count() fired = fired + 1 end
	skynet.timeout(0, count)
	pcall(skynet.timeout, 0, count)
	local function shielded()
		local _ <close> = setmetatable({}, { __close = nothing })
		skynet.timeout(0, count)
		return skynet.timeout(0, count)
	end
	is_thread(shielded(), "a function with a to-be-closed variable returns it")
	tap.eventually(function() return fired == 4 end, "those that nobody takes fire too")
	debug.sethook(nothing, "cr")
	local kept = skynet.timeout(0, count)
	skynet.timeout(0, count)
	debug.sethook()
	is_thread(kept, "under a hook, too, the result is there")
	tap.eventually(function() return fired == 6 end, "and all fire")
end

tap.run(function()
	test_result_is_there()
	test_result_is_not_there()
end)
