-- Life of a Lua service as the kernel sees it: arguments, failures, services that never start.
local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.core"
local subject = require "subject"
local tap = require "tap"

tap.run(function()
	tap.is(skynet.launch "snlua", nil, "snlua without a script is not launched")
	tap.is(skynet.launch("snlua", "   "), nil, "neither with blanks only")
	subject.logs("error: snlua needs the name of a script", "the log says why")
	tap.is(core.command("LAUNCH", "snlua"), nil, "nor by the text command")

	local address = skynet.launch("snlua", "no_such_script")
	subject.logs(string.format("%%[:%08x%%] KILL self", address),
		"a service whose script is missing ends")
	tap.raises(function()
		skynet.call(address, "lua")
	end, nil, "and requests to it fail")

	tap.raises(function()
		skynet.newservice "never_started"
	end, "call failed", "a script that does not call skynet.start fails to launch")
	subject.logs("lua loader error : 'never_started' did not call skynet.start", "the log says why")
	local silent = skynet.launch("snlua", "never_started")
	tap.raises(function()
		skynet.call(silent, "lua", "hello")
	end, "call", "a request to such a service fails")

	local odd = skynet.newservice("evaluator", "setmetatable(_G,{__index=function()~return~1~end})")
	tap.is(skynet.call(odd, "lua", "return no_such_global"), 1, "a script may change its globals")

	local failing = skynet.launch("snlua", "evaluator error{}")
	subject.logs("lua loader error : table: ", "an error object that is no string is logged as text")
	tap.raises(function()
		skynet.call(failing, "lua")
	end, nil, "and ends the service")

	skynet.launch("snlua", "evaluator error(setmetatable({},{__tostring=function()error{}end}))")
	subject.logs("lua loader error : [^\n]+\nstack traceback",
		"also one that cannot be turned into text")

	tap.is(type(collectgarbage "count"), "number", "the collector answers")
	tap.is(collectgarbage "isrunning", true, "and runs")
	local running = skynet.newservice("evaluator", "GC=collectgarbage('isrunning')")
	tap.is(skynet.call(running, "lua", "return GC"), true, "also in the main chunk")
end)
