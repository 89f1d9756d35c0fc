---The table of cluster nodes: what may stand in it, and the file that it comes from.
---@class skynet.cluster_names
local cluster_names = {}

local OPTION_PREFIX <const> = "__"
local PORT_MAX <const> = 65535
local TIMEOUT_MAX <const> = 0x7fffffff
---Instructions that a file may take.
local STEPS_MAX <const> = 10000000

---Options that the table of nodes may set: whether a value will do, and what it should be.
---@type table<string, { fits: (fun(value: any): boolean), wanted: string }>
local OPTIONS <const> = {
	__nowaiting = {
		fits = function(value) return type(value) == "boolean" end,
		wanted = "true or false",
	},
	__call_timeout = {
		fits = function(value)
			local number = math.tointeger(value)
			return number ~= nil and number >= 0 and number <= TIMEOUT_MAX
		end,
		wanted = "a deadline in 1/100 s, 0 for none",
	},
}

---True for the name of an option, which no node can have.
---@param name string
---@return boolean
function cluster_names.is_option(name)
	return name:sub(1, #OPTION_PREFIX) == OPTION_PREFIX
end

---Raises when `address` is none.
---@param address string  "host:port", "[v6]:port" or "unix:/path"
---@return string host, integer port
function cluster_names.split_address(address)
	if address:find "^unix:" then
		return address, 0
	end
	local host, port = address:match "^%[([^%]]+)%]:(%d+)$"
	if not host then
		host, port = address:match "^([^ ]+):(%d+)$"
	end
	local number = math.tointeger(tonumber(port))
	if not number or number > PORT_MAX then
		error(("'%s' is not an address"):format(address), 0)
	end
	return host, number
end

---@param name string
---@param value any
local function check_option(name, value)
	local option = OPTIONS[name]
	if not option then
		error(("cluster option '%s' is unknown"):format(name), 0)
	elseif not option.fits(value) then
		error(("cluster option '%s' must be %s"):format(name, option.wanted), 0)
	end
end

---Checks a table of nodes. Raises when something in it is wrong.
---@param new table
function cluster_names.check(new)
	for name, value in pairs(new) do
		if type(name) ~= "string" or name == "" or name:find "%s" then
			error(("'%s' is not the name of a node"):format(tostring(name)), 0)
		end
		if cluster_names.is_option(name) then
			check_option(name, value)
		elseif value and type(value) ~= "string" or value == nil then
			error(("address of node '%s' is a %s"):format(name, type(value)), 0)
		elseif value then
			cluster_names.split_address(value)
		end
	end
end

---Runs a chunk, but not for ever: nobody could be told where a node is meanwhile. Raises when it
---fails.
---@param chunk function
local function run(chunk)
	local task = coroutine.create(chunk)
	debug.sethook(task, function()
		error("it does not come to an end", 2)
	end, "", STEPS_MAX)
	local ok, message = coroutine.resume(task)
	if not ok then
		error(message, 0)
	end
end

---Runs the file at `path`, and checks what it has set. Raises when it cannot be used.
---@param path string
---@return table new
function cluster_names.load(path)
	local new = {}
	-- loadfile may answer what it has kept from the last time.
	local file, message = io.open(path, "r")
	if not file then
		error(message, 0)
	end
	local text
	text, message = file:read "a"
	file:close()
	if not text then
		error(path .. ": " .. message, 0)
	end
	local chunk
	chunk, message = load(text, "@" .. path, "t", new)
	if not chunk then
		error(message, 0)
	end
	run(chunk)
	local ok, reason = pcall(cluster_names.check, new)
	if not ok then
		error(path .. ": " .. reason, 0)
	end
	return new
end

return cluster_names
