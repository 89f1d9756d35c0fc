---Listens at the address of node "server" and watches the order of what each caller sends.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

---@type table<integer, integer> caller to its last number
local last = {}

skynet.start(function()
	skynet.dispatch("lua", function(session, _, word, caller, number, text)
		if word == "echo" then
			skynet.retpack(caller)
			return
		end
		if number <= (last[caller] or 0) then
			skynet.error("cluster_order: out of order:", caller, number)
		else
			last[caller] = number
		end
		if session ~= 0 then
			skynet.retpack(caller, number, text and #text)
		end
	end)
	cluster.register "order"
	cluster.open "server"
	skynet.error "cluster_order: up"
end)
