-- The first chunk of every Lua service, called with the whole argument text: a script name and
-- words. Finds the script in LUA_SERVICE, sets SERVICE_NAME, SERVICE_PATH and the search paths, and
-- runs it with the words. Kept short: every service loads it.
-- luacheck: globals LUA_PATH LUA_CPATH LUA_SERVICE LUA_PRELOAD

local args = {}
for word in string.gmatch(..., "%S+") do
	args[#args + 1] = word
end
if not args[1] then
	error "no script name given"
end

SERVICE_NAME = args[1]

local main, pattern
local messages = {}
for pat in string.gmatch(LUA_SERVICE, "([^;]+);*") do
	-- a function, so that a percent sign in the name stands for itself
	local filename = string.gsub(pat, "?", function()
		return SERVICE_NAME
	end)
	local func, message = loadfile(filename)
	if func then
		main, pattern = func, pat
		break
	end
	messages[#messages + 1] = message
end
if not main then
	error(table.concat(messages, "\n"))
end

package.path, LUA_PATH = LUA_PATH, nil
package.cpath, LUA_CPATH = LUA_CPATH, nil
LUA_SERVICE = nil

local preload = LUA_PRELOAD
LUA_PRELOAD = nil

-- A pattern like ./packages/?/main.lua makes the service's folder its own package folder.
local folder = string.match(pattern, "(.*/)[^/?]+$")
if folder then
	SERVICE_PATH = string.gsub(folder, "?", function()
		return SERVICE_NAME
	end)
	package.path = SERVICE_PATH .. "?.lua;" .. package.path
else
	SERVICE_PATH = string.match(pattern, "(.*/).+$")
end

if preload then
	local func, message = loadfile(preload)
	if not func then
		error(message)
	end
	func(table.unpack(args))
end

_G.require = (require "skynet.require").require

main(select(2, table.unpack(args)))
