---@meta skynet.socketdriver

---Sockets of this service without waiting. What happens to them arrives as messages of type
---PTYPE_SOCKET, see `unpack`. An address is a host and a port, or one text `host:port`,
---`[ipv6]:port`, `unix:/path`, `unix:@name`.
---@class skynet.socketdriver
local socketdriver = {}

---Types of socket messages.
---@enum skynet.socketdriver.event
socketdriver.event = {
	DATA = 1,
	CONNECT = 2,
	CLOSE = 3,
	ACCEPT = 4,
	ERROR = 5,
	UDP = 6,
	WARNING = 7,
	FILE = 8,
}

---What can be sent: a string or number; an array of them, which are joined; a block of message
---memory with its size, which is taken; any other userdata, whose bytes are copied.
---@alias skynet.socketdriver.data string|number|(string|number)[]|lightuserdata|userdata

-- ---- receive buffers ----

---@class skynet.socketdriver.buffer: userdata

---@return skynet.socketdriver.buffer
function socketdriver.buffer() end

---Append a block, which is taken.
---@param buffer skynet.socketdriver.buffer
---@param pool table not used
---@param block lightuserdata
---@param size integer
---@return integer unread bytes
function socketdriver.push(buffer, pool, block, size) end

---Take exactly `n` bytes.
---@param buffer skynet.socketdriver.buffer
---@param pool table not used
---@param n integer
---@return string? data nil when there are fewer, and for 0
---@return integer unread bytes
function socketdriver.pop(buffer, pool, n) end

---Take everything.
---@param buffer skynet.socketdriver.buffer
---@param pool table not used
---@return string
function socketdriver.readall(buffer, pool) end

---Take what is before `separator`, and that, too. Without a pool only tell whether it is there.
---@param buffer skynet.socketdriver.buffer
---@param pool table?
---@param separator string
---@return string|true|nil
function socketdriver.readline(buffer, pool, separator) end

---Free everything.
---@param buffer skynet.socketdriver.buffer?
---@param pool table not used
function socketdriver.clear(buffer, pool) end

-- ---- blocks of message memory ----

---@param block lightuserdata
---@param size integer
function socketdriver.drop(block, size) end

---@param text string
---@return lightuserdata block
---@return integer size
function socketdriver.str2p(text) end

---1 to 4 bytes as a big-endian number.
---@param bytes string
---@return integer
function socketdriver.header(bytes) end

---@param message lightuserdata
---@param size integer
---@return skynet.socketdriver.event type
---@return integer id
---@return integer ud
---@return string|lightuserdata data
---@return string? from the sender of a datagram
function socketdriver.unpack(message, size) end

-- ---- streams ----

---Answered by CONNECT or ERROR.
---@param host string
---@param port integer?
---@return integer id
function socketdriver.connect(host, port) end

---Bind and listen; accept only after `start`. Raises when it cannot be.
---@param host string
---@param port integer?
---@param backlog integer?
---@return integer id
function socketdriver.listen(host, port, backlog) end

---As `connect`, to another node: CONNECT means that both ends have authenticated, when the config
---of this node has a secret or a certificate.
---@param host string
---@param port integer?
---@return integer id
function socketdriver.connect_guarded(host, port) end

---As `listen`, for other nodes: ACCEPT is told only of those that have authenticated, when the
---config of this node has a secret or a certificate. Without, an address that other machines reach
---gets a warning in the log, or is refused with `require_auth`.
---@param host string
---@param port integer?
---@param backlog integer?
---@return integer? id
---@return string? message
function socketdriver.listen_guarded(host, port, backlog) end

---What is wrong when the other side of a connection authenticates and this one does not, from its
---first 9 bytes or more; nil when these say nothing of it.
---@param bytes string
---@return string? reason
function socketdriver.demands(bytes) end

---@class skynet.socketdriver.guards
---@field kind "none"|"secret"|"tls"
---@field accepted integer  came in and authenticated
---@field failed integer  came in and did not
---@field refused integer  turned away, their address had failed too often
---@field dialled integer  went out and authenticated
---@field dial_failed integer
---@field allowed integer  let in or dialled without, see `auth_allow`

---How other nodes authenticate here, and how often they did.
---@return skynet.socketdriver.guards
function socketdriver.guards() end

---@param os_fd integer
---@return integer id
function socketdriver.bind(os_fd) end

---Read, accept or resume; makes this service the owner. Answered by CONNECT or ERROR.
---@param id integer
function socketdriver.start(id) end

---@param id integer
function socketdriver.pause(id) end

---Close after everything was sent.
---@param id integer
function socketdriver.close(id) end

---Close at once.
---@param id integer
function socketdriver.shutdown(id) end

---@param id integer
function socketdriver.nodelay(id) end

---Send with high priority. False when the id is dead or closing, or its send buffer is full.
---@param id integer
---@param data skynet.socketdriver.data
---@param size integer?
---@return boolean
function socketdriver.send(id, data, size) end

---Send behind everything of high priority.
---@param id integer
---@param data skynet.socketdriver.data
---@param size integer?
---@return boolean
function socketdriver.lsend(id, data, size) end

---Bound what may wait to be sent; past it a send is refused, or the connection is closed.
---@param id integer
---@param bytes integer 0: no bound
---@param policy "reject"|"close"?
---@return boolean
function socketdriver.sendlimit(id, bytes, policy) end

---Find a dead peer: probe after `idle_s` of silence each `interval_s`, give up on data that was not
---acknowledged for `user_timeout_ms`. 0 leaves a value as it is.
---@param id integer
---@param idle_s integer?
---@param interval_s integer?
---@param user_timeout_ms integer?
---@return boolean
function socketdriver.keepalive(id, idle_s, interval_s, user_timeout_ms) end

---Get FILE when the file is written, replaced, made or removed, until `close`.
---@param path string
---@return integer? id
---@return string? message
function socketdriver.watch(path) end

-- ---- datagrams ----

---@param host string?
---@param port integer?
---@return integer id
function socketdriver.udp(host, port) end

---@param host string
---@param port integer?
---@return integer id
function socketdriver.udp_listen(host, port) end

---@param host string
---@param port integer?
---@return integer id
function socketdriver.udp_dial(host, port) end

---@param id integer
---@param host string
---@param port integer?
function socketdriver.udp_connect(id, host, port) end

---@param id integer
---@param address string in binary, as `unpack` gives it
---@param data skynet.socketdriver.data
---@param size integer?
---@return boolean
function socketdriver.udp_send(id, address, data, size) end

---@param address string in binary
---@return string ip
---@return integer port
function socketdriver.udp_address(address) end

-- ---- questions ----

---Addresses of a host. Blocks the thread; raises when there are none.
---@param host string
---@return string[]
function socketdriver.resolve(host) end

---@class skynet.socketdriver.info
---@field id integer
---@field address integer owner
---@field type "LISTEN"|"TCP"|"UDP"|"BIND"|"CLOSING"
---@field rtime integer centiseconds since the start, of the last read or accept
---@field accept integer? connections of a listener
---@field sock string? address of a listener
---@field read integer? bytes
---@field write integer? bytes
---@field wbuffer integer? bytes that wait to be sent
---@field wtime integer?
---@field dropped integer? sends refused
---@field reading boolean?
---@field writing boolean?
---@field peer string?

---The sockets of this node.
---@return skynet.socketdriver.info[]
function socketdriver.info() end

return socketdriver
