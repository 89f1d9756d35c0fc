---Every annotated function of the public modules, with a wrong type for each of its arguments in
---turn: misuse raises an error with a text. The table of what is taken all the same says why.
local skynet = require "skynet"
local subject = require "subject"
local tap = require "tap"

---File -> the module that it is about.
---@type table<string, string>
local MODULES <const> = {
	["lualib/skynet.lua"] = "skynet",
	["lualib/skynet/manager.lua"] = "skynet.manager",
	["lualib/skynet/socket.lua"] = "skynet.socket",
	["lualib/skynet/socketchannel.lua"] = "skynet.socketchannel",
	["lualib/skynet/cluster.lua"] = "skynet.cluster",
	["lualib/skynet/datacenter.lua"] = "skynet.datacenter",
	["lualib/skynet/multicast.lua"] = "skynet.multicast",
	["lualib/skynet/harbor.lua"] = "skynet.harbor",
	["lualib/skynet/coroutine.lua"] = "skynet.coroutine",
	["lualib/skynet/request.lua"] = "skynet.request",
	["lualib/skynet/service.lua"] = "skynet.service",
	["lualib/skynet/mqueue.lua"] = "skynet.mqueue",
	["lualib/skynet/dns.lua"] = "skynet.dns",
	["lualib/snax/gateserver.lua"] = "snax.gateserver",
	["lualib/meta/skynet.cluster.core.lua"] = "skynet.cluster.core",
	["lualib/meta/skynet.codecache.lua"] = "skynet.codecache",
	["lualib/meta/skynet.core.lua"] = "skynet.core",
	["lualib/meta/skynet.crypt.lua"] = "skynet.crypt",
	["lualib/meta/skynet.netpack.lua"] = "skynet.netpack",
	["lualib/meta/skynet.socketdriver.lua"] = "skynet.socketdriver",
	["lualib/meta/skynet.memory.lua"] = "skynet.memory",
	["lualib/meta/skynet.profile.lua"] = "skynet.profile",
	["lualib/meta/skynet.debugchannel.lua"] = "skynet.debugchannel",
	["lualib/meta/skynet.multicast.core.lua"] = "skynet.multicast.core",
}

---Objects with methods: module and the name that they have in its source -> what makes one.
---@type table<string, string>
local OBJECTS <const> = {
	["skynet.request:request"] = "lib.new()",
	["skynet.socketchannel:channel"] = "lib.channel { host = '127.0.0.1', port = 1 }",
	["skynet.debugchannel:channel"] = "lib.create()",
	["skynet.multicast.core:group"] = "lib.group()",
}

---Types of annotations -> what is given for an argument that is right, and what for a wrong one.
---Texts are read as numbers and numbers as texts, as everywhere in Lua.
---@type table<string, { right: string, wrong: string[] }>
local TYPES <const> = {
	integer = { right = "1", wrong = { "{}", "true", "'no number'", "1.5", "print" } },
	number = { right = "1", wrong = { "{}", "true", "'no number'", "print" } },
	string = { right = "'text'", wrong = { "{}", "true", "print" } },
	table = { right = "{}", wrong = { "1", "'text'", "true" } },
	["function"] = { right = "function() end", wrong = { "1", "'text'", "{}" } },
	thread = { right = "coroutine.create(print)", wrong = { "1", "{}", "print" } },
	lightuserdata = { right = "nil", wrong = { "1.5", "{}", "true", "print" } },
	userdata = { right = "nil", wrong = { "1.5", "{}", "true", "print" } },
}

---Modules whose fields are described as those of a class.
---@type table<string, boolean>
local FIELDS_ARE_FUNCTIONS <const> = { skynet = true }

---Not to be called here: these end the node, or give it away.
---@type table<string, boolean>
local LEFT_OUT <const> = {
	["skynet.manager.abort"] = true, -- ends the node
	["skynet.core.intcommand"] = true, -- any command at all
	["skynet.core.command"] = true,
	["skynet.core.addresscommand"] = true,
	["skynet.core.debug_dispatch"] = true, -- takes the request that is being handled
}

