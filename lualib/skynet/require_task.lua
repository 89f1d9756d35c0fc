-- Loading a module in a coroutine, for skynet.require. Modules that are being loaded are listed,
-- so another coroutine that wants the same one waits for it, and a circle is an error instead of a
-- wait for ever.

---@class skynet.require.loading
---@field co thread the coroutine that loads the module
---@field waiting thread[] coroutines that want it too

local loaded <const> = package.loaded

---@param stock_require fun(name: string): any, any
---@param init_lists table<thread, (fun())[]?> thread -> init functions of what it loads now
---@return fun(co: thread, name: string): any, any
return function(stock_require, init_lists)
	---@type table<string, skynet.require.loading>
	local loading = {}
	---@type table<thread, string> coroutine -> the module that it waits for
	local awaited = {}

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
			error(string.format("require %s failed", name), 4)
		end
		return value
	end

	---Runs the chunk, then the init functions that it registered.
	local function execute(co, chunk, name, filename)
		local outer = init_lists[co]
		local list = {}
		init_lists[co] = list
		local value = chunk(name, filename)
		init_lists[co] = outer
		for i = 1, #list do
			list[i]()
		end
		return value
	end

	---Ends a load, however it went.
	local function finish(co, name, outer)
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

	---Loads and returns a module that is not loaded yet.
	local function load_in_task(co, name)
		if type(name) ~= "string" or package.preload[name] then
			return stock_require(name)
		end
		if loading[name] then
			if is_circular(co, name) then
				error("circular dependency", 3)
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
		-- also when the coroutine is killed
		-- luacheck: ignore 211
		local _closing <close> = setmetatable({}, {
			__close = function()
				finish(co, name, outer)
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
		return loaded[name], filename
	end

	return load_in_task
end
