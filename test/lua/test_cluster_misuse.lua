---What cluster functions say of arguments that they cannot use; nothing else is lost by these.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local tap = require "tap"

local UNIX_MAX <const> = 107 -- bytes of a path

---Arguments of a function, and what is said of them.
---@type { [1]: string, [2]: table, [3]: string }[]
local WRONG <const> = {
	{ "register", { 5 }, "#1 to 'register' %(name expected, got 5%)" },
	{ "register", { "bad", "handle" }, "#2 to 'register' %(handle expected, got string%)" },
	{ "register", { "bad", 1.5 }, "#2 to 'register' %(handle expected, got 1.5%)" },
	{ "register", { "bad", 0 }, "#2 to 'register' %(handle expected, got 0%)" },
	{ "register", { "bad", 1 << 32 }, "#2 to 'register' %(handle expected, got 4294967296%)" },
	{ "unregister", {}, "#1 to 'unregister' %(name expected, got nil%)" },
	{ "open", {}, "#1 to 'open' %(name of a node or port expected, got nil%)" },
	{ "open", { 65536 }, "#1 to 'open' .*65536" },
	{ "open", { 1.5 }, "#1 to 'open' .*1.5" },
	{ "open", { 0, 0 }, "#2 to 'open' %(positive integer expected, got 0%)" },
	{ "open", { 0, "many" }, "#2 to 'open' %(positive integer expected, got string%)" },
	{ "open", { "absent" }, "%[absent%] has no address" },
	{ "reload", { 5 }, "#1 to 'reload' %(table expected, got 5%)" },
	{ "reload", { { other = "unix:" } }, "address of node 'other': 'unix:' is not" },
	{ "reload", { { other = "a\nb:1" } }, "address of node 'other': 'a%?b:1' is not host:port" },
	{ "reload", { { other = "::1:17102" } }, "'::1:17102' is not host:port, %[IPv6%]:port" },
	{ "reload", { { other = ("h"):rep(256) .. ":1" } }, "address of node 'other'" },
	{ "reload", { { other = "unix:" .. ("p"):rep(UNIX_MAX + 1) } }, "at most 107 bytes" },
	{ "reload", { { ["a\0b"] = "h:1" } }, "'a%?b' is not the name of a node" },
	{ "reload", { { [("n"):rep(128)] = "h:1" } }, "is not the name of a node" },
	{ "call", { "me\0", "@echo" }, "is not the name of a cluster node" },
	{ "call", { ("n"):rep(128), "@echo" }, "is not the name of a cluster node" },
	{ "call", { "me", "@" .. ("n"):rep(255) }, "an address is a handle, or a string of 1 to 255" },
	{ "call", { "me", "" }, "an address is a handle, or a string of 1 to 255 bytes" },
	{ "call_timeout", { 0, "me", "@echo" }, "#1 to 'call_timeout' .*got 0" },
	{ "call_timeout", { 1 << 31, "me", "@echo" }, "#1 to 'call_timeout' .*got 2147483648" },
	{ "call_timeout", { 1.5, "me", "@echo" }, "#1 to 'call_timeout' .*got 1.5" },
	{ "proxy", {}, "#1 to 'proxy' %(name of a node expected, got nil%)" },
	{ "proxy", { "me" }, "'me' is not node@name or node.name" },
	{ "proxy", { "me", {} }, "#2 to 'proxy' %(address expected, got table%)" },
	{ "proxy", { "me", "@" .. ("n"):rep(300) }, "cannot start the proxy" },
	{ "query", { "me" }, "#2 to 'query' %(name expected, got nil%)" },
	{ "get_sender", {}, "#1 to 'get_sender' %(name of a node expected, got nil%)" },
	{ "on_node", {}, "#1 to 'on_node' %(function expected, got nil%)" },
}

local function arguments_that_cannot_be_used_are_named()
	for _, case in ipairs(WRONG) do
		local func, arguments, said = table.unpack(case)
		tap.raises(function()
			cluster[func](table.unpack(arguments))
		end, said, ("%s: %s"):format(func, said))
	end
end

---A name once stood for what had been registered, and no question about it was answered, nor any
---behind it.
local function a_handle_that_is_none_leaves_the_name_free()
	tap.raises(function()
		skynet.call(".clusterd", "lua", "register", "bad", "handle")
	end, "integer", "clusterd refuses it too")
	tap.raises(function() cluster.call_timeout(2000, "me", "@bad", "echo") end, "Invalid name",
		"the name is not taken")
	tap.is(cluster.call_timeout(2000, "me", "@echo", "echo", 1), 1, "and the others are called")
end

local function addresses_keep_their_type()
	local number, text = cluster.proxy("me", 1), cluster.proxy("me", "1")
	tap.isnt(number, text, "a handle is no name of the same digits")
	local echo = cluster.query("me", "echo")
	tap.is(cluster.call("me", echo + 0.0, "echo", 2), 2, "a whole float is a handle")
end

---A proxy can be had before its node.
local function proxies_do_not_wait_for_their_nodes()
	local made, task = {}, coroutine.running()
	for i = 1, 3 do
		skynet.fork(function()
			made[i] = cluster.proxy "later@echo"
			skynet.wakeup(task)
		end)
	end
	skynet.wait(task)
	tap.eventually(function() return #made == 3 end, "the proxy of a node that is not known is there")
	tap.ok(made[1] == made[2] and made[2] == made[3], "and there is one")
	cluster.reload { later = false }
	tap.raises(function() skynet.call(made[1], "lua", "echo") end,
		"dead node later %(down on purpose%)", "its calls say when the node is down")
	cluster.reload { later = skynet.getenv "test_address" }
	tap.is(skynet.call(made[1], "lua", "echo", 3), 3, "and arrive when it is there")
end

local function what_is_no_socket_is_not_called_an_address_in_use()
	local path = skynet.getenv "test_tmp" .. "/file"
	assert(io.open(path, "w")):close()
	cluster.reload { occupied = "unix:" .. path }
	tap.raises(function() cluster.open "occupied" end, "cannot listen: cannot bind .*File exists",
		"a file in the place of a socket is said to exist")
	tap.ok(os.remove(path), "and stays")
	tap.raises(function() cluster.open "me" end, "Address already in use",
		"a socket that is in use is told apart")
end

local function a_dead_service_is_not_taken_for_the_sender()
	tap.raises(function() cluster.call("me", ".nobody", "echo") end,
		"dead service of cluster node me", "the error names the node of a dead service")
end

tap.run(function()
	local address = "unix:" .. skynet.getenv "test_tmp" .. "/listener"
	skynet.setenv("test_address", address)
	cluster.reload { me = address }
	cluster.open "me"
	cluster.register("echo", skynet.newservice "cluster_echo")
	arguments_that_cannot_be_used_are_named()
	a_handle_that_is_none_leaves_the_name_free()
	addresses_keep_their_type()
	proxies_do_not_wait_for_their_nodes()
	what_is_no_socket_is_not_called_an_address_in_use()
	a_dead_service_is_not_taken_for_the_sender()
end)
