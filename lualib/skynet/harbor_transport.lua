---The C service `harbor` of this node, as its slave sees it: what it is told, and what it says.
---For the services cslave and cdummy.
---@class skynet.harbor_transport
local transport = {}

local skynet = require "skynet"
require "skynet.manager"

local MODULE <const> = "harbor"

---@type integer?
local service

---@alias skynet.harbor_transport.letter
---| "Q" # a message waits for this name
---| "U" # the link to this harbor id is up
---| "D" # it has no socket any more, and why: "id reason"
---@type table<skynet.harbor_transport.letter, fun(value: string)>
local handlers = {}

skynet.register_protocol {
	name = "harbor",
	id = skynet.PTYPE_HARBOR,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
	dispatch = function(_, source, text)
		local letter, value = text:match "^(%u) (.+)$"
		local handler = handlers[letter]
		-- others have no say in names and links
		if handler and source == service then
			handler(value)
		end
	end,
}

---Start the service; raises when it cannot be started.
---@param id integer  harbor id of this node, 0 when there is no network
function transport.launch(id)
	service = skynet.launch(MODULE, id, skynet.self())
	if not service then
		error(("the C service '%s' cannot be started: is it in cpath?"):format(MODULE), 0)
	end
end

---@param letter skynet.harbor_transport.letter
---@param handler fun(value: string)
function transport.on(letter, handler)
	handlers[letter] = handler
end

---There is a master again: names of other nodes may have moved, and are asked for anew.
function transport.forget_foreign()
	skynet.send(service, "harbor", "F ")
end

---Give a name to a handle: what waits for the name is delivered.
---@param name string
---@param handle integer
function transport.name(name, handle)
	skynet.redirect(service, handle, "harbor", 0, "N " .. name)
end

---Hand over a socket of the link to a node.
---@param id integer  harbor id
---@param fd integer
---@param dialled boolean  by this node
---@param beats boolean?  the other end is known to answer heartbeats
function transport.open(id, fd, dialled, beats)
	skynet.send(service, "harbor", ("%s %d %d%s"):format(dialled and "S" or "A", fd, id,
		beats and " beat" or ""))
end

---Whether a node runs in this process. Its link is up then, without a socket, for both.
---@async
---@param id integer  harbor id
---@return boolean
function transport.is_sibling(id)
	return skynet.call_forever(service, "harbor", "M " .. id) == "yes"
end

---Close the link to a node.
---@param id integer  harbor id
function transport.close(id)
	skynet.send(service, "harbor", "C " .. id)
end

return transport
