---Runs Lua text in a service of its own. Request: text, arguments; answer: what it returns.
---Arguments of the service: Lua text for the main chunk, with "~" for each blank; or nothing.
local skynet = require "skynet"

local main = ...
if main then
	assert(load((main:gsub("~", " ")), "=main"))()
end

skynet.dispatch("lua", function(_, _, text, ...)
	local func = assert(load(text, "=text"))
	skynet.ret(skynet.pack(func(...)))
end)

skynet.start(function() end)
