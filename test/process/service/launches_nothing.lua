---Tries to launch what is not there, and says what came of it.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
	skynet.error("C service:", tostring((skynet.launch("no_such_module", "x"))))
	skynet.error("Lua service:", pcall(skynet.newservice, "no_such_script"))
	skynet.error "launches_nothing: still here"
end)
