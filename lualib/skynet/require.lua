-- `require` of a service: a module that is loaded in a coroutine may yield, in its chunk and in the
-- functions that it gave to `skynet.init`. On the main thread it is the stock one, and what
-- `skynet.init` was given runs in the first coroutine of the service, before the start function.
--
-- Every service loads this file; what only loading in a coroutine needs is in require_task.lua.

local M = {}

local stock_require = require
local loaded <const> = package.loaded
local running <const> = coroutine.running

local main_thread = running()

---@type table<thread, (fun())[]?> thread -> init functions of what it loads now
local init_lists = setmetatable({ [main_thread] = {} }, { __mode = "k" })

local load_in_task

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
	if is_main then
		return stock_require(name)
	end
	load_in_task = load_in_task or stock_require "skynet.require_task"(stock_require, init_lists)
	return load_in_task(co, name)
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

---Runs the functions that were registered on the main thread, in order. For `skynet.start`.
---@async
function M.init_all()
	local list = init_lists[main_thread]
	init_lists[main_thread] = nil
	for i = 1, list and #list or 0 do
		list[i]()
	end
end

return M
