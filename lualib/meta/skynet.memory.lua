---@meta skynet.memory

---What the allocator and the kernel know about memory. Without jemalloc its numbers are 0.
---@class skynet.memory
local memory = {}

---@return integer bytes in use in the process
function memory.total() end

---@return integer blocks live in the process
function memory.block() end

---@return integer bytes accounted to this service
function memory.current() end

---@return table<integer, integer> bytes by handle
function memory.info() end

---Logs what `info` returns.
function memory.dump() end

---Writes the allocator's report to standard error.
---@param options string? of malloc_stats_print
function memory.dumpinfo(options) end

---@return table<string, integer> bytes by the name of the statistic
function memory.jestat() end

---@param name string of a statistic of jemalloc
---@return integer
function memory.mallctl(name) end

---Writes a heap profile to the file that jemalloc chooses.
---@return integer status 0 when written
function memory.dumpheap() end

---Switches heap profiling, or reads whether it is on.
---@param on boolean?
---@return boolean before
function memory.profactive(on) end

return memory
