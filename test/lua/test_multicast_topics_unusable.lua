--- Topics of a node whose cluster cannot be used: whoever wants one is told why, also when others
--- do at the same time, and plain channels go on.
-- config: cluster = "$TEST_TMP/no_such_names"
local multicast = require "skynet.multicast"
local skynet = require "skynet"
local tap = require "tap"

tap.run(function()
	local errors = {}
	for i = 1, 3 do
		local topic = multicast.topic("topic" .. i, { dispatch = function() end })
		skynet.fork(function()
			local ok, err = pcall(topic.subscribe, topic)
			errors[#errors + 1] = ok and "subscribed" or err
		end)
	end
	tap.eventually(function() return #errors == 3 end, "all of them go on")
	for i, err in ipairs(errors) do
		tap.like(err, "no_such_names", ("number %d is told the reason"):format(i))
	end
	local heard
	local channel = multicast.new { dispatch = function(_, _, text) heard = text end }
	channel:subscribe()
	channel:publish "still here"
	tap.eventually(function() return heard == "still here" end, "a channel works")
	for _, bad in ipairs { 7, "x", print } do
		tap.raises(function() multicast.new(bad) end, "topics_unusable.*table expected",
			"a configuration of type " .. type(bad) .. " is refused")
		tap.raises(function() multicast.topic("x", bad) end,
			"topics_unusable.*table expected", "for a topic as well")
	end
end)
