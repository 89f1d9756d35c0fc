---The sending end of the load of a network test. To each target there is one stream for each kind
---of link, whose messages are numbered in the order of sending: small and big ones, one-way and
---calls, with a deadline and without. Every outcome is counted.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local stream_text = require "network_text"

local CALLERS <const> = 3 -- coroutines that call, for each stream
local PAUSE_CS <const> = tonumber(skynet.getenv "network_pause" or 2) -- after each message
local DEADLINE_CS <const> = tonumber(skynet.getenv "network_deadline" or 1500)
local BIG_EACH <const> = 16 -- one message of so many is big
local BIG_SIZE <const> = tonumber(skynet.getenv "network_big_size" or 100000)
local HUGE_EACH <const> = tonumber(skynet.getenv "network_huge_each" or math.maxinteger)
local HUGE_SIZE <const> = 2 << 20
local SMALL_SIZE <const> = 200
local LINKS <const> = skynet.getenv "network_links" or "harbor cluster"
local id <const> = tonumber(skynet.getenv "harbor")

---@class network_stream
---@field key string
---@field number integer  of the last message
---@field mark integer?
---@field count table<string, integer>  calls by outcome: pending, reply, changed, or an error kind

---@type table<string, network_stream>
local streams = {}
local running = 0
local unknown_responses = 0
---Sessions of calls whose deadline has passed. They are remembered for some heartbeats: an answer
---that comes still later finds nobody, and that is in order.
---@type table<integer, boolean>
local late = {}

local link = {}

link.harbor = {
	send = function(target, ...)
		skynet.send("SINK" .. target, "lua", ...)
	end,
	call = function(target, ...)
		return skynet.call("SINK" .. target, "lua", ...)
	end,
	call_timeout = function(target, ...)
		return skynet.call_timeout(DEADLINE_CS, "SINK" .. target, "lua", ...)
	end,
}

link.cluster = {
	send = function(target, ...)
		cluster.send("n" .. target, "@sink", ...)
	end,
	call = function(target, ...)
		return cluster.call("n" .. target, "@sink", ...)
	end,
	call_timeout = function(target, ...)
		return cluster.call_timeout(DEADLINE_CS, "n" .. target, "@sink", ...)
	end,
}

---Target to the proxy of its sink.
---@type table<integer, integer>
local proxies = {}

link.proxy = {
	send = function(target, ...)
		skynet.send(proxies[target], "lua", ...)
	end,
	call = function(target, ...)
		return skynet.call(proxies[target], "lua", ...)
	end,
	call_timeout = function(target, ...)
		return skynet.call_timeout(DEADLINE_CS, proxies[target], "lua", ...)
	end,
}

---The next message of a stream. It must be sent before the task yields.
local function next_message(stream)
	stream.number = stream.number + 1
	local size = stream.number % HUGE_EACH == 0 and HUGE_SIZE
		or stream.number % BIG_EACH == 0 and BIG_SIZE
		or SMALL_SIZE
	return stream.key, stream.number, stream_text(stream.key, stream.number, size)
end

local function add(stream, what, n)
	stream.count[what] = (stream.count[what] or 0) + n
end

local function outcome(number, text, ok, key, answer_number, answer_text)
	if not ok then
		return skynet.error_kind(key) or tostring(key)
	end
	return answer_number == number and answer_text == text and "reply" or "changed"
end

local function call(stream, func, target)
	local key, number, text = next_message(stream)
	add(stream, "pending", 1)
	-- the next two sessions are those of the call and of its deadline
	local session = skynet.genid()
	local what = outcome(number, text, pcall(func, target, "ask", key, number, text))
	if what == "timeout" then
		late[session + 1], late[session + 2] = true, true
	end
	add(stream, "pending", -1)
	add(stream, what, 1)
end

---@param kind "harbor"|"cluster"|"proxy"
local function drive(kind, target)
	local name = kind .. target
	local stream = { key = ("n%d %x %s"):format(id, skynet.hpc(), name), number = 0, count = {} }
	streams[name] = stream
	local mine = running
	local function repeatedly(func)
		skynet.fork(function()
			while running == mine do
				func()
				skynet.sleep(PAUSE_CS)
			end
		end)
	end
	repeatedly(function()
		link[kind].send(target, "put", next_message(stream))
	end)
	for i = 1, CALLERS do
		local func = link[kind][i == 1 and "call" or "call_timeout"]
		repeatedly(function()
			call(stream, func, target)
		end)
	end
end

local command = {}

---Begins new streams; of the old ones nothing is known any more.
---@param targets integer[]  harbor ids
function command.start(targets)
	running, streams = running + 1, {}
	for _, target in ipairs(targets) do
		proxies[target] = cluster.proxy("n" .. target, "@sink")
	end
	for _, target in ipairs(targets) do
		for kind in LINKS:gmatch "%a+" do
			drive(kind, target)
		end
	end
	skynet.retpack(true)
end

---Sends no more; calls that wait go on waiting.
function command.stop()
	running = running + 1
	skynet.retpack(true)
end

---Answers with the number of calls with an outcome: of the streams whose names match a pattern.
function command.count(what, pattern)
	local n = 0
	for name, stream in pairs(streams) do
		if name:find(pattern or "") then
			n = n + (stream.count[what] or 0)
		end
	end
	skynet.retpack(n)
end

---Notes the replies so far, for `grown`.
function command.mark()
	for _, stream in pairs(streams) do
		stream.mark = stream.count.reply or 0
	end
	skynet.retpack(true)
end

---Answers true when each stream got ten more replies since `mark`, false and its name otherwise.
function command.grown()
	for name, stream in pairs(streams) do
		if (stream.count.reply or 0) < (stream.mark or 0) + 10 then
			return skynet.retpack(false, name)
		end
	end
	skynet.retpack(true)
end

---Answers with all outcomes as a line, for people.
function command.outcomes()
	local lines = {}
	for name, stream in pairs(streams) do
		local words = {}
		for what, n in pairs(stream.count) do
			table.insert(words, ("%s %d"):format(what, n))
		end
		table.sort(words)
		table.insert(words, 1, ("%s: sent %d"):format(name, stream.number))
		table.insert(lines, table.concat(words, ", "))
	end
	table.sort(lines)
	skynet.retpack(table.concat(lines, " | "))
end

---Answers with the number of calls that ended in a way that no caller can make sense of, and of
---answers that nobody had asked for.
function command.faults()
	local known = { pending = 0, reply = 0, timeout = 0, dead_node = 0, dead_service = 0, remote = 0 }
	local n = unknown_responses
	for _, stream in pairs(streams) do
		for what, count in pairs(stream.count) do
			n = n + (known[what] or count)
		end
	end
	skynet.retpack(n)
end

---Sends one more message on a stream and answers what of it did not reach the other end: how many
---messages are missing there, and calls without a reply.
function command.lost(name)
	local stream = streams[name]
	local kind, target = name:match "^(%a+)(%d+)$"
	call(stream, link[kind].call_timeout, target)
	local last, missing = link[kind].call_timeout(target, "stream", stream.key)
	local failed = 0
	for what, count in pairs(stream.count) do
		failed = failed + (what == "reply" and 0 or count)
	end
	skynet.retpack(stream.number - last + missing + failed)
end

skynet.dispatch_unknown_response(function(session, source)
	if late[session] then
		late[session] = nil
		return
	end
	unknown_responses = unknown_responses + 1
	skynet.error(("load: nobody waits for session %d from %x"):format(session, source))
end)

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
	cluster.on_node(function(node, what)
		skynet.error("load:", node, "is", what)
	end)
end)
