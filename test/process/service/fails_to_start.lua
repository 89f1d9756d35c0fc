---Raises in its start function. Argument: bytes of the reason, if it is to be a long one.
local skynet = require "skynet"
local size <const> = tonumber((...))

skynet.start(function()
	error(size and ("x"):rep(size) .. ", and this is the end" or "this service does not start", 0)
end)
