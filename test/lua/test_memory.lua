-- skynet.memory: totals, per service, allocator.
local skynet = require "skynet"
local memory = require "skynet.memory"
local subject = require "subject"
local tap = require "tap"

tap.run(function()
	for _, name in ipairs { "total", "block", "current" } do
		tap.is(math.type(memory[name]()), "integer", name .. " is an integer")
	end
	local info = memory.info()
	tap.ok((info[skynet.self()] or 0) > 10000, "info has this service")
	tap.ok(memory.current() > 10000, "current is that of this service")
	local service = skynet.newservice "evaluator"
	tap.ok(memory.info()[service], "info has a new service")

	memory.dump()
	subject.logs("dump all service mem:", "dump writes a head line")
	subject.logs(string.format(":%08x %%-> %%d+kb %%d+b", skynet.self()),
		"and one line per service")
	subject.logs("%+total: %d+kb", "and the total")

	local statistics = memory.jestat()
	for _, name in ipairs { "allocated", "resident", "retained", "mapped", "active" } do
		tap.is(math.type(statistics["stats." .. name]), "integer", "jestat has stats." .. name)
	end
	tap.is(memory.mallctl "stats.allocated" > 0, memory.total() > 0,
		"mallctl reads the allocator if there is one")
	tap.is(memory.mallctl "no.such.name", 0, "an unknown name gives 0")
	tap.is(memory.profactive(), false, "the heap profile is off")
	tap.raises(function()
		memory.mallctl {}
	end, "bad argument", "mallctl wants a name")
	tap.raises(function()
		memory.profactive(1)
	end, "bad argument", "profactive wants a boolean")

	if memory.total() > 0 then
		local before = memory.total()
		local block, size = skynet.pack(string.rep("x", 1 << 22))
		tap.ok(memory.total() - before > 1 << 21, "a packed block is counted")
		skynet.trash(block, size)
	end
end)
