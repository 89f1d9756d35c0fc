---First service of the login node. Its log says where clients log in.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console_port")
	local login = skynet.newservice "login"
	local host, port = skynet.call(login, "lua", "open", skynet.getenv "login_host",
		tonumber(skynet.getenv "login_port"))
	skynet.name("LOGIN", login) -- game nodes report to this name
	skynet.error(("login: open for players at %s:%d"):format(host, port))
	skynet.exit()
end)
