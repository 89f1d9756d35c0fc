---Mutations of messages between members and master: whatever comes, reading ends and answers values
---that can be sent again; a real master, and the member it listens for, live on.
-- config: harbor = 1
-- config: standalone = "unix:$TEST_TMP/master"
-- config: master = "unix:$TEST_TMP/master"
-- config: address = "unix:$TEST_TMP/member"
local skynet = require "skynet"
local control = require "skynet.harbor_control"
local harbor = require "skynet.harbor"
local mutations = require "mutations"
local socket = require "skynet.socket"
local tap = require "tap"

local CORPUS <const> = "test/fuzz/corpus/harbor_control"
---Without FUZZ_TIME, in seconds.
local ROUNDS <const> = os.getenv "TEST_GC" and 30 or 300
local REAL_ROUNDS <const> = os.getenv "TEST_GC" and 10 or 60
local LARGEST <const> = 1000
local FOLDER <const> = skynet.getenv "test_tmp"

---Sizes, packed letters, small numbers, booleans, nil, a table, and ends that are none.
local WORDS <const> = { "\0", "\1", "\2", "\255", "\12H", "\12C", "\12D", "\12N", "\12P", "\12Q",
	"\12R", "\12W", "\12E", "\10\1", "\10\255", "\2", "\10", "\1\9", "\22\255\255\255\255", "\0\0",
	"\14", "\15\3", "\252", ("x"):rep(300) }

---All messages in the bytes. They end with nil, or with a reason.
local function messages_of(listener, text)
	local near = assert(socket.open(listener.address))
	socket.write(near, text)
	socket.close(near)
	local deadline = skynet.now() + 3000
	while #listener.accepted == 0 and skynet.now() < deadline do
		skynet.sleep(0)
	end
	local far = assert(table.remove(listener.accepted, 1), "is not accepted")
	socket.start(far)
	local messages = {}
	while true do
		local message = table.pack(control.read(far))
		if message[1] == nil then
			if message[2] ~= control.EMPTY then
				break
			end
		else
			messages[#messages + 1] = message
			assert(type(message[1]) == "string", "a message without a letter")
			for i = 1, message.n do
				control.extension(message[i])
			end
		end
		assert(#messages <= #text, "more messages than bytes")
	end
	socket.close(far)
	return messages
end

---What has been read, written again, reads the same.
local function check_again(listener, message)
	local packed = skynet.packstring(table.unpack(message, 1, message.n))
	if #packed > 255 then
		return
	end
	local again = messages_of(listener, string.char(#packed) .. packed)
	assert(#again == 1, "one message comes back as " .. #again)
	assert(again[1].n == message.n, "with more values or fewer")
	for i, value in ipairs(message) do
		-- the fields of tables have no order
		assert(type(again[1][i]) == type(value), "with a value of another type")
		assert(type(value) == "table" or skynet.packstring(again[1][i]) == skynet.packstring(value),
			"with another value")
	end
end

local function readers_survive(texts)
	local listener = { accepted = {}, address = ("unix:%s/reader"):format(FOLDER) }
	local id = control.listen(listener.address, function(fd)
		table.insert(listener.accepted, fd)
	end)
	local limit = tonumber(os.getenv "FUZZ_TIME")
	local start, round, count = skynet.now(), 0, 0
	repeat
		round = round + 1
		local text = texts[round] or mutations.of(texts, WORDS, LARGEST)
		local ok, err = pcall(function()
			local messages = messages_of(listener, text)
			count = count + #messages
			if messages[1] then
				check_again(listener, messages[1])
			end
		end)
		if not ok then
			return tap.fail("any bytes are read to their end", err .. "\n" .. mutations.hexadecimal(text))
		end
	until limit and skynet.now() - start > limit * 100 or not limit and round >= ROUNDS
	socket.close(id)
	tap.note(("%d texts, %d messages"):format(round, count))
	tap.ok(count > round / 4, "any bytes are read to their end, and many are messages")
end

---Who says where a node is makes members dial there: nowhere but to files that are not there.
local function is_harmless(text)
	return not text:find "[HC]" or text:find("unix:/no/", 1, true) ~= nil
end

local function members_live_on(texts)
	local sent = 0
	for _, name in ipairs { "master", "member" } do
		for round = 1, REAL_ROUNDS do
			local text = texts[round] or mutations.of(texts, WORDS, LARGEST)
			local fd = is_harmless(text) and socket.open(("unix:%s/%s"):format(FOLDER, name))
			if fd then
				socket.write(fd, text)
				socket.close(fd)
				sent = sent + 1
			end
		end
	end
	tap.ok(sent > REAL_ROUNDS / 2, "most texts may be sent")
	harbor.globalname "STILL_HERE"
	tap.is(harbor.queryname "STILL_HERE", skynet.self(), "master and member know names as before")
end

tap.run(function()
	math.randomseed(tonumber(os.getenv "FUZZ_SEED") or 20261122)
	local texts = mutations.corpus(CORPUS)
	tap.ok(#texts >= 20, "there is a corpus")
	readers_survive(texts)
	members_live_on(texts)
end)
