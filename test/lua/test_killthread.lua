--- skynet.killthread and skynet.task.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"
local queue = require "skynet.queue"

local function closer(list, name)
	return setmetatable({}, { __close = function() list[#list + 1] = name end })
end

local function test_kill()
	local closed = {}
	local sleeper = skynet.fork(function()
		local _ <close> = closer(closed, "sleeper")
		skynet.sleep(2)
		closed[#closed + 1] = "went on"
	end)
	skynet.yield()
	tap.is(skynet.killthread(sleeper), sleeper, "killthread returns the coroutine")
	tap.is(closed[1], "sleeper", "its to-be-closed variables run")
	tap.is(coroutine.status(sleeper), "dead", "it is dead")
	tap.is(skynet.killthread(sleeper), nil, "the second time it is not found")
	skynet.sleep(4)
	tap.is(#closed, 1, "its timer does not fire")
	tap.ok(not subject.logged "Unknown session", "and leaves no line in the log")

	local ran
	local forked = skynet.fork(function() ran = true end)
	tap.is(skynet.killthread(forked), forked, "a queued fork can be killed")
	skynet.fork(function() end)
	skynet.yield()
	tap.is(ran, nil, "and does not run")

	local pending = skynet.timeout(1, function() ran = true end)
	tap.is(skynet.killthread(pending), pending, "so can a timeout")
	skynet.sleep(3)
	tap.is(ran, nil, "which does not fire")

	local named = skynet.fork(function() skynet.wait {} end)
	skynet.yield()
	tap.is(skynet.killthread(tostring(named):gsub("thread: ", "")), named,
		"a coroutine is found by a part of its name")
	tap.is(skynet.killthread "no such thread", nil, "another name is not found")
	tap.is(skynet.killthread(coroutine.running()), nil, "the running task cannot be killed")

	local token = {}
	local waiter = skynet.fork(function() skynet.wait(token) end)
	skynet.yield()
	skynet.killthread(waiter)
	tap.is(skynet.wakeup(token), nil, "nobody sleeps under the token of a killed task")
	waiter = skynet.fork(function() skynet.wait(token) end)
	skynet.yield()
	tap.is(skynet.wakeup(token), true, "another can use it")
	skynet.killthread(waiter)
	skynet.yield()
	tap.pass "a task that is about to wake can be killed"
end

local function test_request()
	local peer = subject.new()
	local ok, err
	skynet.fork(function()
		ok, err = pcall(subject.call, peer, "state.co = coroutine.running() skynet.wait {}")
	end)
	skynet.yield()
	tap.ok(subject.eval(peer, "return skynet.killthread(state.co) ~= nil"),
		"the handler of a request can be killed")
	tap.eventually(function() return err end, "its caller gets an error")
	tap.is(ok, false, "not a reply")
	subject.call(peer, "skynet.ret() state.co = coroutine.running() skynet.wait {}")
	tap.ok(subject.eval(peer, "return skynet.killthread(state.co) ~= nil"),
		"so can one that has answered")

	local other = subject.new()
	local caller = skynet.fork(function()
		subject.call(other, "state.r = skynet.response()")
		tap.fail "a killed call does not return"
	end)
	skynet.yield()
	subject.eval(other, "return 1")
	skynet.killthread(caller)
	tap.is(subject.eval(other, "return state.r(true)"), true, "the reply to a killed call")
	tap.is(subject.eval(other, "return 1"), 1, "is dropped")
	tap.ok(not subject.logged "Unknown session", "silently")
end

local function test_start()
	local list = skynet.call(".launcher", "lua", "LIST")
	for _, how in ipairs { "other", "waiting", "pattern" } do
		local ok, err = pcall(skynet.newservice, "killed_start", how)
		tap.ok(not ok, "a service whose start is killed does not start: " .. how)
		tap.like(err, "the task that starts the service was killed", "its caller is told why")
	end
	tap.eventually(function()
		for address, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
			if list[address] ~= line then
				return false
			end
		end
		return true
	end, "nothing is left of it")
	tap.ok(not subject.logged "the killer goes on", "nor of the task that killed it")
end

local function test_queue()
	local lock = queue()
	local order = {}
	local holder = skynet.fork(function()
		lock(function()
			order[#order + 1] = "holder"
			skynet.wait {}
		end)
	end)
	local waiter = skynet.fork(function()
		lock(function() order[#order + 1] = "killed waiter" end)
	end)
	skynet.fork(function()
		lock(function() order[#order + 1] = "waiter" end)
	end)
	skynet.yield()
	skynet.killthread(waiter)
	skynet.killthread(holder)
	skynet.yield()
	tap.is(table.concat(order, ","), "holder,waiter", "a killed holder gives its lock away")
end

local function test_task()
	local co = skynet.fork(function() skynet.wait {} end)
	skynet.yield()
	tap.is(skynet.task(), 1, "task counts what waits")
	local session = skynet.task(co)
	tap.is(math.type(session), "integer", "a coroutine has a session")
	tap.like(skynet.task(session), "test_killthread.lua", "a session has a traceback")
	tap.is(skynet.task(12345678), "No session", "an unknown one has none")
	tap.is(skynet.task(coroutine.create(print)), nil, "a foreign coroutine has no session")
	local tasks = {}
	skynet.task(tasks)
	tap.like(tasks[("%s session: %d"):format(co, session)], "stack traceback:", "task fills a table")
	for _ = 1, 11 do
		skynet.fork(function() skynet.sleep(100000) end)
	end
	skynet.yield()
	local found
	for key, trace in pairs(skynet.uniqtask()) do
		if key:match "^11\tsessions:%[%d+,%d+,%d+,%d+,%d+,%d+,%d+,%d+,%d+,%.%.%.%]\n$" then
			found = trace
		end
	end
	tap.like(found, "stack traceback", "uniqtask groups equal ones")
	skynet.timeout(100000, function() end)
	tap.is(skynet.task(), 13, "a timeout counts")
	local timers = 0
	tasks = {}
	skynet.task(tasks)
	for _ in pairs(tasks) do
		timers = timers + 1
	end
	tap.is(timers, 13, "and is listed")
	tap.is(skynet.task "init", nil, "the start function is done")
	tap.like(skynet.call(skynet.newservice("starter"), "lua"), "starter.lua",
		"while it is not, task shows where it is")
end

skynet.start(function()
	-- outside of the start function, so that skynet.task "init" is over
	skynet.timeout(0, function()
		local ok, err = xpcall(function()
			test_kill()
			test_request()
			test_start()
			test_queue()
			test_task()
		end, debug.traceback)
		tap.ok(ok, "runs without an error: " .. tostring(err))
		tap.done()
	end)
end)
