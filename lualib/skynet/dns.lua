-- Names to addresses without blocking: hosts file, cache, then name servers by UDP.
-- Each question has a random id and a socket, thus a source port, of its own. It is sent again, to
-- each server in turn, with growing pauses, until one answers or the time is over.
local packet = require "skynet.dns_packet"
local skynet = require "skynet"
local socket = require "skynet.socket"

---@class skynet.dns
local dns = {
	---Files to look into; false: do not.
	---@type string|false
	DEFAULT_HOSTS = "/etc/hosts",
	---@type string|false
	DEFAULT_RESOLV_CONF = "/etc/resolv.conf",
}

local DEFAULT_PORT <const> = 53
local TIMEOUT <const> = 3000 -- centiseconds for all attempts together
local FIRST_PAUSE <const> = 100 -- before the question is sent again
local PAUSE_MAX <const> = 800
local HOSTS_AGE <const> = 6000 -- centiseconds after which the hosts file is read again
local TTL_MAX <const> = 86400 -- seconds
local CACHE_MAX <const> = 4096 -- names
local SERVERS_MAX <const> = 3 -- of the resolver file
local NAME_MAX <const> = 253
local LABEL_MAX <const> = 63

---@class skynet.dns.server
---@field host string
---@field port integer

---@type skynet.dns.server[]?
local servers

---@type table<string, { addresses: string[], expires: integer }>
local cache = {}
local cache_count = 0

local hosts -- { read_at, ipv4 = { name = addresses }, ipv6 = ... }

---@type table<string, table> look-ups that go on; their elements wait for them
local pending = {}

-- ---- files ----

local function is_ipv4(text)
	return text:find "^[%d.]*%d[%d.]*$" ~= nil
end

local function is_ipv6(text)
	return text:find(":", 1, true) ~= nil
end

