--- skynet.register_protocol, dispatch, the unknown hooks, and the functions of skynet.core.
local skynet = require "skynet"
local core = require "skynet.core"
local subject = require "subject"
local tap = require "tap"

local DEAD <const> = 0xfffff0

local function test_register(peer)
	subject.eval(peer, [[
		skynet.register_protocol {
			name = "upper", id = 99,
			pack = function(text) return text end,
			unpack = function(msg, sz) return skynet.tostring(msg, sz):upper() end,
		}
		skynet.dispatch("upper", function(session, source, text) skynet.ret("got " .. text) end)
		return 1]])
	skynet.register_protocol {
		name = "upper",
		id = 99,
		pack = function(text) return text end,
		unpack = skynet.tostring,
	}
	tap.is(skynet.call(peer, "upper", "abc"), "got ABC", "a protocol has its own pack and unpack")
	tap.is(skynet.call(peer, 99, "abc"), "got ABC", "and can be named by its id")
	local protocol = skynet._proto.upper
	tap.is(skynet._proto[99], protocol, "the registry has it by name and by id")
	protocol.pack = function(text) return text .. "!" end
	protocol.unpack = function(msg, sz) return skynet.tostring(msg, sz), "changed" end
	tap.is_deeply({ skynet.call(peer, "upper", "abc") }, { "got ABC!", "changed" },
		"changed fields take effect")
	protocol.pack = function(text)
		skynet.sleep(1)
		return text
	end
	protocol.unpack = function(msg, sz)
		local text = skynet.tostring(msg, sz)
		skynet.sleep(1)
		return text
	end
	tap.is(skynet.call(peer, "upper", "x"), "got X", "pack and unpack may block")
	tap.is(skynet.send(peer, "upper", "x"), 0, "also in send")
	protocol.pack = function() error "cannot pack" end
	tap.raises(function() skynet.call(peer, "upper", "x") end, "cannot pack", "their errors propagate")
	protocol.pack, protocol.unpack = tostring, error
	tap.raises(function() skynet.call(peer, "upper", "x") end, nil, "those of unpack too")
	protocol.pack = function() return nil end
	tap.raises(function() skynet.call(peer, "upper", "x") end, "invalid param nil",
		"pack must return a payload")
	for name, bad in pairs {
		["a taken name"] = { name = "lua", id = 100 },
		["a taken id"] = { name = "other", id = 99 },
		["no name"] = { id = 100 },
		["no id"] = { name = "other" },
		["an id out of range"] = { name = "other", id = 256 },
		["a negative id"] = { name = "other", id = -1 },
	} do
		tap.raises(function() skynet.register_protocol(bad) end,
			"assertion failed!", name .. " is refused")
	end
	tap.raises(function() skynet.register_protocol "x" end, "table expected", "so is what is no table")
end

