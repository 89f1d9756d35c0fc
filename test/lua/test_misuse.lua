---What code is told that uses the library wrongly: the texts of errors, each from a service of its
---own. Wrong types of single arguments are in test_wrong_types, what nobody can do is not here.
local skynet = require "skynet"
local manager = require "skynet.manager"
local subject = require "subject"
local tap = require "tap"

local DEADLINE_CS <const> = 6000

---Name of a library -> code that raises, and what its error contains.
---@type table<string, table<string, string>>
local RAISES <const> = {
	["skynet"] = {
		["lib.send('', 'lua')"] = "dest address must not be an empty string",
		["lib.send(0, 'lua')"] = "Invalid service address 0",
		["lib.call({}, 'lua')"] = "must be a string or number",
		["lib.init(print) lib.init(print)"] = "skynet.init is for the main chunk, and for modules",
		["coroutine.wrap(function() lib.sleep(0) end)()"] =
			"attempt to block inside a native coroutine %(use skynet.coroutine%)",
		["table.sort({ 3, 2, 1 }, function() lib.sleep(0) end)"] =
			"attempt to yield across a C%-call boundary",
		["lib.newservice ''"] = "launch snlua  failed",
	},
	["skynet.coroutine"] = {
		-- one that waits for the framework can be resumed by the framework only
		[ [[local co = lib.create(function() require("skynet").sleep(200) end)
			require("skynet").fork(function() lib.resume(co) end)
			require("skynet").sleep(1)
			assert(lib.resume(co)) ]] ] = "cannot resume a skynet coroutine suspend by skynet framework",
	},
	["skynet.cluster"] = {
		["lib.call('a node', '@x')"] = "'a node' is not the name of a cluster node",
		["lib.send('', '@x')"] = "'' is not the name of a cluster node",
		["lib.proxy 'node'"] = "'node' is not node@name or node.name",
		["lib.on_node(1)"] = "bad argument #1 to 'on_node' %(function expected, got 1%)",
	},
	["skynet.cluster.core"] = {
		["lib.packrequest(('x'):rep(256), 1, require('skynet').pack())"] =
			"name length is invalid, must be between 1 and 255 characters",
		["lib.packrequest('', 1, require('skynet').pack())"] = "name length is invalid",
		["lib.packrequest(true, 1, require('skynet').pack())"] = "name is not a string, it's a boolean",
	},
	["skynet.harbor"] = {
		["lib.globalname(1)"] = "bad argument #1 to 'globalname' %(name expected, got number%)",
		["lib.globalname('x', {})"] = "bad argument #2 to 'globalname' %(address expected, got table%)",
		["lib.queryname(('x'):rep(16))"] = "'x+' is not a global name, a string of 1 to 15 bytes",
		["lib.link 'x'"] = "harbor x cannot be linked: ids are integers",
		["lib.linkmaster()"] = "there is no master in single node mode",
	},
	["skynet.manager"] = {
		["lib.name('.x', {})"] = "bad argument #2 to 'name' %(address expected, got table%)",
		["lib.name('x', '.launcher')"] =
			"bad argument #2 to 'name' %(address expected, got .launcher%)",
		["lib.name()"] = "^subject:3: bad argument #1 to 'name' %(string expected, got nil%)",
		["lib.register(1)"] = "bad argument #1 to 'register' %(string expected, got number%)",
		["lib.register ''"] = "'' is not a global name, which has 1 to 15 bytes",
		["lib.register '.'"] = "'%.' is not a global name",
	},
	["skynet.mqueue"] = {
		["lib.register 'x'"] = "bad argument #1 to 'register' %(function expected, got string%)",
		["lib.register(print) lib.register(print)"] = "mqueue.register was called before",
	},
	["skynet.dns"] = {
		["lib.server()"] = "bad argument #1 to 'server' %(address expected, got nil%)",
		["lib.server('127.0.0.1', 'x')"] = "bad argument #2 to 'server' %(port expected, got x%)",
	},
	["skynet.service"] = {
		["lib.new({}, print)"] = "bad argument #1 to 'new' %(string expected, got table%)",
		["lib.new('x', {})"] = "bad argument #2 to 'new' %(function expected, got table%)",
		["local outer = 1 lib.new('x', function() return outer end)"] =
			"the function uses the outer variable 'outer'; pass it as an argument",
		["lib.close()"] = "bad argument #1 to 'close' %(string expected, got nil%)",
		["lib.query {}"] = "the name of a service is a string, not a table",
		["lib.new('print', print)"] = "unable to dump given function",
	},
	["skynet.socket"] = {
		["lib.udp(1)"] = "bad callback %(function expected, got number%)",
		["local id = lib.listen('127.0.0.1', 0) lib.read(id, -1)"] = "count of bytes below zero",
		["lib.read(12345)"] = "socket %(12345%) is not open here",
	},
	["skynet.socketdriver"] = {
		["lib.push({}, {}, nil, 0)"] = "need buffer object at param 1",
		["lib.push(lib.buffer(), {}, 'text', 4)"] = "need message block at param 3",
	},
	["skynet.netpack"] = {
		["lib.tostring('text', 4)"] = "pointer expected",
		["lib.pack(('x'):rep(65536))"] = "Invalid size %(too long%) of data : 65536",
	},
	["skynet.multicast.core"] = {
		["lib.group():add(0)"] = "not a handle",
		["lib.group():add(1 << 32)"] = "not a handle",
		["lib.group():remove(-1)"] = "not a handle",
		["lib.group():publish(1, 1, 0, {}, 1)"] = "string or light userdata expected",
		["lib.group():publish(1, 1, 0, nil, 1)"] = "not a size",
		["lib.group():publish(1, -1, 0, 'x')"] = "not a channel",
		["lib.group():publish(1, 1, -1, 'x')"] = "not a session",
		["lib.group().add('x', 1)"] = "skynet.multicast.group expected, got string",
	},
	["skynet.queue"] = {
		["lib()(1)"] = "attempt to call a number value",
		["local lock = lib() pcall(lock, 1) lock(error, 'it is free again')"] = "it is free again",
	},
	["skynet.socketchannel"] = {
		["lib.channel {}"] = "host is needed",
		["lib.channel { host = 1 }"] = "bad host %(string expected, got number%)",
		["lib.channel { host = 'x', port = 'y' }"] = "bad port %(integer expected, got y%)",
		["lib.channel { host = 'x', backup = 'y' }"] = "bad backup %(table expected, got string%)",
		["local c = lib.channel { host = 'x' } c:close() c:request 'y'"] = "channel is closed",
		["local c = lib.channel { host = 'x' } c:close() c:response(print)"] = "channel is closed",
	},
	["skynet.multicast"] = {
		["lib.new { channel = 'x' }"] = "bad channel 'x' %(an integer from 0 to",
		["lib.topic ''"] = "bad topic '' %(a name of 1 to 255 bytes expected%)",
		["lib.topic(('x'):rep(256))"] = "bad topic 'x+' %(a name of 1 to 255 bytes expected%)",
		["lib.topic('x'):subscribe()"] = "the topic has no dispatch function",
		["local t = lib.topic 'x' t:delete() t:publish()"] = "the topic object was deleted",
		["local t = lib.topic 'x' t:delete() t:subscribe()"] = "the topic object was deleted",
		["lib.new():subscribe()"] = "the channel has no dispatch function",
	},
	["skynet.request"] = {
		["lib.new():add(1)"] = "assertion failed",
		["local r = lib.new() r:select() r:select()"] = "select may be used once",
		["lib.new { 1, 'no_such' }:select()"] = "unknown protocol 'no_such'",
		["lib.new():select {}"] = "number expected, got table",
	},
	["skynet.datacenter"] = {
		["lib.set(1)"] = "a path and a value are needed",
		["lib.set('a', 1) lib.set('a', 'b', 1)"] = "cannot store below the number at key 1",
		[ [[local skynet = require "skynet"
			local token = skynet.fork(lib.wait, "b", "c")
			skynet.yield()
			lib.wait "b" ]] ] = "somebody waits for a path below this one",
		[ [[local skynet = require "skynet"
			skynet.fork(lib.wait, "d")
			skynet.yield()
			lib.wait("d", "e") ]] ] = "somebody waits for a path above this one",
	},
	["snax.gateserver"] = {
		["lib.start {}"] = "handler needs the functions message and connect",
		["lib.start { message = print, connect = 1 }"] =
			"handler needs the functions message and connect",
	},
}