---What is taken although its type is not the one that is written, and why.
---@type table<string, boolean>
local TAKEN <const> = {
	-- a size says how much a pointer points to; with a text it is not looked at
	["skynet.core.send size"] = true,
	["skynet.core.redirect size"] = true,
	["skynet.core.tostring size"] = true,
	["skynet.core.trash size"] = true,
	["skynet.multicast.core.keep size"] = true,
	["skynet.multicast.core:publish size"] = true,
	["skynet.netpack.pack size"] = true,
	["skynet.netpack.tostring size"] = true,
	["skynet.socketdriver.send size"] = true,
	["skynet.socketdriver.lsend size"] = true,
	["skynet.socketdriver.udp_send size"] = true,
	["skynet.tostring size"] = true,
	["skynet.trash size"] = true,
	-- what is no handle is its own text, as in the reference
	["skynet.address addr"] = true,
	-- an error like any other
	["skynet.pcall f"] = true,
	-- what is no socket of this service is as good as one that is closed
	["skynet.socket.close id"] = true,
	["skynet.socket.abandon id"] = true,
	["skynet.socket.block id"] = true,
	["skynet.socket.pause id"] = true,
	["skynet.socket.onclose id"] = true,
	["skynet.socket.invalid id"] = true,
	["skynet.socket.disconnected id"] = true,
	["snax.gateserver.openclient fd"] = true,
	["snax.gateserver.pauseclient fd"] = true,
	["snax.gateserver.closeclient fd"] = true,
	-- as with load of Lua, anything can be the environment
	["skynet.codecache.loadfile env"] = true,
}

---@class test.parameter
---@field name string
---@field kind { right: string, wrong: string[] }? nil: of no kind that can be tested
---@field optional boolean

---@class test.signature
---@field module string
---@field name string
---@field object string?  it is a method: what makes an object
---@field parameters test.parameter[]

---Names that annotations give to types -> the types, in one line each.
---@type table<string, string>
local aliases = {}

local function read_aliases(path)
	for line in io.lines(path) do
		local name, text = line:match "^%-%-%-@alias%s+(%S+)%s+(.+)$"
		if name then
			aliases[name] = text
		end
	end
end

---The kind of a type that is no union, or nil when any will do.
local function simple_kind(text)
	if text:find "^fun%(" or text:find "^async fun" then
		return "function"
	elseif text:find "^table<" or text:find "%[%]$" or text:find "^{" then
		return "table"
	end
	return TYPES[text] and text or nil
end