--- The fields of a protocol are looked for where they were last; what changes must be seen.
local function test_changes(peer)
	local function ask(...)
		return table.concat({ skynet.call(peer, "moving", ...) }, " ")
	end
	local function change(text)
		subject.eval(peer, "local protocol = skynet._proto.moving " .. text .. " return 1")
	end
	skynet.register_protocol { name = "moving", id = 95, pack = skynet.pack, unpack = skynet.unpack }
	subject.eval(peer, [[
		skynet.register_protocol { name = "moving", id = 95, pack = skynet.pack, unpack = skynet.unpack }
		skynet.dispatch("moving", function(_, _, ...) skynet.retpack("first", ...) end)
		return 1]])
	for _ = 1, 3 do
		tap.is(ask(1), "first 1", "a handler is called")
	end
	change [[skynet.dispatch("moving", function(_, _, ...) skynet.retpack("second", ...) end)]]
	tap.is(ask(2), "second 2", "another handler takes effect")
	change [[collectgarbage() for i = 1, 40 do protocol["x" .. i] = i end collectgarbage()]]
	tap.is(ask(3), "second 3", "fields may be added")
	change [[protocol.dispatch = function(_, _, ...) skynet.retpack("third", ...) end]]
	tap.is(ask(4), "third 4", "a handler may be put into the table")
	change [[for i = 1, 40 do protocol["x" .. i] = nil end collectgarbage() protocol[1.5] = 1]]
	tap.is(ask(5), "third 5", "fields may be removed")
	change [[protocol.unpack = function(...) return "own", skynet.unpack(...) end]]
	tap.is(ask(6), "third own 6", "unpack may be changed")
	change [[protocol.unpack = skynet.unpack]]
	tap.is(ask(7), "third 7", "and changed back")
	change [[
		local fields = { unpack = protocol.unpack, dispatch = protocol.dispatch }
		protocol.unpack, protocol.dispatch = nil, nil
		setmetatable(protocol, { __index = fields })]]
	for _ = 1, 2 do
		tap.is(ask(8), "third 8", "fields may come from a metatable")
	end
	change [[protocol.dispatch = setmetatable({}, { __call = function(_, _, _, ...)
		skynet.retpack("fourth", ...) end })]]
	tap.is(ask(9), "fourth 9", "a handler may be a table that can be called")
	change [[protocol.dispatch = skynet.retpack]]
	tap.is(ask(10):match " (%d+)$", "10", "or a function in C")
	change [[setmetatable(protocol, nil) protocol.dispatch, protocol.unpack = nil, skynet.unpack]]
	tap.raises(function() ask(11) end, "no handler", "without a handler there is an error")
	change [[protocol.dispatch = function(_, _, ...) skynet.retpack("last", ...) end]]
	tap.is(ask(12), "last 12", "until there is one again")

	local mine = skynet._proto.moving
	mine.pack = function(...) return skynet.pack("packed", ...) end
	tap.is(ask(13), "last packed 13", "pack may be changed by who calls")
	tap.is(skynet.send(peer, "moving"), 0, "also when it sends")
	mine.pack = skynet.pack
	mine.unpack = function(...) return "unpacked", skynet.unpack(...) end
	tap.is(ask(14), "unpacked last 14", "and unpack")
	setmetatable(mine, { __index = { unpack = skynet.unpack } })
	mine.unpack = nil
	tap.is(ask(15), "last 15", "and both may come from a metatable")
end

local function test_dispatch(peer)
	local function handler() end
	tap.is(skynet.dispatch("upper", handler), nil, "dispatch returns the old function")
	tap.is(skynet.dispatch "upper", handler, "without function the current one")
	tap.is(skynet.dispatch "nonesuch", nil, "nil for an unknown protocol")
	tap.raises(function() skynet.dispatch("nonesuch", handler) end, "unknown protocol",
		"which cannot be set")
	subject.eval(peer, [[
		skynet.register_protocol { name = "mute", id = 98, unpack = skynet.tostring }
		return 1]])
	skynet.register_protocol { name = "mute", id = 98, pack = tostring, unpack = skynet.tostring }
	skynet.register_protocol { name = "unknown", id = 97, pack = tostring, unpack = skynet.tostring }
	local ok, err = pcall(skynet.call, peer, "mute", "x")
	tap.ok(not ok, "a request without handler is answered with an error: " .. err)
	ok, err = pcall(skynet.call, peer, "unknown", "x")
	tap.ok(not ok, "so is one of an unknown protocol: " .. err)
	skynet.send(peer, "mute", "lost text")
	skynet.send(peer, "unknown", "more lost text")
	tap.eventually(function() return subject.logged "Unknown request %(mute%): lost text" end,
		"a message without handler is logged")
	tap.eventually(function() return subject.logged "Unknown request %(97%): more lost text" end,
		"one of an unknown protocol with its id")
	subject.logs("Unknown session : 0 from %x+", "and an error is raised")
	subject.eval(peer, [[
		state.old = skynet.dispatch_unknown_request(function(...) state.unknown = table.pack(...) end)
		return state.old == nil]])
	skynet.send(peer, "mute", "abcde")
	local unknown = subject.eval(peer,
		"return { state.unknown[1], state.unknown[2], state.unknown[4], state.unknown[5] }")
	tap.is_deeply(unknown, { 0, skynet.self(), 5, "mute" }, "the hook gets what could not be handled")
	skynet.send(peer, "unknown", "abc")
	tap.is(subject.eval(peer, "return state.unknown[5]"), 97, "or the id")
end

local function test_unknown_response(peer)
	tap.is(core.redirect(peer, skynet.self(), skynet.PTYPE_RESPONSE, 12345, "stray"), 12345,
		"redirect returns the session")
	tap.eventually(function() return subject.logged "Response message : stray" end,
		"a reply that nobody waits for is logged")
	subject.logs("Unknown session : 12345 from %x+", "and an error is raised")
	subject.eval(peer, [[
		skynet.dispatch_unknown_response(function(...) state.stray = { ... } end)
		return 1]])
	core.redirect(peer, 77, skynet.PTYPE_RESPONSE, 12346, "stray")
	local stray = subject.eval(peer, "return { state.stray[1], state.stray[2], state.stray[4] }")
	tap.is_deeply(stray, { 12346, 77, 5 }, "the hook gets it")
