---Answers what it is asked over the cluster.
local skynet = require "skynet"

local notes = {}
local command = {}

---Tasks that give their large answers when they are let go; nil: at once.
---@type thread[]?
local held

function command.echo(...)
	return ...
end

function command.later(...)
	skynet.sleep(1)
	return ...
end

function command.sleep(delay, ...)
	skynet.sleep(delay)
	return ...
end

function command.never()
	skynet.wait(coroutine.running())
end

function command.hold()
	held = {}
end

function command.release()
	local tasks = held
	held = nil
	for _, task in ipairs(tasks) do
		skynet.wakeup(task)
	end
end

---A large answer.
function command.large(number, size)
	notes[#notes + 1] = number
	if held then
		table.insert(held, (coroutine.running()))
		skynet.wait()
	end
	return number, ("x"):rep(size)
end

---The tag that the request came with.
function command.tag()
	return skynet.tracetag()
end

function command.fail()
	error "as it was asked to"
end

function command.note(number)
	notes[#notes + 1] = number
end

function command.notes()
	return notes
end

function command.forget()
	notes = {}
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, word, ...)
		if word == nil then
			skynet.retpack "?nil"
		elseif session == 0 then
			command[word](...)
		else
			skynet.retpack(command[word](...))
		end
	end)
end)
