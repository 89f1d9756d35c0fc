---Where a cluster node may be, what calls to one do that is not known (yet), and proxies of both
---types of messages. The node calls itself.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local tap = require "tap"

local FOLDER <const> = skynet.getenv "test_tmp"

local echo

local function answers(node)
	return cluster.call(node, echo, "echo", node) == node
end

local function kind_of(func, ...)
	return skynet.error_kind(select(2, pcall(func, ...)))
end

---Whether this system has a name for its own address.
local function has_localhost()
	local hosts = io.open "/etc/hosts"
	local text = hosts and hosts:read "a" or ""
	if hosts then
		hosts:close()
	end
	return text:find "localhost" ~= nil
end

local function all_forms_of_addresses()
	cluster.reload { path = ("unix:%s/with a blank"):format(FOLDER) }
	tap.is(cluster.open "path", "path", "a node may listen at a path")
	tap.ok(answers "path", "and is called there")
	local _, port = cluster.open(0)
	cluster.reload { ipv4 = "127.0.0.1:" .. port, name = "localhost:" .. port }
	tap.ok(answers "ipv4", "a node has an IPv4 address")
	if has_localhost() then
		tap.ok(answers "name", "or a name that is resolved")
	else
		tap.note "no localhost in /etc/hosts here"
	end
	-- `open` takes a port of all IPv4 interfaces only
	local has_ipv6, _, port_6 = pcall(skynet.call, ".clusterd", "lua", "listen", "::1", 0)
	if has_ipv6 then
		cluster.reload { ipv6 = "[::1]:" .. port_6 }
		tap.ok(answers "ipv6", "or an IPv6 address in brackets")
	else
		tap.note "no IPv6 here"
	end
end

local function nodes_that_come_later()
	local ended = {}
	for _, node in ipairs { "later", "never" } do
		skynet.fork(function()
			ended[node] = table.pack(pcall(cluster.call, node, echo, "echo", node))
		end)
	end
	local sender
	skynet.fork(function()
		sender = cluster.get_sender "later" or false
	end)
	tap.ok(answers "path", "a known node is called while others are waited for")
	tap.ok(not ended.later and sender == nil, "a call to a node that nobody knows waits")
	cluster.reload { later = ("unix:%s/with a blank"):format(FOLDER) }
	tap.eventually(function()
		return ended.later and sender
	end, "until a reload names it")
	tap.is(ended.later[2], "later", "and gets its answer")
	tap.ok(not ended.never, "while others wait on")
	cluster.reload { __nowaiting = true }
	tap.eventually(function()
		return ended.never
	end, "which ends when waiting is switched off")
	tap.is(skynet.error_kind(ended.never[2]), "dead_node", "as with a dead node")
	tap.like(ended.never[2], "never.*absent", "and a text that names it")
	cluster.reload { later = false }
	tap.is(cluster.get_sender "later", nil, "a node that is down on purpose has no sender")
	tap.is(kind_of(cluster.call, "later", echo, "echo"), "dead_node", "and cannot be called")
	cluster.send("later", echo, "note", 1)
	tap.is(#cluster.call("path", echo, "notes"), 0, "what is sent to it is lost")
end

local function names_on_all_nodes()
	cluster.register("somewhere", echo)
	cluster.reload { dead = ("unix:%s/nobody"):format(FOLDER) }
	local node, handle = cluster.query(nil, "somewhere")
	tap.ok(node ~= "dead" and node ~= "later" and handle == echo,
		"a name is found though a node is dead and another one down")
	tap.raises(function() cluster.query(nil, "nowhere") end, "no node has the name 'nowhere'",
		"one that nobody has is an error that names it")
end

---snax objects come from a library of their own: what the cluster gives it.
local function proxies_of_snax()
	skynet.register_protocol {
		name = "snax",
		id = 11,
		pack = skynet.pack,
		unpack = skynet.unpack,
	}
	package.loaded["skynet.snax"] = {
		bind = function(proxy, name)
			return { proxy = proxy, name = name }
		end,
	}
	local object = cluster.snax("path", "echo", echo)
	tap.is(object.name, "echo", "a snax object has the name of its type")
	tap.is(object.proxy, cluster.proxy("path", echo), "and the proxy of its service")
	tap.is(skynet.call(object.proxy, "snax", "echo", 7), 7, "its requests arrive as lua")
	skynet.send(object.proxy, "snax", "note", 2)
	tap.is(#skynet.call(object.proxy, "snax", "notes"), 1, "so do messages without an answer")
	tap.raises(function() cluster.proxy "path" end, "node@name", "a proxy needs an address")
end

tap.run(function()
	echo = skynet.newservice "cluster_echo"
	all_forms_of_addresses()
	nodes_that_come_later()
	names_on_all_nodes()
	proxies_of_snax()
end)
