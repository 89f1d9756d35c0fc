---Mutations of what other nodes send to the multicast service: publications, requests and answers,
---over a harbor link and a cluster connection. Whatever comes, nothing in the service fails but by
---a check, nothing is answered twice, and channels and topics go on.
---
---The corpus is test/fuzz/corpus/multicast_wire: a letter (see `kinds`), and a packed message.
---FUZZ_TIME seconds of the environment make a longer run; what it finds belongs into the corpus.
-- config: harbor = 1
-- config: standalone = "unix:$TEST_TMP/master"
-- config: master = "unix:$TEST_TMP/master"
-- config: address = "unix:$TEST_TMP/member"
local skynet = require "skynet"
local control = require "skynet.harbor_control"
local cluster = require "skynet.cluster"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local multicast = require "skynet.multicast"
local mutations = require "mutations"
local socket = require "skynet.socket"
local subject = require "subject"
local tap = require "tap"

local CORPUS <const> = "test/fuzz/corpus/multicast_wire"
local FOLDER <const> = skynet.getenv "test_tmp"
---Without FUZZ_TIME.
local ROUNDS <const> = os.getenv "TEST_GC" and 40 or 600
---Texts before all that was sent must have been read.
local BATCH <const> = 20
local LARGEST <const> = 1000

---The node that sends: a handle there, and the token of its service.
local NODE <const> = 2
local SERVICE <const> = 0x02000005
local TOKEN <const> = 4711
local TYPE_ERROR <const> = 7
local NO_HARBOR_BITS <const> = 0xffffff

