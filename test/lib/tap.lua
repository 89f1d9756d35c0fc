--- Checks for tests that run inside a node; the results go to standard output as TAP.
--- A test script requires this as "tap" and checks inside `tap.run(function() ... end)`; after it
--- the node ends with status 0, or with 1 when a check failed, the function raised or made none.
local skynet = require "skynet"
local manager = require "skynet.manager"

local tap = {}

local EVENTUALLY_CS <const> = 3000
local POLL_CS <const> = 1

local own_source <const> = debug.getinfo(1, "S").source
local count, failed = 0, 0

local function write(line)
	io.stdout:write(line, "\n")
	io.stdout:flush()
end

local function quote(value)
	if type(value) == "string" then
		local text = string.format("%q", value):gsub("\\\n", "\\n"):gsub("\r", "\\r")
		return #text > 400 and text:sub(1, 400) .. "..." or text
	end
	return tostring(value)
end

--- Print `message` as comment lines.
---@param message any
function tap.note(message)
	for line in (tostring(message) .. "\n"):gmatch "(.-)\n" do
		write("#   " .. line)
	end
end

-- The line of the test script that is being run.
local function where()
	for level = 3, 20 do
		local info = debug.getinfo(level, "Sl")
		if not info then
			break
		end
		if info.currentline > 0 and info.source ~= own_source then
			return string.format("at %s:%d", info.short_src, info.currentline)
		end
	end
	return "called from C"
end

local function report(passed, name, ...)
	count = count + 1
	name = tostring(name or "check " .. count):gsub("[\r\n#]", " ")
	write(string.format("%s %d - %s", passed and "ok" or "not ok", count, name))
	if not passed then
		failed = failed + 1
		for i = 1, select("#", ...) do
			tap.note((select(i, ...)))
		end
		tap.note(where())
	end
	return passed
end

--- Check that `value` is neither nil nor false.
---@param value any
---@param name string a sentence
---@return boolean passed
function tap.ok(value, name)
	return report(value and true or false, name, "got " .. quote(value))
end

--- Check that `got` is `expected` (equal without looking into tables, same number type).
---@param got any
---@param expected any
---@param name string
---@return boolean passed
function tap.is(got, expected, name)
	local same = rawequal(got, expected) or got ~= got and expected ~= expected
	if same and math.type(got) ~= math.type(expected) then
		same = false
	end
	return report(same, name, "got      " .. quote(got), "expected " .. quote(expected))
end

--- Check that `got` is not `unexpected`.
---@param got any
---@param unexpected any
---@param name string
---@return boolean passed
function tap.isnt(got, unexpected, name)
	return report(got ~= unexpected, name, "got " .. quote(got) .. ", which was not to be")
end

-- Path of the first difference, or nil.
local function difference(got, expected, path, seen)
	if type(got) ~= "table" or type(expected) ~= "table" then
		if got ~= expected or math.type(got) ~= math.type(expected) then
			return string.format("%s: got %s, expected %s", path, quote(got), quote(expected))
		end
		return nil
	end
	if seen[got] == expected then
		return nil
	end
	seen[got] = expected
	for key, value in pairs(expected) do
		local found = difference(got[key], value, path .. "[" .. quote(key) .. "]", seen)
		if found then
			return found
		end
	end
	for key, value in pairs(got) do
		if expected[key] == nil then
			return string.format("%s[%s]: got %s, expected nothing", path, quote(key), quote(value))
		end
	end
	return nil
end

--- Check that two values are equal all the way down.
---@param got any
---@param expected any
---@param name string
---@return boolean passed
function tap.is_deeply(got, expected, name)
	local found = difference(got, expected, "value", {})
	return report(found == nil, name, found)
end

--- Check that `text` is a string that contains a match of `pattern`.
---@param text any
---@param pattern string a Lua pattern
---@param name string
---@return boolean passed
function tap.like(text, pattern, name)
	local matches = type(text) == "string" and text:find(pattern) ~= nil
	return report(matches, name, "got     " .. quote(text), "pattern " .. pattern)
end

--- Check that `func` raises an error, and that its message matches `pattern` when one is given.
---@param func fun()
---@param pattern string? a Lua pattern
---@param name string
---@return boolean passed
---@async
function tap.raises(func, pattern, name)
	local ok, err = pcall(func)
	if ok then
		return report(false, name, "nothing was raised")
	end
	local matches = pattern == nil or tostring(err):find(pattern) ~= nil
	return report(matches, name, "raised  " .. quote(err), "pattern " .. tostring(pattern))
end

--- Wait until `condition()` is true, looking again every centisecond, and check that it became so.
---@param condition fun(): any
---@param name string
---@param deadline_cs integer? default 30 s
---@return any value the last result of `condition`
---@async
function tap.eventually(condition, name, deadline_cs)
	local limit = skynet.now() + (deadline_cs or EVENTUALLY_CS)
	local value = condition()
	while not value and skynet.now() < limit do
		skynet.sleep(POLL_CS)
		value = condition()
	end
	report(value and true or false, name, "still not so at the deadline, got " .. quote(value))
	return value
end

--- Call `func` in a task of its own.
---@param func async fun(...): any
---@param ... any
---@return { done: boolean?, ok: boolean?, value: any } result  appears when the call has ended
function tap.later(func, ...)
	local result = {}
	skynet.fork(function(...)
		result.ok, result.value = pcall(func, ...)
		result.done = true
	end, ...)
	return result
end

--- Record a check that passed or failed by other means.
---@param name string
function tap.pass(name)
	report(true, name)
end

---@param name string
---@param reason string?
function tap.fail(name, reason)
	report(false, name, reason or "")
end

--- How many checks have failed so far.
---@return integer
function tap.failures()
	return failed
end

--- Print the plan and end the node.
function tap.done()
	if count == 0 then
		report(false, "checks something", "no check was made")
	end
	write("1.." .. count)
	if failed > 0 then
		tap.note(string.format("%d of %d failed", failed, count))
	end
	manager.abort(failed > 0 and 1 or 0)
end

--- Start the service, run `func` in it and be done; an error in `func` is a failed check.
---@param func fun()
---@async
function tap.run(func)
	skynet.start(function()
		local ok, err = xpcall(func, debug.traceback)
		if not ok then
			report(false, "runs without an error", err)
		end
		tap.done()
	end)
end

return tap
