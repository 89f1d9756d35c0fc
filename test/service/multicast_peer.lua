---Subscribes to channels as it is told, and remembers what it gets.
local skynet = require "skynet"
local multicast = require "skynet.multicast"

local command = {}
local objects, got = {}, {}

local function remember(channel, source, ...)
	table.insert(got, { channel.channel, source, ... })
	if ... == "fail" then
		error "told to fail"
	end
end

local function object_of(id)
	objects[id] = objects[id] or multicast.new { channel = id, dispatch = remember }
	return objects[id]
end

function command.new()
	local object = multicast.new { dispatch = remember }
	objects[object.channel] = object
	return object.channel
end

function command.subscribe(id)
	object_of(id):subscribe()
end

function command.unsubscribe(id)
	object_of(id):unsubscribe()
end

function command.publish(id, ...)
	object_of(id):publish(...)
end

function command.delete(id)
	object_of(id):delete()
	objects[id] = nil
end

function command.got()
	return got
end

function command.count()
	return #got
end

---Ends without a word to anybody.
function command.forget()
	objects = {}
	collectgarbage()
	collectgarbage()
end

function command.leave()
	skynet.exit()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		skynet.retpack(command[name](...))
	end)
end)
