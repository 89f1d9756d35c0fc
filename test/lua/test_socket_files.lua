-- Descriptors of the system and watched files as sockets; the monitor of a node.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local tap = require "tap"

local folder = skynet.getenv "test_tmp"

local function shell(command)
	local pipe <close> = assert(io.popen(command))
	return pipe:read "a"
end

local function write_file(path, text)
	local file <close> = assert(io.open(path, "w"))
	file:write(text)
end

-- The number of the descriptor that this process has open for `path`, more than `known` of them.
local function descriptor_of(path)
	local listing = shell "ls -l /proc/$PPID/fd"
	for number, target in listing:gmatch " (%d+) %-> ([^\n]+)" do
		if target == path then
			return tonumber(number)
		end
	end
	return nil
end

local function test_bind()
	local path = shell("cd " .. folder .. " && pwd -P"):gsub("\n", "") .. "/pipe"
	shell("mkfifo " .. path)
	local file = assert(io.open(path, "r+"))
	local number = descriptor_of(path)
	if not tap.ok(number, "the pipe has a descriptor") then
		return
	end
	local id = socket.bind(number)
	tap.ok(id and id > 0, "bind answers an id")
	shell("echo from outside > " .. path)
	tap.is(socket.readline(id), "from outside", "what comes through a descriptor can be read")
	local kinds = {}
	for _, row in ipairs(socket.netstat()) do
		kinds[row.id] = row.type
	end
	tap.is(kinds[id], "BIND", "netstat calls it BIND")
	socket.close(id)
	tap.ok(file:write "still open\n" and file:flush(), "close leaves the descriptor to its owner")
	file:close()
	local ok, err = socket.bind(1 << 20)
	tap.ok(not ok and type(err) == "string", "a number that is no descriptor is refused")
	-- a file cannot be polled
	write_file(folder .. "/plain", "x")
	local plain <close> = assert(io.open(folder .. "/plain"))
	ok, err = socket.bind(assert(descriptor_of((path:gsub("pipe$", "plain")))))
	tap.is(plain:read "a", "x", "a file stays as it was")
	tap.ok(not ok and type(err) == "string", "so is a file")
end

local function test_watch()
	local path = folder .. "/watched"
	local seen = {}
	local id = socket.watch(path, function(changed)
		seen[#seen + 1] = changed
	end)
	tap.ok(id and id > 0, "watch answers an id")
	write_file(folder .. "/other", "x")
	write_file(path, "made")
	tap.eventually(function() return #seen > 0 end, "a file that is made is told")
	tap.is(seen[1], path, "with its path")
	seen = {}
	write_file(path .. ".new", "replaced")
	os.rename(path .. ".new", path)
	tap.eventually(function() return #seen > 0 end, "so is one that is replaced")
	seen = {}
	os.remove(path)
	tap.eventually(function() return #seen > 0 end, "and one that is removed")
	socket.close(id)
	local ok, err = socket.watch("/no/such/folder/file", print)
	tap.is(ok, nil, "a folder that is not there is no error to raise")
	tap.like(err, "/no/such/folder/file", "but one that names the path")
end

local function test_monitor()
	local monitor = skynet.monitor "death_watch"
	tap.is(math.type(monitor), "integer", "monitor starts a service of the network")
	tap.is(skynet.monitor("death_watch", true), monitor, "or finds it")
	local victim = skynet.newservice "puppet"
	skynet.kill(victim)
	tap.eventually(function()
		return skynet.call(monitor, "lua", victim)
	end, "it is told when a service ends")
	tap.raises(function() skynet.monitor "no_such_service" end, nil, "it has to be there")
end

tap.run(function()
	test_bind()
	test_watch()
	test_monitor()
end)
