---A service in a folder of its own: answers what the loader has told it.
local skynet = require "skynet"
local helper = require "helper"

local name, folder, path = SERVICE_NAME, SERVICE_PATH, package.path
local arguments = table.pack(...)

skynet.dispatch("lua", function()
	skynet.ret(skynet.pack(name, folder, path, helper.name, arguments))
end)

skynet.start(function() end)