-- Calls `f` with the words of each line, comments cut off.
local function each_line(path, f)
	local file = path and io.open(path)
	if not file then
		return
	end
	for line in file:lines() do
		local words = {}
		for word in line:gsub("[#;].*", ""):gmatch "%S+" do
			words[#words + 1] = word
		end
		f(words)
	end
	file:close()
end

local function read_hosts()
	local found = { read_at = skynet.now(), ipv4 = {}, ipv6 = {} }
	each_line(dns.DEFAULT_HOSTS, function(words)
		local address = words[1]
		if address == nil then
			return
		end
		local names = is_ipv6(address) and found.ipv6 or is_ipv4(address) and found.ipv4
		for i = 2, names and #words or 0 do
			local name = words[i]:lower()
			names[name] = names[name] or {}
			table.insert(names[name], address)
		end
	end)
	return found
end

local function find_in_hosts(name, ipv6)
	if not dns.DEFAULT_HOSTS then
		return nil
	end
	if hosts == nil or skynet.now() - hosts.read_at > HOSTS_AGE then
		hosts = read_hosts()
	end
	return (ipv6 and hosts.ipv6 or hosts.ipv4)[name]
end

local function check_servers()
	if servers == nil then
		local found = {}
		each_line(dns.DEFAULT_RESOLV_CONF, function(words)
			if words[1] == "nameserver" and words[2] and #found < SERVERS_MAX then
				table.insert(found, { host = words[2], port = DEFAULT_PORT })
			end
		end)
		if #found == 0 then
			error("Call dns.server first", 0)
		end
		servers = found
	end
	return servers
end

-- ---- questions ----

local entropy = ""

-- 16 bits that nobody can guess, when the system has them to give.
local function random_id()
	if #entropy < 2 then
		local file = io.open("/dev/urandom", "rb")
		entropy = file and file:read(64) or string.pack("I2", math.random(0, 65535))
		if file then
			file:close()
		end
	end
	local id = string.unpack("I2", entropy)
	entropy = entropy:sub(3)
	return id
end

-- A task that is killed while it asks leaves no socket behind.
local asking_meta = {
	__close = function(asking)
		if asking.fd then
			socket.abandon(asking.fd)
			socket.close_fd(asking.fd)
		end
	end,
}

-- One question to one server. The answer, or nil when there was none within `timeout`.
---@async
local function ask(server, name, qtype, timeout)
	local id = random_id()
	local token = {}
	local answer
	local ok, fd = pcall(socket.udp_dial, server.host, server.port, function(data)
		local found = packet.answer(data, id, name, qtype)
		if found and not answer then
			answer = found
			skynet.wakeup(token)
		end
	end)
	if not ok then
		skynet.error(string.format("dns: no way to %s:%d", server.host, server.port))
		return nil
	end
	local asking <close> = setmetatable({ fd = fd }, asking_meta)
	-- A server that is not there is known at once.
	socket.onclose(fd, function()
		skynet.wakeup(token)
	end)
	socket.write(fd, packet.question(id, name, qtype))
	skynet.sleep(timeout, token)
	asking.fd = nil
	socket.onclose(fd, nil)
	socket.close(fd)
	return answer
end

-- Asks until somebody knows. Nil when nobody does.
local function ask_all(name, qtype)
	local list = check_servers()
	local deadline = skynet.now() + TIMEOUT
	local pause = FIRST_PAUSE
	repeat
		local silent = false
		for _, server in ipairs(list) do
			local left = deadline - skynet.now()
			if left <= 0 then
				return nil
			end
			local before = skynet.now()
			local answer = ask(server, name, qtype, math.min(pause, left))
			if answer and not answer.failed then
				return answer
			end
			silent = silent or (not answer and skynet.now() - before >= pause)
		end
		pause = math.min(pause * 2, PAUSE_MAX)
		-- When all of them refused, there is nothing to wait for.
	until not silent
	return nil
end

-- ---- cache ----

local function remember(key, answer)
	if cache[key] == nil then
		if cache_count >= CACHE_MAX then
			cache = {}
			cache_count = 0
		end
		cache_count = cache_count + 1
	end
	cache[key] = {
		addresses = answer.addresses,
		expires = skynet.now() + math.min(answer.ttl, TTL_MAX) * 100,
	}
end

-- Tells those who wait what has been found: nothing when the task that asked was killed.
local look_up_meta = {
	__close = function(found)
		pending[found.key] = nil
		for _, token in ipairs(found) do
			token.found = found
			skynet.wakeup(token)
		end
	end,
}

-- The addresses, asked for once however many wait for them. Nil and the reason when there are none.
---@async
local function look_up(key, name, qtype)
	local token = {}
	while pending[key] do
		table.insert(pending[key], token)
		skynet.wait(token)
		if token.found.addresses or token.found.message then
			return token.found.addresses, token.found.message
		end
	end
	local found <close> = setmetatable({ key = key }, look_up_meta)
	pending[key] = found
	local ok, answer = pcall(ask_all, name, qtype)
	if not ok then
		found.message = answer
	elseif answer and #answer.addresses > 0 then
		found.addresses = answer.addresses
		remember(key, answer)
	else
		found.message = "timeout or no answer"
	end
	return found.addresses, found.message
end

-- ---- what users call ----

-- Labels of letters, digits, "_" and "-", with single dots between.
local function is_legal(name)
	if #name > NAME_MAX or name == "" or name:find("..", 1, true) or name:find "^%." then
		return false
	end
	for label in name:gmatch "[^.]+" do
		if #label > LABEL_MAX or label:find "[^%w_-]" then
			return false
		end
	end
	return true
end

---The addresses of a name. A numeric address is given back as it is. Raises when nobody knows.
---@async
---@param name string
---@param ipv6 boolean?
---@return string? address nil for an illegal name
---@return string[]|string all or message
function dns.resolve(name, ipv6)
	if is_ipv4(name) or is_ipv6(name) then
		return name, { name }
	end
	name = name:lower():gsub("%.$", "")
	if not is_legal(name) then
		return nil, "illegal name"
	end
	local addresses = find_in_hosts(name, ipv6)
	if addresses then
		return addresses[1], addresses
	end
	local qtype = ipv6 and packet.TYPE_AAAA or packet.TYPE_A
	local key = qtype .. " " .. name
	local known = cache[key]
	if known and known.expires > skynet.now() then
		return known.addresses[1], known.addresses
	end
	local message
	addresses, message = look_up(key, name, qtype)
	if addresses == nil and known then
		-- Better an old answer than none.
		addresses = known.addresses
	end
	if addresses == nil then
		error(message, 2)
	end
	return addresses[1], addresses
end

---Set the name server; more of them, as { host, port } each, are asked in turn.
---@param host string
---@param port integer?
---@param ... { [1]: string, [2]: integer? }
function dns.server(host, port, ...)
	if type(host) ~= "string" then
		error("bad argument #1 to 'server' (address expected, got " .. type(host) .. ")", 2)
	elseif port ~= nil and not math.tointeger(tonumber(port)) then
		error("bad argument #2 to 'server' (port expected, got " .. tostring(port) .. ")", 2)
	end
	local list = { { host = host, port = port or DEFAULT_PORT } }
	for _, other in ipairs { ... } do
		table.insert(list, { host = other[1], port = other[2] or DEFAULT_PORT })
	end
	servers = list
end

---Forget all answers, and read the hosts file again.
function dns.flush()
	cache = {}
	cache_count = 0
	hosts = nil
end

return dns
