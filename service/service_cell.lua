---Runs one function as a service, for `skynet.service`. Argument: its name, for those who list
---services.
---
---The provider sends `init code ...` once; after that the function has installed what it wants.
local skynet = require "skynet"

local start = skynet.start

---What the function passed to skynet.start: it runs when the function has returned.
local start_function

---The cell has been started already.
function skynet.start(func)
	start_function = func
end

---Until the function installs its own handler.
local function refuse(_, _, request)
	error(("this service takes no request (got '%s')"):format(tostring(request)))
end

---@async
local function init(_, _, request, code, ...)
	if request ~= "init" then
		error(("this service has no function yet (request '%s')"):format(tostring(request)))
	end
	skynet.dispatch("lua", refuse)
	local func, err = load(code, "=service", "b", _ENV)
	if not func then
		error(err)
	end
	func(...)
	if start_function then
		start_function()
	end
	skynet.ret()
end

start(function()
	skynet.dispatch("lua", init)
end)