---What stands in messages, so that mutations get past the first checks.
local WORDS <const> = {}
for _, word in ipairs { "NEW", "SUB", "USUB", "PUB", "DEL", "COUNT", "GIVEN", "SUBR", "USUBR",
	"DELR", "HERE", "JOIN", "SETTLE", "SAY", "OPEN", "WANT", "UNWANT", "PULL", "CLOSE",
	"wanted", "other", 0, 1, 2, 257, 258, 513, -1, TOKEN, SERVICE, 0x80000000, 1 << 32,
	math.maxinteger, math.mininteger, 1.5, 0 / 0, 1 / 0, true, {}, { "wanted" },
	{ "wanted", SERVICE, "x" }, ("x"):rep(256) } do
	WORDS[#WORDS + 1] = skynet.packstring(word)
end
for _, bytes in ipairs { "m", "q", "p", "c", "o", "a", "\0", "\255" } do
	WORDS[#WORDS + 1] = bytes
end

---The multicast service of this node.
local daemon

-- ---- the other node, as a member of the harbor network ----

local link
---Sessions of requests to how often they were answered.
local answers, twice, last_session = {}, 0, 0
---What OPEN and the next PULL are answered with, packed; nil: as an honest node would.
local open_answer, pull_answer
---A pull of the real service that waits.
local pulling

local function write_frame(payload, source, destination, type, session)
	local trailer = (">I4I4I4"):pack(source, type << 24 | destination & NO_HARBOR_BITS, session)
	socket.write(link, (">s4"):pack(payload .. trailer))
end

local function answer(destination, session, payload)
	write_frame(payload or "", SERVICE, destination,
		payload and skynet.PTYPE_RESPONSE or TYPE_ERROR, session)
end

local function note_answer(session)
	answers[session] = (answers[session] or 0) + 1
	twice = twice + (answers[session] == 2 and 1 or 0)
end

---A request of the real service.
local function serve(source, session, payload)
	local name = skynet.unpack(payload)
	if name == "INFO" then
		answer(source, session, skynet.packstring { token = TOKEN })
	elseif name == "OPEN" then
		answer(source, session, open_answer or skynet.packstring(TOKEN, 1))
		open_answer = nil
	elseif name == "PULL" then
		pulling = { source, session }
		if pull_answer then
			answer(source, session, pull_answer)
			pulling, pull_answer = nil, nil
		end
	else
		answer(source, session, skynet.packstring(nil))
	end
end

local function read_link()
	while true do
		local head = socket.read(link, 4)
		local frame = head and socket.read(link, (">I4"):unpack(head))
		if not frame then
			return
		end
		local source, destination, session = (">I4I4I4"):unpack(frame, #frame - 11)
		local type = destination >> 24
		if (type == skynet.PTYPE_LUA or type == skynet.PTYPE_DEBUG) and session > 0 then
			serve(source, session, frame:sub(1, #frame - 12))
		elseif type == skynet.PTYPE_RESPONSE or type == TYPE_ERROR then
			note_answer(session)
		end
	end
end

local function join_network()
	local accepted
	local listener = control.listen(("unix:%s/other"):format(FOLDER), function(fd)
		accepted = fd
	end)
	local master = assert(socket.open(("unix:%s/master"):format(FOLDER)))
	control.write(master, "H", NODE, ("unix:%s/other"):format(FOLDER))
	skynet.fork(function()
		repeat until not control.read(master)
	end)
	tap.eventually(function()
		return accepted
	end, "the real node dials the other one")
	link = accepted
	socket.start(link)
	assert(socket.read(link, 1) == "\1", "from node 1")
	socket.write(link, string.char(NODE))
	skynet.fork(read_link)
	socket.close(listener)
	harbor.connect(NODE)
end

-- ---- the other node, as one of the cluster ----

local connection

local function read_connection()
	while true do
		local head = socket.read(connection, 2)
		local frame = head and socket.read(connection, (">I2"):unpack(head))
		if not frame then
			return
		end
		note_answer(("<I4"):unpack(frame))
	end
end

local function join_cluster()
	cluster.reload { here = ("unix:%s/cluster"):format(FOLDER) }
	cluster.open "here"
	connection = assert(socket.open(("unix:%s/cluster"):format(FOLDER)))
	skynet.fork(read_connection)
end

-- ---- what is sent ----

---@return integer
local function new_session()
	last_session = last_session + 1
	answers[last_session] = 0
	return last_session
end

local function request(payload)
	write_frame(payload, SERVICE, daemon, skynet.PTYPE_LUA, new_session())
	return last_session
end

local function push(payload)
	write_frame(payload, SERVICE, daemon, skynet.PTYPE_LUA, 0)
end

local function cluster_request(payload)
	local name = "@skynet.multicast"
	socket.write(connection, (">s2"):pack(("<I1s1I4"):pack(0x80, name, new_session()) .. payload))
	return last_session
end

---All that was sent has been read: requests behind it are answered, each once.
local function all_read()
	local count = skynet.packstring("COUNT", 1)
	local by_link, by_cluster = request(count), cluster_request(count)
	local deadline = skynet.now() + 3000
	while (answers[by_link] == 0 or answers[by_cluster] == 0) and skynet.now() < deadline do
		skynet.sleep(0)
	end
	return answers[by_link] == 1 and answers[by_cluster] == 1
end

---Make the real service ask this node for topics: an OPEN, and a PULL if that was answered well.
local function wake_feed()
	if pulling then
		answer(pulling[1], pulling[2], nil)
		pulling = nil
	end
	push(skynet.packstring("HERE", TOKEN))
	-- its questions come before the answers to what is asked behind
	for _ = 1, 3 do
		all_read()
	end
end

local kinds = {
	-- source, channel and bytes: a publication
	m = function(text)
		local head = (text .. ("\0"):rep(8)):sub(1, 8)
		local source, channel = ("<I4I4"):unpack(head)
		write_frame(text:sub(9), source, daemon, skynet.PTYPE_MULTICAST, channel)
	end,
	q = request,
	p = push,
	c = cluster_request,
	-- answer to OPEN
	o = function(text)
		open_answer = text
		wake_feed()
	end,
	-- answer to PULL
	a = function(text)
		pull_answer = text
		wake_feed()
	end,
}
local LETTERS <const> = { "m", "q", "p", "c", "o", "a" }

local function send(text)
	local letter = text:sub(1, 1)
	if not kinds[letter] then
		letter = LETTERS[(text:byte() or 0) % #LETTERS + 1]
	end
	kinds[letter](text:sub(2))
end

---What the log shows when something was not checked.
local MISTAKES <const> = { "attempt to", "bad argument" }

local function mistake()
	local log = subject.log()
	for _, pattern in ipairs(MISTAKES) do
		if log:find(pattern) then
			return log:match("[^\n]*" .. pattern .. "[^\n]*")
		end
	end
	return nil
end

local function service_survives(texts)
	local limit = tonumber(os.getenv "FUZZ_TIME")
	local start, round, sent = skynet.now(), 0, {}
	repeat
		round = round + 1
		local text = round <= 2 * #texts and texts[(round - 1) % #texts + 1]
			or mutations.of(texts, WORDS, LARGEST)
		sent[#sent + 1] = mutations.hexadecimal(text)
		send(text)
		if round % BATCH == 0 then
			local wrong = not all_read() and "something is not answered, or twice" or mistake()
			if wrong or twice > 0 then
				return tap.fail("any bytes are read and answered at most once",
					tostring(wrong) .. "\n" .. table.concat(sent, "\n"))
			end
			sent = {}
		end
	until limit and skynet.now() - start > limit * 100 or not limit and round >= ROUNDS
	tap.note(round .. " texts")
	tap.pass "any bytes are read and answered at most once"
end

-- ---- afterwards ----

local function channels_go_on()
	local got
	local channel = multicast.new {
		channel = 0x70000001,
		dispatch = function(_, source, text)
			got = ("%x %s"):format(source, text)
		end,
	}
	channel:subscribe()
	kinds.m(("<I4I4"):pack(SERVICE, 0x70000001) .. skynet.packstring "from node 2")
	tap.eventually(function()
		return got == "2000005 from node 2"
	end, "a publication of the other node arrives as before")
	channel:publish "from here"
	tap.eventually(function()
		return got == ("%x from here"):format(skynet.self())
	end, "so does one of this node")
	channel:delete()
end

local function topics_go_on()
	local got = {}
	local topic = multicast.topic("afterwards", {
		dispatch = function(_, _, text)
			got[text] = (got[text] or 0) + 1
		end,
	})
	topic:subscribe()
	topic:publish "from here"
	local outbox, batch = 1 << 40, {}
	for _, source in ipairs { 0, 1 << 32, -1, "x", SERVICE } do
		local message = { "afterwards", source, skynet.packstring(tostring(source)) }
		table.move(message, 1, 3, #batch + 1, batch)
	end
	tap.eventually(function()
		outbox = outbox + 1
		open_answer, pull_answer = skynet.packstring(TOKEN + 1, outbox), skynet.packstring(1, batch)
		wake_feed()
		return got[tostring(SERVICE)]
	end, "what the other node publishes under a name arrives as before, behind what makes no sense")
	tap.is(got["from here"], 1, "so does what this node publishes")
	topic:delete()
end

local function nothing_stays()
	tap.eventually(function()
		return skynet.call(daemon, "debug", "INFO").messages == 0
	end, "no publication stays in memory")
	tap.is(mistake(), nil, "nothing in the service failed but by a check")
end

tap.run(function()
	math.randomseed(tonumber(os.getenv "FUZZ_SEED") or 20261122)
	local texts = mutations.corpus(CORPUS)
	tap.ok(#texts >= 20, "there is a corpus")
	daemon = datacenter.get("multicast", 1)
	join_network()
	join_cluster()
	datacenter.set("multicast_token", NODE, TOKEN)
	datacenter.set("multicast", NODE, SERVICE)
	local got = 0
	local wanted = multicast.topic("wanted", { dispatch = function() got = got + 1 end })
	wanted:subscribe()
	service_survives(texts)
	tap.ok(got > 0, "some of it was published under a name that is wanted here")
	channels_go_on()
	topics_go_on()
	nothing_stays()
end)
