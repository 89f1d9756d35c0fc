-- The setting preload: a script that runs in every service before its main chunk.
-- config: preload = "./test/service/scripts/preload.lua"
local skynet = require "skynet"
local tap = require "tap"

local mine = PRELOADED -- luacheck: ignore 113

tap.run(function()
	tap.is(mine.words[1], "test_preload", "it gets the name of the script first")
	local probe = skynet.newservice("preload_probe", "a", 2)
	local left = skynet.call(probe, "lua")
	tap.is_deeply(left.words, { "preload_probe", "a", "2", n = 3 }, "and then the arguments")
	tap.is(left.path, skynet.getenv "lua_path", "package.path is set already")
	tap.is(left.is_stock, true, "require is still the stock one")
	tap.is(LUA_PRELOAD, nil, "LUA_PRELOAD is gone") -- luacheck: ignore 113
end)
