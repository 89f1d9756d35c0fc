-- How a script is found and what it sees.
-- config: luaservice = "test/lua/?.lua;test/service/?/main.lua;test/service/?.lua;./service/?.lua"
local skynet = require "skynet"
local tap = require "tap"

local arguments = { ... }
local name, folder = SERVICE_NAME, SERVICE_PATH

---Waits until the log has `text`.
local function logs(text, check)
	tap.eventually(function()
		local file <close> = assert(io.open(skynet.getenv "logger"))
		return file:read("a"):find(text, 1, true)
	end, check)
end

local function write(path, text)
	local file <close> = assert(io.open(path, "w"))
	file:write(text)
end

tap.run(function()
	tap.is(name, "test_loader", "SERVICE_NAME is the name of the script")
	tap.is(folder, "test/lua/", "SERVICE_PATH is the folder of the pattern")
	tap.is(#arguments, 0, "a script without arguments gets none")
	for _, global in ipairs { "LUA_PATH", "LUA_CPATH", "LUA_SERVICE", "LUA_PRELOAD" } do
		tap.is(rawget(_G, global), nil, global .. " is gone when the script runs")
	end
	tap.is(package.path, skynet.getenv "lua_path", "package.path is the setting")
	tap.is(package.cpath, skynet.getenv "lua_cpath", "package.cpath is the setting")
	for _, library in ipairs { "coroutine", "table", "io", "os", "string", "math", "utf8", "debug" } do
		tap.is(type(_G[library]), "table", "the library " .. library .. " is there")
	end

	local packaged = skynet.newservice("packaged", 1, "two", "three  four")
	local answer = table.pack(skynet.call(packaged, "lua"))
	tap.is(answer[1], "packaged", "a service in a folder has the name of the folder")
	tap.is(answer[2], "test/service/packaged/", "its SERVICE_PATH is the folder")
	tap.is(answer[3], "test/service/packaged/?.lua;" .. skynet.getenv "lua_path",
		"its folder comes first in package.path")
	tap.is(answer[4], "helper of the package", "it finds the modules in its folder")
	tap.is_deeply(answer[5], { "1", "two", "three", "four", n = 4 },
		"arguments arrive as words")

	tap.raises(function()
		skynet.newservice "no_such_script"
	end, "call failed", "a missing script fails the launch")
	for _, pattern in ipairs {
		"cannot open test/lua/no_such_script.lua",
		"cannot open test/service/no_such_script/main.lua",
		"cannot open ./service/no_such_script.lua",
	} do
		logs(pattern, "the log names " .. pattern)
	end
	logs("lua loader error : ", "the log says that the loader failed")

	tap.raises(function()
		skynet.newservice "100%s%1"
	end, "call failed", "percent signs in a name stand for themselves")
	logs("cannot open test/lua/100%s%1.lua", "and are logged as they are")

	local tmp = skynet.getenv "test_tmp"
	local up = ("../"):rep(32) -- out of the folder of any pattern
	write(tmp .. "/broken.lua", "this is not Lua")
	tap.raises(function()
		skynet.newservice(up .. tmp .. "/broken")
	end, "call failed", "a script with a syntax error fails the launch")
	logs("syntax error", "the log has the syntax error")

	write(tmp .. "/raising.lua", "error 'raised in the main chunk'")
	tap.raises(function()
		skynet.newservice(up .. tmp .. "/raising")
	end, "call failed", "an error in the main chunk fails the launch")
	logs("raised in the main chunk\nstack traceback:", "the log has the error with its traceback")
end)
