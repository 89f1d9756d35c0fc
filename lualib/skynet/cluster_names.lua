---The table of cluster nodes: what may stand in it, and the file that it comes from.
---@class skynet.cluster_names
local cluster_names = {}

local OPTION_PREFIX <const> = "__"
local PORT_MAX <const> = 65535
---Bytes that the services in C have room for.
local NODE_MAX <const> = 127
local HOST_MAX <const> = 255
---Bytes of a path that the system can take.
local PATH_MAX <const> = 107
local FORMS <const> = "host:port, [IPv6]:port or unix:path of at most " .. PATH_MAX .. " bytes"
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

---True when a node can have this name: some bytes, but no blanks and no control characters.
---@param name any
---@return boolean
function cluster_names.is_node(name)
	return type(name) == "string" and name ~= "" and #name <= NODE_MAX
		and not name:find "[%s%c]"
end

---@param address string  "host:port", "[v6]:port" or "unix:/path"
---@return string? host  nil when it is no address
---@return integer port
function cluster_names.split_address(address)
	if address:find "%c" then
		return nil, 0
	end
	local path = address:match "^unix:(.*)$"
	if path then
		return path ~= "" and #path <= PATH_MAX and address or nil, 0
	end
	local host, port = address:match "^%[([^%]]+)%]:(%d+)$"
	if not host then
		host, port = address:match "^([^ :]+):(%d+)$"
	end
	local number = math.tointeger(tonumber(port))
	if not number or number > PORT_MAX or #host > HOST_MAX then
		return nil, 0
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

---Text for a message of one line.
---@param value any
---@return string
local function printable(value)
	return (tostring(value):gsub("%c", "?"))
end

---Checks a table of nodes. Raises when something in it is wrong.
---@param new table
function cluster_names.check(new)
	for name, value in pairs(new) do
		if not cluster_names.is_node(name) then
			error(("'%s' is not the name of a node"):format(printable(name)), 0)
		end
		if cluster_names.is_option(name) then
			check_option(name, value)
		elseif value and type(value) ~= "string" then
			error(("address of node '%s' is a %s"):format(name, type(value)), 0)
		elseif value and not cluster_names.split_address(value) then
			error(("address of node '%s': '%s' is not %s"):format(name, printable(value),
				FORMS), 0)
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
		-- what is not text is said without the name of the file
		error(message:find(path, 1, true) and message or path .. ": " .. message, 0)
	end
	run(chunk)
	local ok, reason = pcall(cluster_names.check, new)
	if not ok then
		error(path .. ": " .. reason, 0)
	end
	return new
end

return cluster_names
