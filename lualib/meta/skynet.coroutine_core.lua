---@meta skynet.coroutine_core

---The C half of skynet.coroutine.
---@class skynet.coroutine_core
local coroutine_core = {}

---@param f async fun(...: any): ...: any
---@return thread
function coroutine_core.create(f) end

---@param co thread
---@param ... any
---@return boolean ok
---@return any ... what it yields or returns, or the error
function coroutine_core.resume(co, ...) end

---@param f async fun(...: any): ...: any
---@return fun(...: any): ...: any
function coroutine_core.wrap(f) end

---@async
---@param ... any
---@return any ...
function coroutine_core.yield(...) end

---@param co thread
---@return "running"|"suspended"|"normal"|"dead"|"blocked"
function coroutine_core.status(co) end

---@return thread
---@return boolean is_main
function coroutine_core.running() end

---@param co thread?
---@return boolean
function coroutine_core.isyieldable(co) end

---@param co thread
---@return boolean ok
---@return any error
function coroutine_core.close(co) end

---@param co thread?
---@return thread? task
---@return boolean is_task
function coroutine_core.thread(co) end

return coroutine_core
