-- The first chunk of every Lua service, called with the whole argument text: a script name and
-- words. `skynet.loader` finds the script in the global LUA_SERVICE, sets SERVICE_NAME and
-- SERVICE_PATH, takes the search paths from LUA_PATH and LUA_CPATH, runs the file that LUA_PRELOAD
-- names, and then the script, with the words. It also installs the `require` that may yield.
--
-- The setting `lualoader` names another file when something else is to happen; that file finds the
-- same globals.
require "skynet.loader" (...)
