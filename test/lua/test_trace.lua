--- skynet.trace: a tag that follows requests, and its lines in the log.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

local function lines(tag)
	local found = {}
	for line in subject.log():gmatch "[^\n]+" do
		local event = line:match("<TRACE " .. tag:gsub("%-", "%%-") .. "> %d+ (.*)$")
		if event then
			found[#found + 1] = event
		end
	end
	return found
end

local function has(events, pattern)
	for _, event in ipairs(events) do
		if event:find(pattern) then
			return true
		end
	end
	return false
end

tap.run(function()
	local peer, other = subject.new(), subject.new()
	tap.is(skynet.tracetag(), nil, "at first there is no trace")
	local tag
	local finished
	skynet.fork(function()
		skynet.trace "the reason"
		tag = skynet.tracetag()
		subject.eval(peer, [[
			state.tag = skynet.tracetag()
			skynet.sleep(1)
			return skynet.call((...), "lua",
				"local skynet = require 'skynet' skynet.retpack(skynet.tracetag())")]],
			other)
		finished = subject.eval(peer, "return state.tag")
	end)
	tap.eventually(function() return finished end, "a traced task calls")
	tap.like(tag, ("^:%08x%%-%%d+$"):format(skynet.self()), "a tag names the service")
	tap.is(finished, tag, "the tag goes with the request")
	tap.eventually(function() return has(lines(tag), "^end$") end, "the end of the task is logged")
	local events = lines(tag)
	for _, pattern in ipairs { "^trace the reason$",
		"^call : @./test/lib/subject.lua:%d+ @test/lua/test_trace.lua:%d+", "^request$",
		"^sleep : ", "^resume$", "^response$", "^call : .*subject:%d+" } do
		tap.ok(has(events, pattern), "the log has a line " .. pattern)
	end
	tap.ok(not has(events, "TRACE"), "and no stray ones")

	subject.eval(peer, "skynet.traceproto('lua', true) return 1")
	local own = subject.eval(peer, "return skynet.tracetag()")
	tap.like(own, ("^:%08x%%-%%d+$"):format(peer), "traceproto true traces every request")
	subject.eval(peer, "skynet.traceproto('lua', false) return 1")
	skynet.fork(function()
		skynet.trace()
		own = subject.eval(peer, "skynet.trace() return skynet.tracetag() or false")
	end)
	tap.eventually(function() return own == false end, "false ignores tags and trace")
	subject.eval(peer, "skynet.traceproto('lua', nil) return 1")
	tap.is(subject.eval(peer, "return skynet.tracetag() or 'none'"), "none", "nil is the default")
	tap.raises(function() skynet.traceproto("nonesuch", true) end, "assertion failed",
		"the protocol must exist")

	local msg, size = skynet.tracecall("my-tag", peer,
		"lua", skynet.packstring "require('skynet').ret 'x'")
	tap.is(skynet.tostring(msg, size), "x", "tracecall is a rawcall")
	tap.eventually(function() return has(lines "my-tag", "^tracecall end$") end, "its end is logged")
	tap.ok(has(lines "my-tag", "^tracecall begin : @test/lua/test_trace.lua:%d+"), "and its begin")
	tap.ok(has(lines "my-tag", "^request$"), "the receiver takes the tag")
	msg, size = skynet.tracecall("a\27[2Jb\nc\0", peer, "lua",
		skynet.packstring "local skynet = require 'skynet' skynet.ret(skynet.tracetag())")
	tap.is(skynet.tostring(msg, size), "a?[2Jb?c", "control characters of a tag are replaced")
	-- tags whose requests never come, as another node may send them
	local proto = { name = "tags", id = skynet.PTYPE_TRACE, pack = tostring }
	skynet.register_protocol(proto)
	for i = 1, 1000 do
		skynet.redirect(peer, 0xf00000 + i, "tags", 0, "tag" .. i)
	end
	local function tag_of(source)
		skynet.redirect(peer, source, "lua", 0, skynet.pack "state.tag = require('skynet').tracetag()")
		return subject.eval(peer, "return state.tag or 'none'")
	end
	tap.is(tag_of(0xf00000 + 1000), "tag1000", "a tag waits for its request")
	tap.is(tag_of(0xf00000 + 1), "none", "but not for ever when others come")
	skynet.redirect(peer, 0xf00000, "tags", 0, ("x"):rep(5000))
	tap.is(#tag_of(0xf00000), 1023, "what is too long for a tag is cut")
	skynet.tracelog("my-tag", "plain")
	skynet.tracelog("my-tag", "with frames", 1)
	tap.eventually(function() return has(lines "my-tag", "^with frames : @.*:%d+") end,
		"tracelog logs")
	tap.ok(has(lines "my-tag", "^plain$"), "also without frames")
	skynet.fork(function()
		skynet.trace "failing"
		tag = skynet.tracetag()
		error "on purpose"
	end)
	tap.eventually(function() return has(lines(tag), "^error$") end, "an error is an event")
end)
