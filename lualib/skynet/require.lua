-- `require` of a service: a module that is loaded in a coroutine may yield, in its chunk and in the
-- functions that it gave to `skynet.init`. On the main thread it is the stock one, and what
-- `skynet.init` was given runs in the first coroutine of the service, before the start function.

local M = {}

local stock_require = require
local loaded <const> = package.loaded
local running <const> = coroutine.running

---@class skynet.require.loading
---@field co thread the coroutine that loads the module
---@field waiting thread[] coroutines that want it too

---@type table<string, skynet.require.loading>
local loading = {}
---@type table<thread, string> coroutine -> the module that it waits for
local awaited = {}
---@type table<thread, (fun())[]?> coroutine -> init functions of what it loads now
local init_lists = setmetatable({}, { __mode = "k" })

local main_thread = running()
init_lists[main_thread] = {}

---Whether `co` would wait for itself if it waited for `name`.
local function is_circular(co, name)
	while name do
		local owner = loading[name] and loading[name].co
		if owner == co then
			return true
		end
		name = owner and awaited[owner]
	end
	return false
end

---Waits until another coroutine has loaded `name`.
---@async
local function await(co, name)
	local skynet = stock_require "skynet"
	local entry = loading[name]
	entry.waiting[#entry.waiting + 1] = co
	awaited[co] = name
	repeat
		skynet.wait(co)
	until loading[name] ~= entry
	awaited[co] = nil
	local value = loaded[name]
	if value == nil then
		error(string.format("require %s failed", name), 3)
	end
	return value
end

local function run_all(list)
	for i = 1, #list do
		list[i]()
	end
end

---Runs the chunk, then the init functions that it registered.
---@async
local function execute(co, chunk, name, filename)
	local outer = init_lists[co]
	local list = {}
	init_lists[co] = list
	local value = chunk(name, filename)
	init_lists[co] = outer
	run_all(list)
	return value
end

---Closes an entry of `loading` however the load ends, also when the coroutine is killed.
local function finish(name, co, outer)
	local entry = loading[name]
	loading[name] = nil
	init_lists[co] = outer
	if entry.waiting[1] then
		local skynet = stock_require "skynet"
		for _, waiter in ipairs(entry.waiting) do
			skynet.wakeup(waiter)
		end
	end
end

---Loads and returns a module. In a coroutine the module may yield while it is loaded.
---@async
---@param name string
---@return any module
---@return any? origin
function M.require(name)
	local value = loaded[name]
	if value ~= nil then
		return value
	end
	local co, is_main = running()
	if is_main or type(name) ~= "string" or package.preload[name] then
		return stock_require(name)
	end
	if loading[name] then
		if is_circular(co, name) then
			error("circular dependency", 2)
		end
		return await(co, name)
	end

	local filename = package.searchpath(name, package.path)
	local chunk = filename and loadfile(filename)
	if not chunk then
		-- a C module, or the stock error text
		return stock_require(name)
	end

	local outer = init_lists[co]
	loading[name] = { co = co, waiting = {} }
	-- luacheck: ignore 211
	local _closing <close> = setmetatable({}, {
		__close = function()
			finish(name, co, outer)
		end,
	})
	local ok, result = xpcall(execute, debug.traceback, co, chunk, name, filename)
	if not ok then
		error(result, 0)
	end
	if result ~= nil then
		loaded[name] = result
	elseif loaded[name] == nil then
		loaded[name] = true
	end
	return loaded[name]
end

---Registers a function to be run when the module that is being loaded is complete, or, on the main
---thread, before the start function of the service.
---@param func fun()
function M.init(func)
	assert(type(func) == "function")
	local list = init_lists[running()]
	if not list then
		error("skynet.init is for the main chunk, and for modules while they are loaded", 2)
	end
	list[#list + 1] = func
end

---Runs the functions that were registered on the main thread. For `skynet.start`.
---@async
function M.init_all()
	local list = init_lists[main_thread]
	init_lists[main_thread] = nil
	if list then
		run_all(list)
	end
end

return M
