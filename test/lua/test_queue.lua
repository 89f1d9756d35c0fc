--- skynet.queue: one task at a time.
local skynet = require "skynet"
local queue = require "skynet.queue"
local tap = require "tap"

tap.run(function()
	local lock = queue()
	tap.is_deeply({ lock(function(...) return ... end, 1, nil, 3) }, { 1, nil, 3 },
		"the function gets its arguments, and its results come back")
	local order, inside, most = {}, 0, 0
	for i = 1, 20 do
		skynet.fork(function()
			lock(function()
				inside = inside + 1
				most = math.max(most, inside)
				skynet.sleep(i % 2)
				order[#order + 1] = i
				inside = inside - 1
			end)
		end)
	end
	tap.eventually(function() return #order == 20 end, "all get in")
	tap.is(most, 1, "one at a time")
	local sorted = true
	for i = 1, 20 do
		sorted = sorted and order[i] == i
	end
	tap.ok(sorted, "in the order in which they came")
	tap.is(lock(function() return lock(function() return lock(skynet.yield) or "inner" end) end),
		"inner",
		"the one inside may enter again")
	local ok, err = pcall(lock, error, "trouble")
	tap.ok(not ok, "an error is raised again")
	tap.like(err, "trouble\nstack traceback", "with its traceback")
	local object = setmetatable({}, { __tostring = function() return "object" end })
	ok, err = pcall(lock, error, object)
	tap.ok(not ok and err == object, "an error object stays what it is")
	tap.is(lock(function() return "free" end), "free", "the lock is free after an error")
	local other = queue()
	tap.is(lock(function() return other(function() return "both" end) end), "both",
		"two locks are independent")
	local got = {}
	skynet.fork(function() lock(function() skynet.sleep(2) error "while others wait" end) end)
	skynet.fork(function() got[1] = lock(function() return "next" end) end)
	tap.eventually(function() return got[1] == "next" end, "an error lets the next one in")
end)
