---The file of cluster names: one that cannot be used changes nothing, and says what is wrong where.
-- config: cluster = "$TEST_TMP/names.lua"
-- config: test_names = "$TEST_TMP/names.lua"
local skynet = require "skynet"
local cluster_names = require "skynet.cluster_names"
local subject = require "subject"
local tap = require "tap"

local PATH <const> = skynet.getenv "test_names"

local function write(text)
	local file <close> = assert(io.open(PATH, "w"))
	file:write(text)
end

---What is in the file, and what is said of it behind the name of the file.
local WRONG <const> = {
	{ "one = ", ":1: unexpected symbol" },
	{ "one = 'a:1'\ntwo = three.four", ":2: attempt to index a nil value" },
	{ "\nerror 'x'", ":2: attempt to call a nil value" },
	{ "\n\nwhile true do end", ":3: it does not come to an end" },
	{ "\27Lua", ": attempt to load a binary chunk" },
	{ "one = 5", ": address of node 'one' is a number" },
	{ "one = true", ": address of node 'one' is a boolean" },
	{ "one = 'nowhere'", ": address of node 'one': 'nowhere' is not host:port" },
	{ "one = 'a:65536'", ": address of node 'one': 'a:65536' is not host:port" },
	{ "one = 'a b:1'", ": address of node 'one': 'a b:1' is not host:port" },
	{ "__nowaitin = true", ": cluster option '__nowaitin' is unknown" },
	{ "__nowaiting = 1", ": cluster option '__nowaiting' must be true or false" },
	{ "__call_timeout = -1", ": cluster option '__call_timeout' must be a deadline" },
}

local function every_mistake_is_told_with_its_place()
	for _, case in ipairs(WRONG) do
		write(case[1])
		local ok, message = pcall(cluster_names.load, PATH)
		tap.ok(not ok and message:find(PATH .. case[2], 1, true), case[1]:gsub("\n", " "), message)
	end
	os.remove(PATH)
	local ok, message = pcall(cluster_names.load, PATH)
	tap.ok(not ok and message:find(PATH, 1, true), "a file that is not there is named", message)
	ok, message = pcall(cluster_names.load, skynet.getenv "test_tmp")
	tap.ok(not ok and message:find "directory", "a folder is no file", message)
end

local function all_forms_are_read()
	write [[
		ipv4, name, ipv6 = "10.0.0.1:1", "host.domain:65535", "[::1]:2"
		path, down = "unix:/tmp/with space", false
		__nowaiting, __call_timeout = true, 500
		for i = 1, 2 do _ENV["game" .. i] = "10.0.1." .. i .. ":1" end
	]]
	local new = cluster_names.load(PATH)
	tap.is(new.game2, "10.0.1.2:1", "a file may compute names")
	tap.is(new.down, false, "a node may be down on purpose")
	tap.is_deeply({ cluster_names.split_address(new.ipv6) }, { "::1", 2 }, "brackets are taken off")
	tap.is_deeply({ cluster_names.split_address(new.path) }, { "unix:/tmp/with space", 0 },
		"a path has no port")
end

local function the_service_keeps_what_it_has()
	write "one = 'unix:/one' __nowaiting = true"
	local cluster = require "skynet.cluster"
	tap.is_deeply(skynet.call(".clusterd", "lua", "nodes"), { "one" }, "the file is read at the start")
	for _, case in ipairs(WRONG) do
		write("two = 'unix:/two'\n" .. case[1])
		tap.raises(cluster.reload, "call failed", "a reload fails: " .. case[1]:gsub("\n", " "))
	end
	local told = "cluster keeps its names: " .. PATH:gsub("%p", "%%%0")
	subject.logs(told, "the log tells of a wrong one")
	tap.is_deeply(skynet.call(".clusterd", "lua", "nodes"), { "one" }, "nothing has changed")
	write "two = 'unix:/two'"
	tap.eventually(function()
		return #skynet.call(".clusterd", "lua", "nodes") == 2
	end, "a file that is right is read when it has been written")
end

---Calls that wait for their answer while the file changes, in each way that files change.
local function calls_in_flight_are_not_lost()
	local cluster = require "skynet.cluster"
	local held, answered, events = {}, 0, {}
	skynet.dispatch("lua", function(_, _, number)
		held[number] = skynet.response()
	end)
	cluster.register "held"
	local here = ("here = 'unix:%s/here' "):format(skynet.getenv "test_tmp")
	write(here)
	tap.eventually(function()
		return pcall(cluster.open, "here")
	end, "a node is named")
	cluster.on_node(function(node, what)
		events[node .. " " .. what] = true
	end)
	local changes = {
		-- written in place, replaced, taken away and made again, wrong, and right again
		function(text) write(text) end,
		function(text)
			write(text)
			os.rename(PATH, PATH .. ".new")
			os.rename(PATH .. ".new", PATH)
		end,
		function(text)
			os.remove(PATH)
			write(text)
		end,
		function(text)
			write "here ="
			write(text)
		end,
	}
	for number, change in ipairs(changes) do
		skynet.fork(function()
			local ok, answer = pcall(cluster.call, "here", "@held", number)
			answered = answered + (ok and answer == -number and 1 or 0)
		end)
		tap.eventually(function()
			return held[number]
		end, "a call is under way")
		change(here .. ("other = 'unix:/other%d' gone%d = false"):format(number, number))
		tap.eventually(function()
			return events[("gone%d changed"):format(number)]
		end, "another name changes")
	end
	for number, response in ipairs(held) do
		response(true, -number)
	end
	tap.eventually(function()
		return answered == #changes
	end, "every call gets its answer")
	tap.is(events["here down"], nil, "over the same connection")
end

tap.run(function()
	every_mistake_is_told_with_its_place()
	all_forms_are_read()
	the_service_keeps_what_it_has()
	calls_in_flight_are_not_lost()
end)