---What is right and what is wrong for an annotated type, or nil when nothing is known to be wrong.
---@return { right: string, wrong: string[] }?
local function kind_of(text)
	text = text:gsub("%?$", "")
	text = aliases[text] or text
	if text:find "^fun%(" or text:find "^async fun" then
		return TYPES["function"]
	end
	local wrong, right
	for part in text:gmatch "[^|]+" do
		local kind = TYPES[simple_kind(part)]
		if not kind then
			return nil
		end
		local both = {}
		for _, value in ipairs(kind.wrong) do
			if not wrong or wrong[value] then
				both[value] = true
				both[#both + 1] = value
			end
		end
		wrong, right = both, right or kind.right
	end
	return wrong and { right = right, wrong = wrong }
end

---Parameters of a type `fun(a: integer, b?: string)`, each with a type of one word.
---@return test.parameter[]
local function parameters_of(list)
	local parameters = {}
	for name, optional, text in (list .. ","):gmatch "([%w_%.]+)(%??):%s*([^%s,]+)%s*," do
		parameters[#parameters + 1] = { name = name, kind = kind_of(text),
			optional = optional ~= "" or text:find "%?$" ~= nil }
	end
	return parameters
end

---@return test.signature[]
local function signatures_of(path, module)
	local found, parameters = {}, {}
	for line in io.lines(path) do
		local field, list = line:match "^%-%-%-@field ([%w_]+) a?s?y?n?c? ?fun%(([^()]*)%)"
		if field and FIELDS_ARE_FUNCTIONS[module] then
			found[#found + 1] = { module = module, name = field, parameters = parameters_of(list) }
		end
		local name, optional, text = line:match "^%-%-%-@param%s+([%w_]+)(%??)%s+(.+)$"
		if name then
			-- a type ends at the first blank that is not inside brackets
			text = text:find "^a?s?y?n?c? ?fun%(" and text or text:match "^%S+"
			parameters[#parameters + 1] = { name = name, kind = kind_of(text),
				optional = optional ~= "" or text:find "%?$" ~= nil }
		else
			local owner, sign
			owner, sign, name = line:match "^function ([%w_]+)([.:])([%w_]+)%("
			local object = OBJECTS[module .. ":" .. tostring(owner)]
			if name and #parameters > 0 and (sign == "." or object) then
				found[#found + 1] = { module = module, name = name, parameters = parameters,
					object = sign == ":" and object or nil }
			end
			if not line:find "^%-%-%-" then
				parameters = {}
			end
		end
	end
	return found
end

local victim

---Calls the function with these arguments, which are source texts, in a service of its own. Gives
---"raised" and the error, "returned", or "waits".
local function try(signature, arguments)
	victim = victim or subject.new()
	local text = ([[
		local lib = require(%q)
		local object = %s
		local func = object[%q]
		if not func then
			return "missing"
		end
		local ok, err = pcall(func, %s)
		return ok and "returned" or "raised", type(err) == "string" and err or type(err)
	]]):format(signature.module, signature.object or "lib", signature.name,
		(signature.object and "object, " or "") .. table.concat(arguments, ", "))
	local head = "local skynet = require 'skynet' skynet.retpack((function(...) " .. text
		.. " end)(select(3, ...)))"
	local ok, what, err = pcall(skynet.call_timeout, 300, victim, "lua", head)
	if ok then
		return what, err
	end
	local kind = skynet.error_kind(what)
	skynet.send(".launcher", "lua", "KILL", victim)
	victim = nil
	return kind == "timeout" and "waits" or "raised", what
end

---The arguments of a call in which only number `index` is wrong.
local function arguments_with(signature, index, wrong)
	local arguments = {}
	for i, parameter in ipairs(signature.parameters) do
		if i == index then
			arguments[i] = wrong
			break -- those behind it are not looked at, or not there
		end
		arguments[i] = parameter.kind and parameter.kind.right or "'text'"
	end
	return arguments
end

local function check(signature)
	local full = signature.module .. (signature.object and ":" or ".") .. signature.name
	if LEFT_OUT[full] then
		return
	end
	local wrongly, count = {}, 0
	for i, parameter in ipairs(signature.parameters) do
		for _, wrong in ipairs(parameter.kind and parameter.kind.wrong or {}) do
			if TAKEN[full .. " " .. parameter.name] then
				break
			end
			count = count + 1
			local what, err = try(signature, arguments_with(signature, i, wrong))
			if what ~= "raised" or type(err) ~= "string" or #err < 4 then
				wrongly[#wrongly + 1] = ("%s = %s: %s %s"):format(parameter.name, wrong, what,
					tostring(err))
			end
		end
	end
	if #wrongly > 0 then
		tap.fail(full .. " refuses wrong types", table.concat(wrongly, "\n"))
	elseif count > 0 then
		tap.pass(full .. " refuses wrong types")
	end
end

tap.run(function()
	local paths = {}
	for path in pairs(MODULES) do
		paths[#paths + 1] = path
		read_aliases(path)
	end
	table.sort(paths)
	for _, path in ipairs(paths) do
		for _, signature in ipairs(signatures_of(path, MODULES[path])) do
			check(signature)
		end
	end
	tap.is(subject.eval(subject.new(), "return 'alive'"), "alive", "the node lives on")
end)
