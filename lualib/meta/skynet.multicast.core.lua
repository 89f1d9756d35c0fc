---@meta skynet.multicast.core

---Groups of subscribers and payloads, for the multicast service and its library.
---@class skynet.multicast.core
local core = {}

---Services of this node that get what is published in one channel.
---@class skynet.multicast.group
local group = {}

---@param handle integer
---@return boolean added false when it was there
function group:add(handle) end

---@param handle integer
---@return boolean removed false when it was not there
function group:remove(handle) end

---@return integer
function group:count() end

---Send a payload to all, with one copy for all of them; those that are dead are removed.
---@param source integer who published it
---@param channel integer
---@param payload string|lightuserdata borrowed
---@param size integer? of light userdata
---@return integer left how many subscribers there are now
function group:publish(source, channel, payload, size) end

---@return skynet.multicast.group
function core.group() end

---@param id integer a channel
---@return integer id of the next channel of the same node
function core.nextid(id) end

---Copy a payload into a userdata; the pointer is valid as long as that lives.
---@param payload string|lightuserdata
---@param size integer? of light userdata
---@return userdata copy
---@return lightuserdata pointer
function core.keep(payload, size) end

return core
