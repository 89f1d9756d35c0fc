---First service of a node: starts the others as the config asks, then leaves. No arguments.
---
---Any step that fails ends the node with a non-zero exit status and its reason.
local skynet = require "skynet"
require "skynet.manager"

local EXIT_BOOT_FAILED <const> = 1
local LUA_MODULE <const> = "snlua"
---How long the script of a log service may take to start, in centiseconds.
local LOG_PATIENCE_CS <const> = 1000

---Stop the boot with a reason for the operator.
---@param reason string
local function give_up(reason)
	error({ reason = reason })
end

---Start a Lua service that the node cannot do without.
---@async
---@param name string
---@return integer address
local function must_start(name)
	local ok, address = pcall(skynet.newservice, name)
	if not ok then
		give_up(("service '%s' failed to start: %s"):format(name, tostring(address)))
	end
	if not address then
		give_up(("service '%s' left during its start"):format(name))
	end
	return address
end

---The kernel starts the log service, but does not see how the script of one in Lua fares.
---@async
local function check_log_service()
	if skynet.getenv "logservice" ~= LUA_MODULE then
		return
	end
	-- The first answer may come from between the script and its start function, the second not.
	local function ping()
		return pcall(skynet.call_timeout, LOG_PATIENCE_CS, ".logger", "debug", "PING")
	end
	if not (ping() and ping()) then
		give_up(("log service '%s' failed to start; it cannot log why (start another way to see)"):format(
			tostring(skynet.getenv "logger")))
	end
end

local function start_launcher()
	local launcher = skynet.launch("snlua", "launcher")
	if not launcher then
		give_up "cannot launch the C service 'snlua' for the launcher"
	end
	skynet.name(".launcher", launcher)
end

---Join the harbor network, or stand alone.
---@async
---@return boolean keeper  this node hosts what the network has once
local function join_network()
	local id = math.tointeger(tonumber(skynet.getenv "harbor"))
	if not id then
		give_up "setting 'harbor' is not an integer"
	end
	local standalone = skynet.getenv "standalone"
	if id == 0 then
		if standalone then
			give_up "setting 'standalone' needs a harbor id (harbor is 0)"
		end
		skynet.setenv("standalone", "true")
		skynet.name(".cslave", must_start "cdummy")
		return true
	end
	if standalone then
		must_start "cmaster"
	end
	skynet.name(".cslave", must_start "cslave")
	return standalone ~= nil
end

---@async
local function start_tls()
	local service = require "skynet.service"
	local ok, err = pcall(service.new, "ltls_holder", function()
		require("ltls.init.c").constructor()
	end)
	if not ok then
		give_up("cannot initialise TLS (enablessl is set): " .. tostring(err))
	end
end

---Start the user's first service. It may have done its work and left when this returns.
---@async
local function start_user_service()
	local name = skynet.getenv "start" or "main"
	local ok, err = pcall(skynet.newservice, name)
	if not ok then
		give_up(("start service '%s' failed to start: %s"):format(name, tostring(err)))
	end
end

---@async
local function boot()
	check_log_service()
	start_launcher()
	if join_network() then
		skynet.name("DATACENTER", must_start "datacenterd")
	end
	must_start "service_mgr"
	if skynet.getenv "enablessl" == "true" then
		start_tls()
	end
	start_user_service()
end

---@param err any
---@return string
local function describe(err)
	if type(err) == "table" and err.reason then
		return err.reason
	end
	return debug.traceback(tostring(err))
end

skynet.start(function()
	local ok, reason = xpcall(boot, describe)
	if not ok then
		skynet.error("Boot failed: " .. reason)
		skynet.abort(EXIT_BOOT_FAILED, (reason:gsub("[\r\n].*", "")))
	end
	skynet.exit()
end)
