---Calls and sends to node "server" without a break, large and small, and counts what comes of it.
---Says when calls begin to fail and when they are answered again. At the end of the node it waits
---for what is under way and says what is missing.
local crypt = require "skynet.crypt"
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local CALLERS <const> = 20
local LARGE <const> = ("x"):rep(200000)

local started, ended, wrong = 0, 0, 0
local stopping, failing = false, false

---@param reason string?  nil: it was answered
local function note(reason)
	if reason and not failing then
		skynet.error("cluster_load: calls fail:", reason)
	elseif not reason and failing then
		skynet.error "cluster_load: answered again"
	end
	failing = reason ~= nil
end

---@param caller integer
---@param number integer
local function call(caller, number)
	local text = number % 7 == 0 and LARGE or "x"
	started = started + 1
	local ok, who, back, size =
		pcall(cluster.call, "server", "@order", "call", caller, number, text)
	ended = ended + 1
	if ok and (who ~= caller or back ~= number or size ~= #text) then
		wrong = wrong + 1
	end
	note(not ok and (skynet.error_kind(who) or tostring(who)) or nil)
	return ok
end

skynet.start(function()
	-- Other runs have other callers. Random numbers of Lua could be those of a process that was
	-- started in the same second.
	local base = string.unpack("<I8", crypt.randomkey()) >> 24
	for caller = base, base + CALLERS - 1 do
		skynet.fork(function()
			local number = 0
			while not stopping do
				number = number + 1
				cluster.send("server", "@order", "push", caller, number,
					number % 5 == 0 and LARGE or "y")
				number = number + 1
				if not call(caller, number) then
					skynet.sleep(5)
				end
			end
		end)
	end
	skynet.on_stop(function()
		stopping = true
		while ended < started do
			skynet.sleep(1)
		end
		local link = skynet.call(".clusterd", "lua", "links").server
		skynet.error(("cluster_load: all ended: wrong %d, waiting %d, queued %d"):format(wrong,
			link.calls, link.queued))
	end)
	-- A node that has not said what it is may be silent as long as it likes.
	local link
	repeat
		skynet.sleep(1)
		link = skynet.call(".clusterd", "lua", "links").server
	until link and link.peer == "ours"
	skynet.error "cluster_load: up"
end)
