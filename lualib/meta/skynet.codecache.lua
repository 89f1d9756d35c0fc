---@meta skynet.codecache

---The compiled files that all services of the process share, by file name.
---@class skynet.codecache
local codecache = {}

---ON reads and fills the cache, EXIST only reads it, OFF does neither.
---@alias skynet.codecache.mode "ON"|"EXIST"|"OFF"

---Forgets all files. Services that run are not touched.
function codecache.clear() end

---Sets how this service uses the cache; without argument returns that.
---@param mode skynet.codecache.mode?
---@return skynet.codecache.mode?
function codecache.mode(mode) end

---The global `loadfile`.
---@param filename string? standard input, which is never cached
---@param mode string? of no meaning for a cached file
---@param env table?
---@return function?
---@return string? message
function codecache.loadfile(filename, mode, env) end

return codecache
