---Takes messages before the dispatcher. Argument: how (`filter`, `forward`, `raw`), then to whom.
local skynet = require "skynet"
local core = require "skynet.core"
require "skynet.manager"

local mode, target = ...

local function handle(_, _, text)
	if text:find "error" then
		error "told to"
	end
	skynet.retpack(text)
end

if mode == "filter" then
	skynet.filter(function(ptype, msg, size, session, source)
		if ptype == skynet.PTYPE_LUA then
			local text = "filtered " .. skynet.unpack(msg, size)
			msg, size = skynet.pack(text)
			-- the dispatcher only borrows it
			skynet.fork(skynet.trash, msg, size)
		end
		return ptype, msg, size, session, source
	end, function()
		skynet.dispatch("lua", handle)
	end)
elseif mode == "forward" then
	skynet.register_protocol {
		name = "forward",
		id = skynet.PTYPE_SYSTEM,
		unpack = function(...) return ... end,
		dispatch = function(session, source, msg, size)
			core.redirect(tonumber(target), source, skynet.PTYPE_LUA, session, msg, size)
			skynet.ignoreret()
		end,
	}
	skynet.forward_type({ [skynet.PTYPE_LUA] = skynet.PTYPE_SYSTEM }, function() end)
else
	core.callback(function(ptype, msg, size, session, source)
		if ptype == skynet.PTYPE_LUA then
			if skynet.unpack(msg, size) == "error" then
				error "raw trouble"
			end
			core.send(source, skynet.PTYPE_RESPONSE, session, skynet.pack "raw")
		end
	end)
	skynet.send(".launcher", "lua", "LAUNCHOK")
end
