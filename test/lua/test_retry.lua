---Requests that are made again when a mailbox is full.
local skynet = require "skynet"
local retry = require "skynet.retry"
local tap = require "tap"

---@param failures string[]  errors of the first calls
---@return fun(...): any ...
local function failing(failures)
	local count = 0
	return function(...)
		count = count + 1
		if failures[count] then
			error(failures[count], 0)
		end
		return count, ...
	end
end

local function a_full_mailbox_is_tried_again()
	local full = "call failed: overloaded :00000001"
	local results = table.pack(retry.while_full(failing { full, full }, "a", nil, "b", nil))
	tap.is(results[1], 3, "until it has room")
	tap.is(results.n, 5, "with all arguments, and all results")
	tap.is(results[4], "b", "in their places")
end

local function other_errors_are_raised()
	for _, err in ipairs { "call failed: dead service :00000001", "call failed: timeout",
		"no call" } do
		local ok, raised = pcall(retry.while_full, failing { err })
		tap.is(ok, false, "an error of another kind is not tried again")
		tap.is(raised, err, "and is not changed")
	end
end

---A service that is gone.
local function errors_of_real_calls_are_known()
	local gone = skynet.newservice "puppet"
	skynet.kill(gone)
	local ok, err = pcall(retry.while_full, skynet.call, gone, "lua", "arguments")
	tap.is(ok, false, "a service that has ended is not waited for")
	tap.is(skynet.error_kind(err), "dead_service", "its caller hears why")
end

tap.run(function()
	a_full_mailbox_is_tried_again()
	other_errors_are_raised()
	errors_of_real_calls_are_known()
end)
