---Answers what the preload script has left.
local skynet = require "skynet"

skynet.dispatch("lua", function()
	skynet.ret(skynet.pack(PRELOADED)) -- luacheck: ignore 113
end)

skynet.start(function() end)
