---Answers through skynet.mqueue.
local skynet = require "skynet"
local mqueue = require "skynet.mqueue"

local notes = {}
local command = {}

function command.add(a, b)
	return a + b, "added"
end

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

function command.size()
	return mqueue.size()
end

skynet.start(function()
	mqueue.register(function(name, ...)
		return command[name](...)
	end)
end)
