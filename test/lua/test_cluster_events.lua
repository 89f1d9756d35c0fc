---Events of cluster nodes: a watcher misses none while it keeps up, and none that is the last word
---about a node when it does not.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local cluster_events = require "skynet.cluster_events"
local tap = require "tap"

local MANY <const> = 1000 -- more than are kept

---@param list cluster.event[]
---@return string "node what ..."
local function text(list)
	local words = {}
	for _, event in ipairs(list) do
		words[#words + 1] = event.node .. " " .. event.what
	end
	return table.concat(words, ", ")
end

local function what_is_behind_a_number_comes_in_order()
	cluster_events.announce("one", "up")
	cluster_events.announce("two", "up")
	cluster_events.announce("one", "down")
	local last, list = cluster_events.watch(0)
	tap.is(last, 3, "events have numbers")
	tap.is(text(list), "one up, two up, one down", "all events come in order")
	tap.is(text(select(2, cluster_events.watch(2))), "one down", "or those behind a number")
end

local function the_last_event_of_each_node_is_kept()
	for _ = 1, MANY do
		cluster_events.announce("three", "up")
		cluster_events.announce("three", "down")
	end
	local last, list = cluster_events.watch(0)
	tap.is(last, 3 + 2 * MANY, "many events of one node follow")
	tap.is(text { list[1], list[2] }, "two up, one down", "the last events of others are kept")
	tap.ok(#list < MANY, "those that came before them are not")
	tap.is(text { list[#list] }, "three down", "the last of all is the last")
	cluster_events.announce("one", "up")
	list = select(2, cluster_events.watch(0))
	tap.is(text { list[1], list[#list] }, "two up, one up", "a newer event takes the place of one")
end

local function a_full_mailbox_does_not_end_them()
	local call_forever, refused, heard = skynet.call_forever, 0, nil
	function skynet.call_forever(...)
		if refused < 2 then
			refused = refused + 1
			error "call failed: overloaded :00000001"
		end
		return call_forever(...)
	end
	cluster.on_node(function(node, what)
		heard = heard or node .. " " .. what
	end)
	tap.eventually(function() return refused == 2 end, "the service of names has no room")
	cluster.reload { late = "unix:/late" }
	tap.eventually(function() return heard end, "a watcher asks again")
	tap.is(heard, "late changed", "and hears what has come meanwhile")
	skynet.call_forever = call_forever
end

local function many_names_change_at_once()
	local changed, count, names = {}, 0, {}
	cluster.on_node(function(node, what)
		changed[node] = what
		count = count + 1
	end)
	for number = 1, MANY do
		names["node" .. number] = "unix:/" .. number
	end
	cluster.reload(names)
	tap.eventually(function() return count >= MANY end, "a watcher hears of each of many names")
	skynet.call(".clusterd", "lua", "serial")
	tap.is(count, MANY, "once")
	tap.ok(changed.node1 == "changed" and changed["node" .. MANY], "of the first and of the last")
end

---Names come while the nodes that are known are asked how they do.
local function the_status_is_complete_while_names_come()
	local known, names, links = {}, {}, nil
	for number = 1, 40 do
		known["known" .. number] = "unix:/" .. number
	end
	cluster.reload(known)
	for node in pairs(known) do
		cluster.get_sender(node)
	end
	skynet.fork(function()
		links = skynet.call(".clusterd", "lua", "links")
	end)
	for number = 1, 2 * MANY do
		names["more" .. number] = "unix:/" .. number
	end
	skynet.yield()
	cluster.reload(names)
	tap.eventually(function() return links end, "the status comes")
	local count = 0
	for node in pairs(known) do
		count = count + (links[node] and 1 or 0)
	end
	tap.is(count, 40, "with all nodes that were known")
end

tap.run(function()
	what_is_behind_a_number_comes_in_order()
	the_last_event_of_each_node_is_kept()
	a_full_mailbox_does_not_end_them()
	many_names_change_at_once()
	the_status_is_complete_while_names_come()
end)
