--- skynet.manager, and the callbacks that see messages before the dispatcher.
local skynet = require "skynet"
require "skynet.manager"
local harbor = require "skynet.harbor"
local subject = require "subject"
local tap = require "tap"

local function test_names(peer)
	skynet.register ".test_manager"
	tap.is(skynet.localname ".test_manager", skynet.self(), "register gives a local name")
	skynet.name(".peer", peer)
	tap.is(subject.eval(".peer", "return skynet.self()"), peer, "name names another")
	skynet.name(".peer", skynet.self())
	tap.is(skynet.localname ".peer", peer, "a taken name stays")
	tap.eventually(function()
		return subject.logged("does not get the local name '.peer': it belongs to "
			.. skynet.address(peer))
	end, "and the log says whose it is")
	skynet.name(".two words", peer)
	tap.eventually(function()
		return subject.logged "does not get the local name '.two words': it has blanks"
	end, "a name that cannot be given is told too")
	skynet.name("TEXT", skynet.address(peer))
	tap.is(harbor.queryname "TEXT", peer, "a handle may be given as text")
	for _, name in ipairs { "0123456789abcdef", ":1", "12" } do
		tap.raises(function() skynet.register(name) end,
			"not a global name", name .. " is no global name")
	end
	tap.is(skynet.launch "no_such_module", nil, "a module that is not there does not start")
end

local function test_kill()
	local victims = { subject.new(), subject.new(), subject.new() }
	skynet.name(".victim", victims[3])
	skynet.kill(victims[1])
	skynet.kill(skynet.address(victims[2]))
	skynet.kill ".victim"
	for index, victim in ipairs(victims) do
		tap.ok(not skynet.send(victim, "debug", "PING"), "kill takes each form of address " .. index)
	end
	local listed = skynet.call(".launcher", "lua", "LIST")
	tap.is(listed[skynet.address(victims[3])], nil, "one killed by its name is not listed any more")
	tap.ok(pcall(skynet.kill, ".nobody"), "to kill nobody is no error")
end

local function test_filter()
	local filter = skynet.newservice("manager_peer", "filter")
	tap.is(skynet.call(filter, "lua", "hello"), "filtered hello", "a filter can change messages")
	tap.is(skynet.call(filter, "lua", "again"), "filtered again", "each of them")
	local ok = pcall(skynet.call, filter, "lua", "error")
	tap.is(ok, false, "errors of handlers are answered")
	local line = "lua call %[%x+ to %x+ : %d+ msgsz = %d+%] error"
	tap.eventually(function() return subject.logged(line) end,
		"and logged")
	tap.is(skynet.call(filter, "lua", "still"), "filtered still", "and it goes on")
end

local function test_forward()
	local target = subject.new()
	local forward = skynet.newservice("manager_peer", "forward", target)
	local text = "require 'skynet'.retpack('forwarded', (select(3, ...)))"
	tap.is_deeply({ skynet.call(forward, "lua", text, 5) }, { "forwarded", 5 },
		"a message can be passed on as it is")
	local ok = pcall(skynet.call, forward, "debug", "NONESUCH")
	tap.is(ok, false, "other types are handled as usual")
	tap.is(select("#", skynet.call(forward, "debug", "PING")), 0, "and answered")
end

local function test_raw_callback()
	local raw = skynet.newservice("manager_peer", "raw")
	tap.is(skynet.call(raw, "lua", "x"), "raw", "core.callback sees everything")
	skynet.send(raw, "lua", "error")
	tap.eventually(function() return subject.logged "raw trouble\nstack traceback" end,
		"its errors are logged with their stack")
	tap.is(skynet.call(raw, "lua", "x"), "raw", "and it goes on")
end

tap.run(function()
	local peer = subject.new()
	test_names(peer)
	test_kill()
	test_filter()
	test_forward()
	test_raw_callback()
end)