---Requests that services of the system refuse: service, code that calls it at `address`, text.
---@type { [1]: string, [2]: string, [3]: string }[]
local REFUSED <const> = {
	{ "service_cell", "'lua', 'work'", "this service has no function yet %(request 'work'%)" },
	{ "service_cell", "'lua', 'init', 'no byte code'", "attempt to load a text chunk" },
	{ "service_provider", "'lua', 'launch', 'x', 'no byte code'",
		"the code of the service cannot be loaded" },
	{ "service_provider", "'lua', 'query'", "the name of a service is a string, not a nil" },
	{ ".service", "'lua', 'QUERY'", "the name of a service is a string, not a nil" },
	{ "gate", "'lua', 'no_such'", "unknown command no_such" },
}

---Launches of C services with arguments that are none, and what the log says.
---@type table<string, string>
local LAUNCHES <const> = {
	["clusteragent"] = "clusteragent wants the id of a socket",
	["clusteragent x"] = "clusteragent wants the id of a socket",
	["clusterproxy node"] = "clusterproxy wants a node and an address",
	["clusterproxy node xyz"] = "clusterproxy wants a node and an address",
	["harbor"] = "harbor: the argument is '<id> <handle of the slave>'",
	["harbor 1 0"] = "harbor: the argument is '<id> <handle of the slave>'",
	["gate X ! 0 0 1"] = "gate wants '<S|L> <watchdog> <%[host:%]port> <type> <max>', not 'X ! 0 0 1'",
	["gate S ! 0 0 0"] = "gate wants '<S|L> <watchdog>",
	["gate S ! 127.0.0.1:65536 0 1"] = "gate port '65536' is not 0 to 65535",
	["gate S .no_such 127.0.0.1:0 0 1"] = "gate has no watchdog '.no_such'",
	["snlua"] = "snlua needs the name of a script",
}

