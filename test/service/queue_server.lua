---Answers through skynet.mqueue.
local skynet = require "skynet"
local mqueue = require "skynet.mqueue"

local notes = {}
local command = {}

function command.add(a, b)
	return a + b, "added"
end

function command.nothing() end

function command.fail(text)
	error(text)
end

function command.note(n)
	skynet.sleep(1)
	notes[#notes + 1] = n
end

function command.notes()
	return table.concat(notes, " ")
end

---Kills those that wait behind it, as soon as there are `count`. Answers how many wait then.
function command.kill_waiting(count)
	while mqueue.size() < count do
		skynet.sleep(1)
	end
	local tasks = {}
	skynet.task(tasks)
	for key, trace in pairs(tasks) do
		if trace:find "wait_for_turn" then
			skynet.killthread(key:match "0x%x+")
		end
	end
	return mqueue.size()
end

function command.size()
	return mqueue.size()
end

skynet.start(function()
	mqueue.register(function(name, ...)
		return command[name](...)
	end)
end)
