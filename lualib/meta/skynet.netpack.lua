---@meta skynet.netpack

---Frames of 2-byte big-endian length + payload.
---@class skynet.netpack
local netpack = {}

---@class skynet.netpack.queue: userdata

---A block of payload with its header in front. `data` stays with the caller when it is a block.
---@param data string|lightuserdata
---@param size integer? of a block
---@return lightuserdata block for one send
---@return integer size
function netpack.pack(data, size) end

---Turn a socket message into an event of a gate: "data" fd, block, size; "more" (several frames
---wait for `pop`); "open" fd, address; "close" fd; "error" fd, text; "warning" fd, kib;
---"init" id, address, port. No event: a frame is not complete yet.
---@param queue skynet.netpack.queue?
---@param message lightuserdata
---@param size integer
---@return skynet.netpack.queue queue for the next call
---@return string? event
---@return any ...
function netpack.filter(queue, message, size) end

---Take the oldest waiting frame. The block belongs to the caller.
---@param queue skynet.netpack.queue?
---@return integer? fd
---@return lightuserdata block
---@return integer size
function netpack.pop(queue) end

---Free all frames, complete or not.
---@param queue skynet.netpack.queue?
function netpack.clear(queue) end

---Copy a block to a string and free it.
---@param block lightuserdata?
---@param size integer
---@return string
function netpack.tostring(block, size) end

return netpack
