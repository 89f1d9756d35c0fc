---Small and large messages on one cluster connection, together and by turns: every call is answered
---with what it sent, and what one service sends to another stays in order. Less of large messages
---is under way beside small ones, and neither end may wait for the other when that changes.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local tap = require "tap"

local MIB <const> = 1024 * 1024
local AGAIN_WIDE <const> = 6 * MIB -- behind the last small message
local DEADLINE_CS <const> = 3000

---A text of `size` bytes that no other number has.
local function text_of(number, size)
	return (("%08d"):format(number)):rep(size // 8)
end

local function echoes(number, size, address)
	local text = text_of(number, size)
	return cluster.call_timeout(DEADLINE_CS, "me", address or "@echo", "echo", text) == text
end

---Large calls of two tasks, and small ones as long as they run: to another service, as they would
---keep their order with the large ones otherwise.
local function together()
	local running, right, small = 2, true, 0
	for task = 1, 2 do
		skynet.fork(function()
			for i = 1, 6 do
				right = right and echoes(task * 100 + i, MIB + task * 1000)
			end
			running = running - 1
		end)
	end
	while running > 0 do
		small = small + 1
		right = right and echoes(small, 16, "@other")
	end
	return right, small
end

---Numbers by one-way messages, the first of ten large, and large ones alone between two rounds.
local function numbers()
	local sent = 0
	for _ = 1, 3 do
		for _ = 1, 60 do
			sent = sent + 1
			local size = sent % 10 == 1 and 900000 or 0
			cluster.send("me", "@echo", "note", sent, text_of(sent, size))
		end
		echoes(sent, AGAIN_WIDE)
	end
	local notes = cluster.call("me", "@echo", "notes")
	for i = 1, sent do
		if notes[i] ~= i then
			return false
		end
	end
	return #notes == sent
end

tap.run(function()
	cluster.register("echo", skynet.newservice "cluster_echo")
	cluster.register("other", skynet.newservice "cluster_echo")
	local _, port = cluster.open(0)
	cluster.reload { me = "127.0.0.1:" .. port }
	tap.ok(echoes(1, 8), "a small call is answered")
	tap.ok(echoes(2, AGAIN_WIDE), "and a large one")
	for round = 1, 3 do
		local right, small = together()
		tap.ok(right, ("round %d: all are answered, %d of them small"):format(round, small))
		tap.ok(echoes(round, AGAIN_WIDE), "large ones go on alone")
	end
	tap.ok(numbers(), "one-way messages stay in order, small and large")
end)
