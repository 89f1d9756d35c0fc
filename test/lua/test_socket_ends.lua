-- skynet.socket: however a connection ends, at this end, at the other one, or at both at once,
-- whoever reads or closes goes on. What happens follows from a seed: set SEED for another one.
local driver = require "skynet.socketdriver"
local skynet = require "skynet"
local socket = require "skynet.socket"
local subject = require "subject"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"
local ROUNDS <const> = 12
local PAIRS <const> = 20 -- in one round, at once
local STEPS <const> = 8 -- of each end
local SIZE_MAX <const> = 200000
local DEADLINE_CS <const> = 6000

local seed = tonumber(os.getenv "SEED") or 1
-- Tasks that have begun and not ended, by what they do.
local busy = {}
-- Connections accepted and not fetched, by the port of the other end.
local accepted = {}
-- Services that write to sockets of this one, on other threads.
local writers = {}

local function any(...)
	return (select(math.random(select("#", ...)), ...))
end

local function task(name, func, ...)
	busy[name] = (busy[name] or 0) + 1
	skynet.fork(function(...)
		func(...)
		busy[name] = busy[name] - 1
	end, ...)
end

local reads = {
	function(id) return socket.read(id) end,
	function(id) return socket.read(id, math.random(1, 1000)) end,
	function(id) return socket.readline(id, "x") end,
	function(id) return socket.readall(id) end,
	function(id) return socket.block(id) end,
}

-- Reads until the end, or until somebody has closed the socket here.
local function read_all(id)
	repeat
		if math.random(8) == 1 then
			socket.pause(id) -- the next read resumes
		end
		local ok, data = pcall(any(table.unpack(reads)), id)
	until not ok or data == false or socket.disconnected(id) ~= false
end

local steps = {
	function(id) socket.write(id, ("w"):rep(math.random(1, SIZE_MAX))) end,
	function(id) socket.lwrite(id, "x") end,
	function(id)
		subject.send(any(table.unpack(writers)),
			"require('skynet.socketdriver').send(select(3, ...))", id, ("o"):rep(math.random(1, SIZE_MAX)))
	end,
	function(id) if not socket.invalid(id) then socket.timeout(id, any(nil, 0, 1, 5)) end end,
	function() skynet.yield() end,
	function() skynet.sleep(math.random(0, 2)) end,
}

local ends = {
	function(id) socket.close(id) end,
	function(id) socket.shutdown(id) end,
	function(id)
		socket.shutdown(id)
		socket.close(id)
	end,
	function(id) driver.close(id) end,
	function(id)
		task("close", socket.close, id)
		socket.shutdown(id)
	end,
}

local function live(id)
	task("read", read_all, id)
	for _ = 1, math.random(0, STEPS) do
		any(table.unpack(steps))(id)
	end
	if math.random(4) > 1 then -- else the other end ends it
		any(table.unpack(ends))(id)
	end
end

-- One end of each pair at least is closed: the other one hears of it.
local function run_pair(port)
	local client, reason = socket.open(LOCAL, port)
	if not client then
		return tap.fail("a connection is made", reason)
	end
	while not accepted[1] do
		skynet.sleep(1)
	end
	local server = table.remove(accepted, 1)
	task("live", live, client)
	if socket.start(server) then
		live(server)
		socket.close(server)
	end
end

local function open_sockets()
	local count = 0
	for _, info in ipairs(socket.netstat()) do
		count = count + (info.address == skynet.self() and info.type == "TCP" and 1 or 0)
	end
	return count
end

tap.run(function()
	tap.note("SEED=" .. seed)
	math.randomseed(seed)
	for i = 1, 3 do
		writers[i] = subject.new()
	end
	local listener, _, port = socket.listen(LOCAL, 0)
	socket.start(listener, function(id)
		accepted[#accepted + 1] = id
	end)
	for round = 1, ROUNDS do
		for _ = 1, PAIRS do
			task("pair", run_pair, port)
		end
		tap.eventually(function()
			for _, count in pairs(busy) do
				if count > 0 then return false end
			end
			return true
		end, "all tasks of round " .. round .. " end", DEADLINE_CS)
	end
	for name, count in pairs(busy) do
		if count > 0 then tap.note(("%d times: %s"):format(count, name)) end
	end
	tap.eventually(function() return open_sockets() == 0 end, "no connection is left", DEADLINE_CS)
	socket.close(listener)
end)