end

local function test_error_protocol(peer)
	core.redirect(peer, 77, skynet.PTYPE_ERROR, 4242, "\xff\x00garbage")
	core.redirect(peer, 77, skynet.PTYPE_ERROR, 0, "")
	tap.is(subject.eval(peer, "return 1"), 1, "errors for unknown sessions are ignored")
	local ok, err = pcall(subject.call, peer, [[
		require("skynet.core").redirect(source, skynet.self(), skynet.PTYPE_ERROR, session,
			"\xff\x00garbage")
		skynet.ignoreret()]])
	tap.ok(not ok, "an error reply with garbage fails the call")
	tap.like(err, "call failed$", "without more")
	tap.is(skynet.error_kind(err), nil, "and without kind")
	for kind, text in pairs {
		dead_node = "call failed: dead node 7",
		overloaded = "call failed: overloaded 7",
		timeout = "call failed: timeout 7",
	} do
		ok, err = pcall(subject.call, peer, ([[
			require("skynet.core").redirect(source, skynet.self(), skynet.PTYPE_ERROR, session, "%s: 7")
			skynet.ignoreret()]]):format(kind))
		tap.ok(not ok and err:find(text, 1, true), "an error reply tells " .. text)
		tap.is(skynet.error_kind(err), kind, "of kind " .. kind)
	end
	subject.eval(peer, [[
		state.own = skynet.dispatch("error", function(...) state.error = { ... } end)
		return 1]])
	core.redirect(peer, 77, skynet.PTYPE_ERROR, 4242, "")
	tap.is_deeply(subject.eval(peer, "return { state.error[1], state.error[2] }"), { 4242, 77 },
		"the handler of errors can be replaced")
end

local function test_core_functions(peer)
	local text = skynet.packstring "require 'skynet'.ignoreret()"
	local session = core.send(peer, skynet.PTYPE_LUA, nil, text)
	tap.ok(session > 0, "core.send without session allocates one")
	tap.is(core.send(peer, skynet.PTYPE_LUA, 0, skynet.packstring ""), 0, "with one it returns that")
	tap.is(select("#", core.send(DEAD, 10, 0, "")), 0, "to a dead address nothing")
	tap.raises(function() core.send(peer, 10, -1, "") end, "not a session",
		"a session is not negative")
	local msg, size = skynet.pack ""
	tap.raises(function() core.send(peer, 10, 0, msg) end, "number expected", "a pointer needs a size")
	tap.raises(function() core.send(peer, 10, 0, msg, -1) end, "not be negative", "not a negative one")
	skynet.trash(msg, size)
end

local function test_payloads()
	local msg, size = skynet.pack("x", 1)
	tap.is(core.tostring(msg, size), skynet.packstring("x", 1),
		"pack and packstring give the same bytes")
	tap.is_deeply({ skynet.unpack(msg, size) }, { "x", 1 }, "unpack reads them")
	skynet.trash(msg, size)
	skynet.trash "text"
	tap.raises(function() skynet.trash(nil) end, "skynet.trash invalid param nil",
		"trash takes a payload")
	tap.is(select("#", core.tostring()), 0, "tostring of nil is nothing")
	tap.raises(function() core.tostring("text", 3) end, "userdata expected", "of a string an error")
	tap.is(select("#", core.unpack()), 0, "unpack of nil is nothing")
	tap.raises(function() core.unpack "\xff" end, "Invalid serialize stream", "malformed bytes raise")
end

