---What happens to the nodes of the cluster, for services that watch them: events with numbers from
---1 on. The newest are kept for watchers that come late, and the last one of each node, however old
---it is: so nobody misses what became of a node. For the service clusterd.
---@class skynet.cluster_events
local cluster_events = {}

local skynet = require "skynet"

local KEPT <const> = 256

---@class cluster.event
---@field node string
---@field what "up"|"down"|"changed"

---@type table<integer, cluster.event> by number
local events = {}
local count = 0
---@type table<string, integer> node to the number of its last event
local newest = {}
---@type (fun(ok: boolean): boolean)[] responses to services that wait for the next event
local watchers = {}

---Number of the last event, 0 before the first.
---@return integer
function cluster_events.serial()
	return count
end

---@param node string
---@param what "up"|"down"|"changed"
function cluster_events.announce(node, what)
	count = count + 1
	local before, old = newest[node], count - KEPT
	events[count] = { node = node, what = what }
	newest[node] = count
	if before and before <= old then
		events[before] = nil
	end
	if events[old] and newest[events[old].node] ~= old then
		events[old] = nil
	end
	local list = watchers
	watchers = {}
	for _, response in ipairs(list) do
		response(true)
	end
end

---Numbers of events behind `serial` that are too old to be kept for another reason than being the
---last ones of their nodes.
---@param serial integer
---@return integer[] numbers
local function old_numbers(serial)
	local numbers = {}
	for number in pairs(serial < count - KEPT and events or {}) do
		if number > serial and number <= count - KEPT then
			numbers[#numbers + 1] = number
		end
	end
	table.sort(numbers)
	return numbers
end

---The events behind number `serial`, as far as they are kept; nothing when there are none yet: then
---the current request is answered in the same way by the next event.
---@param serial integer
---@return integer? last  number of the last of them
---@return cluster.event[]? list
function cluster_events.watch(serial)
	if serial >= count then
		watchers[#watchers + 1] = skynet.response(function()
			return skynet.pack(count, { events[count] })
		end)
		return
	end
	local list = {}
	for _, number in ipairs(old_numbers(serial)) do
		list[#list + 1] = events[number]
	end
	for number = math.max(serial, count - KEPT) + 1, count do
		list[#list + 1] = events[number]
	end
	return count, list
end

return cluster_events
