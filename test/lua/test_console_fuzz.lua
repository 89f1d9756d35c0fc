---Mutations of a corpus of console input: however the bytes are cut into pieces, the same commands
---come out of them, within the limits, and a real console lives on.
---
---The corpus is test/fuzz/corpus/console; FUZZ_TIME seconds of the environment make a longer run,
---and what it finds is printed in hexadecimal and belongs into the corpus.
local skynet = require "skynet"
local input = require "skynet.console.input"
local mutations = require "mutations"
local socket = require "skynet.socket"
local tap = require "tap"

local CORPUS <const> = "test/fuzz/corpus/console"
---Without FUZZ_TIME: mutations in all, and those that go to a real console. With a collector that
---never rests the long ones take a second each.
local ROUNDS <const> = os.getenv "TEST_GC" and 30 or 600
local REAL_ROUNDS <const> = 60
local LARGEST <const> = 3 * input.MAX_LINE

---What stands in requests, so that mutations get past the first checks.
local WORDS <const> = { "GET ", "POST ", " HTTP/1.1", "\r\n", "\r\n\r\n", "Content-Length: ", "0",
	"8192", "8193", "-1", "99999", "Authorization: Bearer ", ":", "/", " ", "\t", "\0", "\255",
	"auth ", "list", "call 1 ", ".launcher ", ":01000001", "\n", "\r", ("x"):rep(9000),
	("y"):rep(66000) }

---A reader of `text` in pieces of the sizes that `next_size` gives.
local function reader_of(text, next_size)
	local position = 1
	return input.reader(function()
		if position > #text then
			return false
		end
		local size = next_size()
		local piece = text:sub(position, position + size - 1)
		position = position + size
		return piece
	end)
end

---All that a console would do with `text`, as one string.
local function understood(text, next_size)
	local reader, out = reader_of(text, next_size), {}
	while true do
		local line, err = reader:line()
		if not line then
			out[#out + 1] = err or "end"
			return table.concat(out, "\1")
		end
		assert(#line <= input.MAX_LINE, "a line beyond the limit")
		if input.is_http(line) then
			local request, reason = input.http(reader, line)
			assert(request or reason, "no request and no reason")
			if request then
				assert(#request.command <= math.max(input.MAX_HTTP, #line), "a command too long")
				reason = table.concat({ "http", request.command, request.token }, "\2")
			end
			out[#out + 1] = reason
			return table.concat(out, "\1")
		end
		local words = input.split(line)
		for count = 0, math.min(#words, 3) do
			out[#out + 1] = input.rest(line, count)
		end
		out[#out + 1] = table.concat(words, "\2")
	end
end

---The same, cut in several ways. Answers what is wrong, or nil.
local function check(text)
	local ways = {
		function() return #text end,
		function() return math.random(1, 30) end,
		function() return math.random(1, 5000) end,
	}
	if #text < 2000 then
		ways[#ways + 1] = function() return 1 end
	end
	local first
	for i, next_size in ipairs(ways) do
		local ok, result = pcall(understood, text, next_size)
		if not ok then
			return tostring(result)
		end
		first = first or result
		if result ~= first then
			return "cut in way " .. i .. " it means something else"
		end
	end
	return nil
end

local function readers_agree(texts)
	local limit = tonumber(os.getenv "FUZZ_TIME")
	local start = skynet.now()
	local round = 0
	repeat
		round = round + 1
		local text = texts[round] or mutations.of(texts, WORDS, LARGEST)
		local wrong = check(text)
		if wrong then
			return tap.fail("any bytes are understood the same in any pieces",
				wrong .. "\n" .. mutations.hexadecimal(text))
		end
		if round % 100 == 0 then
			skynet.yield()
		end
	until limit and skynet.now() - start > limit * 100 or not limit and round >= ROUNDS
	tap.note(round .. " texts")
	return tap.pass "any bytes are understood the same in any pieces"
end

---Harmless to this node: commands that end services, run code or wait would be.
local function is_harmless(text)
	text = text:lower()
	for _, word in ipairs { "stop", "kill", "exit", "inject", "signal", "abort", "debug", "dump",
		"log", "start", "snax", "setenv", "call" } do
		if text:find(word, 1, true) then
			return false
		end
	end
	return true
end

local function console_lives_on(texts)
	local console = skynet.newservice("debug_console", 0)
	local port = skynet.call(console, "debug", "INFO").port
	local sent = 0
	for round = 1, REAL_ROUNDS do
		local text = texts[round] or mutations.of(texts, WORDS, LARGEST)
		if is_harmless(text) then
			local fd = assert(socket.open("127.0.0.1", port))
			socket.write(fd, text)
			socket.close(fd)
			sent = sent + 1
		end
	end
	tap.ok(sent > REAL_ROUNDS / 4, "most texts may be sent")
	tap.eventually(function()
		return skynet.call(console, "debug", "INFO").connections == 0
	end, "the console lets go of all connections")
	local fd = assert(socket.open("127.0.0.1", port))
	socket.write(fd, "getenv start\n")
	socket.readline(fd)
	tap.is(socket.readline(fd), "start\ttest_console_fuzz", "and serves the next one")
	socket.close(fd)
end

tap.run(function()
	math.randomseed(tonumber(os.getenv "FUZZ_SEED") or 20261122)
	local texts = mutations.corpus(CORPUS)
	tap.ok(#texts >= 10, "there is a corpus")
	readers_agree(texts)
	console_lives_on(texts)
end)