local function test_commands()
	tap.is(core.command "NONESUCH", nil, "an unknown command has no result")
	tap.is(core.addresscommand "REG", skynet.self(), "addresscommand gives a number")
	tap.is(core.intcommand("STAT", "mqlen"), 0, "intcommand gives a number")
	tap.is(math.type(core.intcommand "STARTTIME"), "integer", "an integer")
	tap.raises(function() core.intcommand "REG" end, "Invalid result :%x+", "other results raise")
	for _, name in ipairs { "TIMEOUT", "QUERY", "STAT", "KILL", "NAME", "LAUNCH", "SIGNAL", "SETENV",
		"GETENV", "LOGON", "LOGOFF" } do
		pcall(core.command, name)
		pcall(core.command, name, "")
		pcall(core.command, name, "x")
	end
	tap.pass "commands survive missing and odd parameters"
	tap.is(select("#", core.harbor(skynet.self())), 2, "harbor returns node and remote")
	tap.is(skynet.address(16), ":00000010", "address makes text of a number")
	tap.is(skynet.address ".x", ".x", "and leaves text")
	tap.is(skynet.localname ".nonesuch", nil, "an unknown local name is nil")
	tap.is(skynet.getenv "nonesuch", nil, "an unknown setting is nil")
	skynet.setenv("test_key", 42)
	tap.is(skynet.getenv "test_key", "42", "a setting can be added")
	for _, key in ipairs { "", "two words", "line\n", "tab\t" } do
		tap.raises(function() skynet.setenv(key, 1) end,
			"bad argument #1 to 'setenv' .a key is one word", "setenv wants one word as key")
	end
	tap.raises(function() skynet.setenv("other_key") end,
		"bad argument #2 to 'setenv' .string expected, got n", "setenv wants a value")
	tap.raises(function() skynet.setenv("other_key", true) end,
		"bad argument #2 to 'setenv' .string expected, got boolean", "that is a string or a number")
	tap.raises(function() skynet.setenv({}, "x") end,
		"bad argument #1 to 'setenv' .string expected, got table", "setenv wants a string as key")
	tap.is(skynet.getenv "other_key", nil, "a key that was refused is not there")
	tap.raises(function() skynet.setenv("test_key", 1) end, "Can't setenv exist key : test_key",
		"but not changed")
	tap.is(skynet.stat "nonesuch", 0, "an unknown counter is 0")
	tap.ok(skynet.stat "message" > 0, "messages are counted")
	tap.is(skynet.endless(), false, "nothing is endless")
	tap.is(math.type(skynet.mqlen()), "integer", "the mailbox has a length")
	skynet.error("one", nil, 3, "a\0b")
	tap.eventually(function() return subject.logged "one nil 3 a%zb" end, "error logs all arguments")
	skynet.error()
	tap.eventually(function() return subject.logged "%] nil\n" end, "none is logged as nil")
end

local function test_table()
	local names = {}
	for name in pairs(skynet) do
		names[name] = true
	end
	for _, name in ipairs { "call", "send", "fork", "PTYPE_LUA", "newservice", "task", "cache",
		"_proto" } do
		tap.ok(names[name], "pairs(skynet) shows " .. name)
	end
	tap.is(skynet.nonesuch, nil, "an unknown name is nil")
	tap.is(rawget(skynet, "call"), skynet.call, "a function is there after its first use")
	tap.is(skynet.PTYPE_SNAX, 11, "message types are numbers")
	tap.is(skynet.pcall, pcall, "pcall is pcall")
	tap.is(skynet.cache, require "skynet.codecache", "cache is the code cache")
	tap.is(type(skynet.init), "function", "init is there")
end

--- What tools do instead of the kernel: sessions and deliveries of their own.
local function test_by_hand(peer)
	local first, second = skynet.genid(), skynet.genid()
	tap.ok(first > 0 and math.type(first) == "integer" and second ~= first,
		"genid gives a new session each time")
	local seen
	skynet.register_protocol {
		name = "by_hand",
		id = 96,
		unpack = skynet.tostring,
		dispatch = function(session, source, text)
			seen = { session, source, text }
			if text == "fail" then
				error "as told"
			end
		end,
	}
	local function deliver(text, session)
		local msg, size = require "skynet.socketdriver".str2p(text)
		local ok, err = pcall(skynet.dispatch_message, 96, msg, size, session, peer)
		core.trash(msg, size)
		return ok, err
	end
	tap.is(deliver("text", 0), true, "dispatch_message delivers a message")
	tap.is_deeply(seen, { 0, peer, "text" }, "with its session and source")
	local ok, err = deliver("fail", 0)
	tap.ok(not ok and err:find "as told", "and raises what its handler raised")
	local hooked
	local old = skynet.dispatch_unknown_response(function(session, source)
		hooked = { session, source }
	end)
	skynet.dispatch_message(skynet.PTYPE_RESPONSE, nil, 0, second, peer)
	skynet.dispatch_unknown_response(old or function() end)
	tap.is_deeply(hooked, { second, peer }, "responses as well")
end

tap.run(function()
	local peer = subject.new()
	test_register(peer)
	test_changes(peer)
	test_dispatch(peer)
	test_unknown_response(peer)
	test_core_functions(peer)
	test_payloads()
	test_commands()
	test_table()
	test_error_protocol(peer)
	test_by_hand(peer)
end)