local function check(what, ok, err, pattern)
	if ok then
		tap.fail(what .. " is an error", "nothing was raised")
	elseif not tostring(err):find(pattern) then
		tap.fail(what .. " is an error that says so", ("raised  %s\npattern %s"):format(err, pattern))
	else
		tap.pass(what .. " is an error that says so")
	end
end

local function test_libraries()
	for library, cases in pairs(RAISES) do
		for code, pattern in pairs(cases) do
			local victim = subject.new()
			local done, ok, err = pcall(skynet.call_timeout, DEADLINE_CS, victim, "lua", ([[
				local skynet = require "skynet"
				local lib = require %q
				local ok, err = pcall(function() %s end)
				skynet.retpack(ok, tostring(err))
			]]):format(library, code))
			local what = library .. ": " .. code:gsub("%s+", " ")
			check(what, done and ok, done and err or ok, pattern)
			skynet.send(".launcher", "lua", "KILL", victim)
		end
	end
end

local function test_services()
	for _, case in ipairs(REFUSED) do
		local address = case[1]
		if not address:find "^%." then
			address = skynet.newservice(address, "probe")
		end
		local ok, err = load(([[
			local skynet, address = ...
			return pcall(skynet.call, address, %s)
		]]):format(case[2]))(skynet, address)
		check(case[1] .. ": " .. case[2], ok, err, case[3])
	end
	for arguments, pattern in pairs(LAUNCHES) do
		tap.is(manager.launch(arguments), nil, ("'%s' is not launched"):format(arguments))
		subject.logs(pattern, "and the log says why")
	end
end

tap.run(function()
	test_libraries()
	test_services()
	tap.is(subject.eval(subject.new(), "return 'alive'"), "alive", "the node lives on")
end)
