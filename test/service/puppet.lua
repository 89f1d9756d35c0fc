---Does what a test tells it. Arguments: what to do during the start (`fail`, `exit`, `wait`) or
---nothing, then anything.
---
---`wait`: the start ends when somebody calls `continue`.
local skynet = require "skynet"

local arguments = { ... }
local mode = arguments[1]

local command = {}

function command.echo(...)
	return ...
end

function command.arguments()
	return table.unpack(arguments)
end

function command.fail(text)
	error(text)
end

function command.leave()
	skynet.exit()
end

function command.sleep(ti)
	skynet.sleep(ti)
end

function command.hang()
	skynet.wait {}
end

---Runs skynet functions: a way to see what a service of its own gets.
function command.run(name, ...)
	return skynet[name](...)
end

skynet.dispatch("lua", function(session, _, name, ...)
	if name == "continue" then
		skynet.wakeup(command)
		skynet.ret()
	elseif session == 0 then
		command[name](...)
	else
		skynet.retpack(command[name](...))
	end
end)

skynet.info_func(function(...)
	return { puppet = true, arguments = table.concat({ ... }, ",") }
end)

skynet.start(function()
	if mode == "fail" then
		error "told to fail"
	elseif mode == "exit" then
		skynet.exit()
	elseif mode == "wait" then
		skynet.wait(command)
	end
end)
