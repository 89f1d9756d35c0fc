-- skynet.dns against a name server of the test's own, that can lie.
local dns = require "skynet.dns"
local packet = require "skynet.dns_packet"
local skynet = require "skynet"
local socket = require "skynet.socket"
local tap = require "tap"

local LOCAL <const> = "127.0.0.1"
local POINTER_TO_QUESTION <const> = "\xc0\x0c"

dns.DEFAULT_HOSTS = false

local function bind(callback)
	for _ = 1, 100 do
		local port = math.random(20000, 60000)
		local ok, id = pcall(socket.udp_listen, LOCAL, port, callback)
		if ok then
			return id, port
		end
	end
	error "no free port"
end

local function wire_name(name)
	return (name:gsub("([^.]+)%.?", function(label)
		return string.char(#label) .. label
	end)) .. "\0"
end

local function record(owner, rtype, ttl, data)
	return owner .. string.pack(">I2I2I4s2", rtype, 1, ttl, data)
end

local function a_record(address, ttl, owner)
	local bytes = {}
	for part in address:gmatch "%d+" do
		bytes[#bytes + 1] = string.char(part)
	end
	return record(owner or POINTER_TO_QUESTION, 1, ttl, table.concat(bytes))
end

-- The answer to `question` with `count` records; `flags` and `id` can be changed.
local function reply(question, count, records, flags, id)
	local own_id = string.unpack(">I2", question)
	return string.pack(">I2I2I2I2I2I2", id or own_id, flags or 0x8180, 1, count, 0, 0)
		.. question:sub(13) .. records
end

local asked = {}
local answers = {}

-- Answers by the first label of the name in the question.
local function start_server()
	local id, port
	id, port = bind(function(question, from)
		local label = string.unpack("s1", question, 13)
		asked[label] = (asked[label] or 0) + 1
		asked[#asked + 1] = { id = string.unpack(">I2", question), from = from, packet = question }
		local answer = answers[label]
		for _, text in ipairs(answer and { answer(question, asked[label]) } or {}) do
			socket.sendto(id, from, text)
		end
	end)
	return id, port
end

function answers.plain(q)
	return reply(q, 2, a_record("10.0.0.1", 60) .. a_record("10.0.0.2", 30))
end

function answers.six(q)
	local address = "\x20\x01\x0d\xb8" .. ("\0"):rep(11) .. "\1"
	return reply(q, 1, record(POINTER_TO_QUESTION, 28, 60, address))
end

function answers.alias(q)
	return reply(q, 2, record(POINTER_TO_QUESTION, 5, 60, wire_name "real.example")
		.. a_record("10.0.0.3", 60, wire_name "real.example"))
end

function answers.ring(q)
	return reply(q, 2, record(POINTER_TO_QUESTION, 5, 60, wire_name "other.example")
		.. record(wire_name "other.example", 5, 60, POINTER_TO_QUESTION))
end

function answers.missing(q)
	return reply(q, 0, "", 0x8183)
end

function answers.empty(q)
	return reply(q, 0, "")
end

-- Silent the first time.
function answers.lossy(q, times)
	if times > 1 then
		return reply(q, 1, a_record("10.0.0.4", 60))
	end
end

-- Lies before the truth: another id, another name, no answer at all, garbage.
function answers.spoofed(q)
	local id = string.unpack(">I2", q)
	local lie = a_record("6.6.6.6", 60)
	local other = q:sub(1, 12) .. wire_name "evil.example" .. "\0\1\0\1"
	return reply(q, 1, lie, nil, id ~ 1), reply(other, 1, lie), reply(q, 1, lie, 0x0100), "garbage",
		"", reply(q, 1, a_record("10.0.0.5", 60))
end

-- The record belongs to a name that was not asked for.
function answers.foreign(q)
	return reply(q, 2, a_record("6.6.6.6", 60, wire_name "evil.example") .. a_record("10.0.0.6", 60))
end

-- An owner that points to itself, one that points forward, and more records than bytes.
function answers.looped(q)
	local at = #q
	return reply(q, 1, string.pack(">I2", 0xc000 | at) .. "\0\1\0\1\0\0\0\60\0\4\6\6\6\6")
end

function answers.forward(q)
	return reply(q, 1, string.pack(">I2", 0xc000 | #q + 2) .. "\0\0\1\0\1\0\0\0\60\0\4\6\6\6\6")
end

function answers.short(q)
	return reply(q, 65535, a_record("10.0.0.7", 60) .. "\xc0")
end

-- Of names that are reached through so many pointers.
local function chained(question, count)
	local at, chain = #question + 11, { POINTER_TO_QUESTION }
	for i = 2, count - 1 do
		chain[i] = string.pack(">I2", 0xc000 | at + 2 * (i - 2))
	end
	local owner = string.pack(">I2", 0xc000 | at + 2 * (count - 2))
	return reply(question, 2, record("\0", 16, 60, table.concat(chain))
		.. a_record("10.0.0.9", 60, owner))
end

function answers.chained(q)
	return chained(q, 32)
end

function answers.tangled(q)
	return chained(q, 33)
end

function answers.brief(q, times)
	if times == 1 then
		return reply(q, 1, a_record("10.0.0.8", 0))
	end
	return reply(q, 0, "", 0x8183)
end

function answers.refused(q)
	return reply(q, 0, "", 0x8185)
end

local function test_literals()
	tap.is_deeply({ dns.resolve "10.1.2.3" }, { "10.1.2.3", { "10.1.2.3" } }, "IPv4 is given back")
	tap.is(dns.resolve("::1", true), "::1", "IPv6 is given back")
	for _, name in ipairs { "", ".", "a..b", ".a", "a b", "a/b", "a\0b", "ä", ("x"):rep(64),
		("abc."):rep(100) .. "d" } do
		tap.is_deeply({ dns.resolve(name) }, { nil, "illegal name" },
			string.format("%q is illegal", name:sub(1, 10)))
	end
end

local function test_no_server()
	dns.DEFAULT_RESOLV_CONF = false
	tap.raises(function() dns.resolve "plain.example" end, "Call dns.server first",
		"a server is needed")
end

local function test_answers()
	tap.is_deeply({ dns.resolve "Plain.Example" }, { "10.0.0.1", { "10.0.0.1", "10.0.0.2" } },
		"all addresses are answered")
	tap.is(dns.resolve "plain.example.", "10.0.0.1", "a dot at the end does not matter")
	tap.is(asked.plain, 1, "the second time from the cache")
	dns.flush()
	dns.resolve "plain.example"
	tap.is(asked.plain, 2, "flush empties the cache")
	tap.is(dns.resolve("six.example", true), "2001:db8:0:0:0:0:0:1", "an IPv6 address")
	tap.is(dns.resolve "alias.example", "10.0.0.3", "an alias is followed")
	tap.is(dns.resolve "lossy.example", "10.0.0.4", "a lost question is sent again")
	tap.is(asked.lossy, 2, "once")
end

local function test_failures()
	for _, name in ipairs { "missing", "empty", "ring", "looped", "forward", "tangled", "refused" } do
		tap.raises(function() dns.resolve(name .. ".example") end, "timeout or no answer",
			name .. ": there is no answer")
	end
	tap.is(asked.missing, 1, "a name that is not there is asked for once")
	tap.is(dns.resolve "brief.example", "10.0.0.8", "an answer that expires at once")
	tap.is(dns.resolve "brief.example", "10.0.0.8", "is still better than none")
	tap.is(asked.brief, 2, "though it was asked for again")
end

local function test_lies()
	tap.is(dns.resolve "spoofed.example", "10.0.0.5", "lies are not believed")
	tap.is_deeply({ dns.resolve "foreign.example" }, { "10.0.0.6", { "10.0.0.6" } },
		"records of other names are dropped")
	tap.is(dns.resolve "chained.example", "10.0.0.9", "a name may be made of many pointers")
	tap.is(dns.resolve "short.example", "10.0.0.7", "a cut packet counts as far as it goes")
end

local function test_ids()
	local ids, ports = {}, {}
	local distinct = 0
	for _, question in ipairs(asked) do
		ids[question.id] = true
		ports[question.from] = true
	end
	for _ in pairs(ids) do
		distinct = distinct + 1
	end
	tap.ok(distinct > #asked / 2, "ids are not repeated")
	distinct = 0
	for _ in pairs(ports) do
		distinct = distinct + 1
	end
	tap.ok(distinct > #asked / 2, "source ports are not repeated")
end

local function test_concurrent()
	dns.flush()
	local before = asked.plain
	local count = 0
	for _ = 1, 20 do
		skynet.fork(function()
			if dns.resolve "plain.example" == "10.0.0.1" then
				count = count + 1
			end
		end)
	end
	tap.eventually(function() return count == 20 end, "20 askers get an answer")
	tap.is(asked.plain, before + 1, "with one question")
end

local function test_several_servers(port)
	local dead, dead_port = bind(function() end)
	socket.close(dead)
	local silent, silent_port = bind(function() end)
	dns.server(LOCAL, dead_port, { LOCAL, silent_port }, { LOCAL, port })
	dns.flush()
	tap.is(dns.resolve "plain.example", "10.0.0.1", "the next server answers")
	socket.close(silent)
	dns.server(LOCAL, port)
end

local function test_hosts()
	local path = skynet.getenv "test_tmp" .. "/hosts"
	local file = assert(io.open(path, "w"))
	file:write("# comment\n10.9.8.7  Alpha beta # gamma\n\n::7 alpha\nnonsense delta\n10.9.8.6 beta\n")
	file:close()
	dns.DEFAULT_HOSTS = path
	dns.flush()
	tap.is(dns.resolve "alpha", "10.9.8.7", "the hosts file is used")
	tap.is(dns.resolve("alpha", true), "::7", "for IPv6 too")
	tap.is_deeply({ dns.resolve "BETA" }, { "10.9.8.7", { "10.9.8.7", "10.9.8.6" } },
		"with all its lines")
	for _, name in ipairs { "gamma", "delta" } do
		tap.raises(function() dns.resolve(name) end, "timeout or no answer",
			name .. " is not in the hosts file")
	end
end

local function test_random_packets()
	local question = packet.question(7, "plain.example", packet.TYPE_A)
	local good = answers.plain(question)
	for i = 1, #good do
		packet.answer(good:sub(1, i), 7, "plain.example", packet.TYPE_A)
	end
	math.randomseed(42)
	for _ = 1, 20000 do
		local at = math.random(#good)
		local bad = good:sub(1, at - 1) .. string.char(math.random(0, 255)) .. good:sub(at + 1)
		packet.answer(bad, 7, "plain.example", packet.TYPE_A)
	end
	tap.pass "20000 damaged packets do no harm"
end

tap.run(function()
	local server, port = start_server()
	test_literals()
	test_no_server()
	dns.server(LOCAL, port)
	answers.gamma, answers.delta = answers.missing, answers.missing
	test_answers()
	test_failures()
	test_lies()
	test_ids()
	test_concurrent()
	test_several_servers(port)
	test_hosts()
	test_random_packets()
	socket.close(server)
end)
