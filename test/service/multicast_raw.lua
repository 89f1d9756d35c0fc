---Subscribes behind the library's back, with a callback that keeps and frees every message itself.
local skynet = require "skynet"
local core = require "skynet.core"

local count = 0

skynet.start(function()
	local daemon = skynet.uniqueservice "multicastd"
	core.callback(function(kind, message, size, session, source)
		if kind == skynet.PTYPE_MULTICAST then
			count = count + 1
			skynet.trash(message, size)
			return
		end
		if kind == skynet.PTYPE_LUA then
			local what = skynet.unpack(message, size)
			if what == "count" then
				skynet.redirect(source, skynet.self(), "response", session, skynet.packstring(count))
			else
				skynet.redirect(daemon, skynet.self(), "lua", 0, skynet.packstring("SUB", what))
				skynet.redirect(source, skynet.self(), "response", session, skynet.packstring())
			end
		end
		skynet.trash(message, size)
	end, true)
end)
