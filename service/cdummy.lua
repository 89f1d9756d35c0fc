---Stands in for the member of a harbor network when `harbor` is 0. No arguments. Local name:
---.cslave.
---
---Global names are kept here and handed to the harbor service, which delivers what is sent to
---them. There are no other nodes: nobody can be linked or connected.
local skynet = require "skynet"
require "skynet.manager"

---Name to handle.
local names = {}
---Name to the list of responses owed to those who asked for it.
local queries = {}
local harbor_service

skynet.register_protocol {
	name = "harbor",
	id = skynet.PTYPE_HARBOR,
	pack = function(text)
		return text
	end,
}

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}

---@param name string
local function tell_harbor(name)
	if not harbor_service then
		return
	end
	skynet.redirect(harbor_service, names[name], "harbor", 0, "N " .. name)
end

---@alias cdummy.command "REGISTER"|"QUERYNAME"|"LINK"|"CONNECT"|"LINKMASTER"
---@type table<cdummy.command, fun(...)>
local command = {}

---name handle: raises when the name is taken.
function command.REGISTER(name, handle)
	if type(name) ~= "string" or name == "" then
		error "a global name is a string of 1 to 15 bytes"
	end
	handle = math.tointeger(handle)
	if not handle or handle <= 0 or handle > 0xffffffff then
		error(("'%s' needs the handle of a service"):format(name))
	end
	if names[name] then
		error(("global name '%s' is taken by %s"):format(name, skynet.address(names[name])))
	end
	names[name] = handle
	local asked = queries[name]
	queries[name] = nil
	for _, response in ipairs(asked or {}) do
		response(true, handle)
	end
	tell_harbor(name)
	skynet.ret()
end

---name: its handle; waits until there is one, for ever if need be. `.name` is answered at once.
function command.QUERYNAME(name)
	if type(name) ~= "string" then
		error "a name is a string"
	end
	if name:byte() == 46 then
		local handle = skynet.localname(name)
		if handle then
			skynet.retpack(handle)
		else
			skynet.ret()
		end
	elseif names[name] then
		skynet.retpack(names[name])
	else
		queries[name] = queries[name] or {}
		table.insert(queries[name], skynet.response())
	end
end

---No link is ever up, so each has been broken already.
function command.LINK()
	skynet.ret()
end

---Never answered: no other node will come.
function command.CONNECT()
	skynet.ignoreret()
	skynet.error "Can't connect to other harbor in single node mode"
end

function command.LINKMASTER()
	error "there is no master in single node mode"
end

skynet.start(function()
	harbor_service = skynet.launch("harbor", 0, skynet.self())
	if not harbor_service then
		error("the C service 'harbor' cannot be started: is harbor.so in cpath?", 0)
	end

	skynet.dispatch("lua", function(_, _, name, ...)
		local f = command[name]
		if not f then
			error(("unknown command '%s'"):format(tostring(name)))
		end
		f(...)
	end)

	-- from the harbor service: "Q name" asks for a handle; with one node there is nothing else to hear
	skynet.dispatch("text", function(_, _, text)
		local name = text:match "^Q (.+)$"
		if name and names[name] then
			tell_harbor(name)
		end
	end)
end)
