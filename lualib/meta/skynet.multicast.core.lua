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

---Send a payload to all, with one copy for all of them; those that are dead are removed. When one
---is full and asks senders to wait, the kernel answers `request`, a session of `source`, as soon as
---there is room; with 0 it refuses the payload as those do that reject.
---@param source integer who published it
---@param channel integer
---@param request integer session of `source`, or 0
---@param payload string|lightuserdata borrowed
---@param size integer? of light userdata
---@return integer left how many subscribers there are now
---@return boolean held the request is answered by the kernel, later
---@return integer refused how many of those left were too full to get it
function group:publish(source, channel, request, payload, size) end

---Payloads that some mailbox of this node holds or some service handles.
---@return integer count
---@return integer bytes
function core.usage() end

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
