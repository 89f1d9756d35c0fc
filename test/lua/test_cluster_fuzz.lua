---Mutations of cluster frames, in both directions: whatever comes, a node serves those that send
---good frames, and calls to a node that sends bad ones end; nothing stays behind.
---
---The corpus is test/fuzz/corpus/cluster: frames without their length. FUZZ_TIME seconds of the
---environment make a longer run; what it finds belongs into the corpus.
-- config: cluster_heartbeat = 1
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local mutations = require "mutations"
local socket = require "skynet.socket"
local tap = require "tap"

local CORPUS <const> = "test/fuzz/corpus/cluster"
local FOLDER <const> = skynet.getenv "test_tmp"
---Of both kinds, without FUZZ_TIME.
local ROUNDS <const> = os.getenv "TEST_GC" and 20 or 150
local FRAMES_MAX <const> = 12
local LARGEST <const> = 1000
local CALLS <const> = 4
local DEADLINE_CS <const> = 2

---Types of frames, sessions, sizes, names, and what our nodes say to each other.
local WORDS <const> = { "\0", "\1", "\2", "\3", "\4", "\5", "\x41", "\x80", "\x81", "\xc1",
	"\1\0\0\0", "\7\0\0\0", "\0\x80\0\0", "\1\x80\0\0", "\0\0\0\x80", "\255\255\255\255",
	"\254\255\255\255", "\0\0\0\0", "\5@echo", "\4echo", "\1\1\0\0\0", "\2\0\x80\0\0",
	skynet.packstring "__skynet_peer", skynet.packstring("__skynet_peer", 1, 0, 0),
	skynet.packstring("echo", 1), ("p"):rep(300) }

local echo

local function framed(text)
	return (">s2"):pack(text)
end

---A few frames, sometimes cut off.
local function stream(texts, change)
	local frames = {}
	for i = 1, math.random(FRAMES_MAX) do
		local text = mutations.of(texts, WORDS, LARGEST)
		frames[i] = framed(change and change(text) or text)
	end
	local bytes = table.concat(frames)
	return math.random(8) == 1 and bytes:sub(1, math.random(#bytes)) or bytes
end

local sent

local function rounds(texts, func, name)
	local limit = tonumber(os.getenv "FUZZ_TIME")
	local start, round = skynet.now(), 0
	repeat
		round = round + 1
		local ok, wrong = pcall(func, texts)
		if not ok then
			return tap.fail(name, tostring(wrong) .. "\n" .. mutations.hexadecimal(sent or ""))
		end
	until limit and skynet.now() - start > limit * 50 or not limit and round >= ROUNDS
	tap.note(round .. " rounds")
	return tap.pass(name)
end

-- ---- frames to a node ----

local function to_a_node(texts)
	sent = stream(texts)
	local fd = assert(socket.open(("unix:%s/node"):format(FOLDER)))
	socket.write(fd, sent)
	socket.close(fd)
	assert(cluster.call("node", "@echo", "echo", sent) == sent, "another answer")
end

-- ---- answers to a node ----

local accepted

local function listen_as_peer()
	local listener = assert(socket.listen(("unix:%s/peer"):format(FOLDER)))
	socket.start(listener, function(fd)
		skynet.fork(function()
			socket.start(fd)
			accepted = fd
			while socket.read(fd) do -- luacheck: ignore 542
			end
			socket.close(fd)
			accepted = accepted ~= fd and accepted or nil
		end)
	end)
end

---Sessions of late rounds are large, and mostly meant.
local first_session = 0

---Mostly an answer to one of the calls, of a kind that there is.
local function for_a_call(text)
	if math.random(20) == 1 then
		return text
	end
	local kind = math.random(0, 4)
	local content = text:sub(6)
	if kind == 2 then
		content = (math.random(2) == 1 and content or "") .. ("<I4"):pack(math.random(2 * LARGEST))
		content = content:sub(1, 4)
	end
	return ("<I4B"):pack(first_session + math.random(CALLS), kind) .. content
end

---How calls have ended, to how often.
local outcomes = {}

local function from_a_node(texts)
	local ended = 0
	for i = 1, CALLS do
		skynet.fork(function()
			local payload = ("x"):rep(i == 1 and 70000 or i)
			local ok, reason = pcall(cluster.call_timeout, DEADLINE_CS, "peer", "@x", payload)
			local outcome = ok and "answered" or skynet.error_kind(reason) or "malformed"
			outcomes[outcome] = (outcomes[outcome] or 0) + 1
			ended = ended + 1
		end)
	end
	sent = stream(texts, for_a_call)
	local deadline = skynet.now() + 3000
	repeat
		if accepted then
			socket.write(accepted, sent)
		end
		skynet.sleep(accepted and ended == 0 and 0 or 1)
	until ended == CALLS or skynet.now() > deadline
	assert(ended == CALLS, "a call has not ended")
	first_session = first_session + CALLS
end

-- ---- afterwards ----

local function nothing_stays()
	tap.eventually(function()
		local links, connections = skynet.call(".clusterd", "lua", "links")
		return links.peer.calls == 0 and connections == 1
	end, "no call and no connection stays")
	cluster.reload { peer = ("unix:%s/node"):format(FOLDER) }
	tap.eventually(function()
		local ok, answer = pcall(cluster.call_timeout, 500, "peer", "@echo", "echo", "well")
		return ok and answer == "well"
	end, "the node that was sent bad answers gets good ones from another one")
end

tap.run(function()
	math.randomseed(tonumber(os.getenv "FUZZ_SEED") or 20261122)
	local texts = mutations.corpus(CORPUS)
	tap.ok(#texts >= 20, "there is a corpus")
	echo = skynet.newservice "cluster_echo"
	cluster.register("echo", echo)
	cluster.reload {
		node = ("unix:%s/node"):format(FOLDER),
		peer = ("unix:%s/peer"):format(FOLDER),
		__nowaiting = true,
	}
	cluster.open "node"
	listen_as_peer()
	rounds(texts, to_a_node, "any frames leave a node that answers")
	rounds(texts, from_a_node, "any answers end calls, or are ignored")
	for outcome, count in pairs(outcomes) do
		tap.note(("%d %s"):format(count, outcome))
	end
	nothing_stays()
end)
