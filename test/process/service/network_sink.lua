---The receiving end of the load of a network test, reached as global name SINK<harbor id> and as
---"@sink" of cluster node n<harbor id>. The messages of a stream must come in the order of their
---numbers, none twice, none changed.
local skynet = require "skynet"
local harbor = require "skynet.harbor"
local cluster = require "skynet.cluster"
local stream_text = require "network_text"

---What came of each stream; what is checked is counted over all of them.
---@type table<string, { last: integer, missing: integer }>
local streams = {}
local disordered, damaged = 0, 0

local function check(key, number, text)
	local stream = streams[key]
	if not stream then
		stream = { last = 0, missing = 0 }
		streams[key] = stream
	end
	if number <= stream.last then
		disordered = disordered + 1
		skynet.error(("sink: %s brings %d after %d"):format(key, number, stream.last))
	else
		stream.missing = stream.missing + number - stream.last - 1
		stream.last = number
	end
	if text ~= stream_text(key, number, #text) then
		damaged = damaged + 1
	end
end

local command = {}

---One-way.
function command.put(key, number, text)
	check(key, number, text)
end

---Answers with what was sent.
function command.ask(key, number, text)
	check(key, number, text)
	skynet.retpack(key, number, text)
end

---Answers with the number of messages that came too late, twice or changed.
function command.faults()
	skynet.retpack(disordered + damaged)
end

---Answers with the last number of a stream, and how many before it did not come.
function command.stream(key)
	local stream = streams[key] or { last = 0, missing = 0 }
	skynet.retpack(stream.last, stream.missing)
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
	local id = skynet.getenv "harbor"
	harbor.globalname("SINK" .. id)
	cluster.register "sink"
	cluster.open("n" .. id)
end)
