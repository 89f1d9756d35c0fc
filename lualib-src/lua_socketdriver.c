/* skynet.socketdriver: sockets of a service without waiting. Addresses are (host, port) or one text
 * `host:port`, `[ipv6]:port`, `unix:/path`. Functions of the socket half have the context of their
 * service as upvalue 1. Runs on the thread of the service.
 */
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdbool.h>
#include <string.h>

#include "lua_receive_buffer.h"
#include "lua_socket_info.h"
#include "skynet.h"
#include "skynet_socket.h"

#define DEFAULT_BACKLOG 1024
#define PORT_MAX        65535
#define REASON_SIZE     512
#define UNIX_PREFIX     "unix:"

struct address {
	const char *host; /* on the Lua stack or static */
	int port;
};

static struct skynet_context *
context_of(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

static int
check_id(lua_State *L) {
	lua_Integer id = luaL_checkinteger(L, 1);
	luaL_argcheck(L, id >= INT_MIN && id <= INT_MAX, 1, "socket id out of range");
	return (int)id;
}

/* ---- addresses ---- */

static bool
is_unix(const char *host) {
	return strncmp(host, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

/* Digits up to the end of the text, at most PORT_MAX; -1 otherwise. */
static int
parse_port(const char *text) {
	int port = 0;
	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		port = port * 10 + (*text - '0');
		if (port > PORT_MAX)
			return -1;
	}
	return port;
}

/* Pushes the host part of `text` on the stack. */
static struct address
split_address(lua_State *L, const char *text) {
	if (is_unix(text))
		return (struct address){.host = text, .port = 0};
	const char *host = text;
	const char *end;
	const char *colon;
	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		colon = end != NULL && end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strrchr(text, ':');
		/* Two colons without brackets: it is not clear where the port begins. */
		if (colon != NULL && strchr(text, ':') != colon)
			colon = NULL;
		end = colon;
	}
	if (colon == NULL)
		luaL_error(L, "Invalid address %s (host:port, [IPv6]:port or unix:path expected)",
			text);
	int port = parse_port(colon + 1);
	if (port < 0)
		luaL_error(L, "Invalid port in address %s", text);
	return (struct address){
		.host = lua_pushlstring(L, host, (size_t)(end - host)),
		.port = port,
	};
}

/* Text without a NUL inside, which would cut the address short. */
static const char *
check_text(lua_State *L, int index) {
	size_t size;
	const char *text = luaL_checklstring(L, index, &size);
	luaL_argcheck(L, strlen(text) == size, index, "contains a zero byte");
	return text;
}

/* The address at `index` and `index` + 1. */
static struct address
check_address(lua_State *L, int index) {
	if (lua_isnoneornil(L, index + 1))
		return split_address(L, check_text(L, index));
	lua_Integer port = luaL_checkinteger(L, index + 1);
	if (port < 0 || port > PORT_MAX)
		luaL_error(L, "Invalid port %I", (LUAI_UACINT)port);
	const char *host = lua_isnil(L, index) ? "" : check_text(L, index);
	return (struct address){.host = host, .port = (int)port};
}

static struct address
check_peer(lua_State *L, int index) {
	struct address address = check_address(L, index);
	if (address.port == 0 && !is_unix(address.host))
		luaL_error(L, "Invalid port");
	return address;
}

/* ---- streams ---- */

static int
lconnect(lua_State *L) {
	struct address address = check_peer(L, 1);
	lua_pushinteger(L, skynet_socket_connect(context_of(L), address.host, address.port));
	return 1;
}

static int
llisten(lua_State *L) {
	struct address address = check_address(L, 1);
	lua_Integer backlog = luaL_optinteger(L, 3, DEFAULT_BACKLOG);
	luaL_argcheck(L, backlog >= 0 && backlog <= INT_MAX, 3, "backlog out of range");
	const char *host = address.host[0] == '\0' ? "0.0.0.0" : address.host;
	int id = skynet_socket_listen(context_of(L), host, address.port, (int)backlog);
	if (id < 0)
		return luaL_error(L, "Listen error");
	lua_pushinteger(L, id);
	return 1;
}

/* connect_guarded(host, port) -> id: to another node, which authenticates if the config says so */
static int
lconnect_guarded(lua_State *L) {
	struct address address = check_peer(L, 1);
	lua_pushinteger(
		L, skynet_socket_connect_guarded(context_of(L), address.host, address.port));
	return 1;
}

/* listen_guarded(host, port [, backlog]) -> id | nil, message: for other nodes */
static int
llisten_guarded(lua_State *L) {
	char reason[REASON_SIZE];
	struct address address = check_address(L, 1);
	lua_Integer backlog = luaL_optinteger(L, 3, DEFAULT_BACKLOG);
	luaL_argcheck(L, backlog >= 0 && backlog <= INT_MAX, 3, "backlog out of range");
	const char *host = address.host[0] == '\0' ? "0.0.0.0" : address.host;
	int id = skynet_socket_listen_guarded(
		context_of(L), host, address.port, (int)backlog, reason, sizeof(reason));
	if (id < 0) {
		lua_pushnil(L);
		lua_pushstring(L, reason);
		return 2;
	}
	lua_pushinteger(L, id);
	return 1;
}

/* demands(first bytes of a connection) -> text when the other side authenticates and this one does
 * not, else nil */
static int
ldemands(lua_State *L) {
	struct skynet_socket_greeting greeting = {.count = 0};
	char reason[160];
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	if (skynet_socket_demands(context_of(L), &greeting, bytes, size, reason, sizeof(reason)))
		lua_pushstring(L, reason);
	else
		lua_pushnil(L);
	return 1;
}

/* guards() -> table: how nodes authenticate here, and how often they did */
static int
lguards(lua_State *L) {
	struct skynet_socket_guards guards;
	skynet_socket_guards(context_of(L), &guards);
	const struct {
		const char *name;
		uint64_t count;
	} counters[] = {
		{"accepted", guards.accepted},
		{"failed", guards.failed},
		{"refused", guards.refused},
		{"dialled", guards.dialled},
		{"dial_failed", guards.dial_failed},
		{"allowed", guards.allowed},
	};
	lua_createtable(L, 0, sizeof(counters) / sizeof(counters[0]) + 1);
	lua_pushstring(L, guards.kind);
	lua_setfield(L, -2, "kind");
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		lua_pushinteger(L, (lua_Integer)counters[i].count);
		lua_setfield(L, -2, counters[i].name);
	}
	return 1;
}

static int
lbind(lua_State *L) {
	lua_Integer fd = luaL_checkinteger(L, 1);
	luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 1, "descriptor out of range");
	lua_pushinteger(L, skynet_socket_bind(context_of(L), (int)fd));
	return 1;
}

static int
lstart(lua_State *L) {
	skynet_socket_start(context_of(L), check_id(L));
	return 0;
}

static int
lpause(lua_State *L) {
	skynet_socket_pause(context_of(L), check_id(L));
	return 0;
}

static int
lclose(lua_State *L) {
	skynet_socket_close(context_of(L), check_id(L));
	return 0;
}

static int
lshutdown(lua_State *L) {
	skynet_socket_shutdown(context_of(L), check_id(L));
	return 0;
}

static int
lnodelay(lua_State *L) {
	skynet_socket_nodelay(context_of(L), check_id(L));
	return 0;
}

/* sendlimit(id, bytes [, "reject" | "close"]) -> boolean */
static int
lsendlimit(lua_State *L) {
	static const char *const names[] = {"reject", "close", NULL};
	static const enum skynet_socket_policy policies[] = {
		SKYNET_SOCKET_REJECT, SKYNET_SOCKET_CLOSE};
	lua_Integer limit = luaL_checkinteger(L, 2);
	luaL_argcheck(L, limit >= 0, 2, "limit below zero");
	int policy = luaL_checkoption(L, 3, names[0], names);
	int failed = skynet_socket_limit(context_of(L), check_id(L), limit, policies[policy]);
	lua_pushboolean(L, failed == 0);
	return 1;
}

/* A count of at least 0, 0 when absent. */
static int
opt_count(lua_State *L, int index) {
	lua_Integer count = luaL_optinteger(L, index, 0);
	luaL_argcheck(L, count >= 0 && count <= INT_MAX, index, "out of range");
	return (int)count;
}

/* keepalive(id, idle seconds [, interval seconds [, user timeout in milliseconds]]) -> boolean */
static int
lkeepalive(lua_State *L) {
	int failed = skynet_socket_keepalive(
		context_of(L), check_id(L), opt_count(L, 2), opt_count(L, 3), opt_count(L, 4));
	lua_pushboolean(L, failed == 0);
	return 1;
}

/* watch(path) -> id | nil, message */
static int
lwatch(lua_State *L) {
	int id = skynet_socket_watch(context_of(L), check_text(L, 1));
	if (id < 0) {
		lua_pushnil(L);
		lua_pushfstring(L, "cannot watch '%s'", lua_tostring(L, 1));
		return 2;
	}
	lua_pushinteger(L, id);
	return 1;
}

/* ---- what is sent ---- */

static size_t
element_size(lua_State *L, int index, lua_Integer i) {
	size_t size = 0;
	if (lua_tolstring(L, -1, &size) == NULL) {
		luaL_error(L, "Invalid %s at index %I of the strings to send (argument %d)",
			luaL_typename(L, -1), (LUAI_UACINT)i, index);
	}
	return size;
}

/* Joins the array at `index` into a block of its own. */
static void
join_table(lua_State *L, int index, struct socket_sendbuffer *out) {
	size_t total = 0;
	lua_Integer count = 0;
	while (lua_rawgeti(L, index, count + 1) != LUA_TNIL) {
		count++;
		total += element_size(L, index, count);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	/* In a userdata, so that an error on the way does not lose it. */
	char *text = lua_newuserdatauv(L, total > 0 ? total : 1, 0);
	size_t used = 0;
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, index, i);
		size_t size;
		const char *part = lua_tolstring(L, -1, &size);
		memcpy(text + used, part, size);
		used += size;
		lua_pop(L, 1);
	}
	out->type = SOCKET_BUFFER_RAWPOINTER;
	out->buffer = text;
	out->sz = total;
}

static void
pointer_buffer(lua_State *L, int index, struct socket_sendbuffer *out) {
	lua_Integer size = luaL_optinteger(L, index + 1, -1);
	luaL_argcheck(L, size <= INT_MAX, index + 1, "size out of range");
	out->buffer = lua_touserdata(L, index);
	out->type = size < 0 ? SOCKET_BUFFER_OBJECT : SOCKET_BUFFER_MEMORY;
	out->sz = size < 0 ? 0 : (size_t)size;
}

static void
userdata_buffer(lua_State *L, int index, struct socket_sendbuffer *out) {
	lua_Integer whole = (lua_Integer)lua_rawlen(L, index);
	lua_Integer size = luaL_optinteger(L, index + 1, whole);
	luaL_argcheck(L, size >= 0 && size <= whole, index + 1, "size out of range");
	out->type = SOCKET_BUFFER_RAWPOINTER;
	out->buffer = lua_touserdata(L, index);
	out->sz = (size_t)size;
}

/* The data at `index` and after, in any of its forms. May leave a value on the stack. */
static struct socket_sendbuffer
check_data(lua_State *L, int id, int index) {
	struct socket_sendbuffer out = {.id = id};
	switch (lua_type(L, index)) {
	case LUA_TUSERDATA:
		userdata_buffer(L, index, &out);
		break;
	case LUA_TLIGHTUSERDATA:
		pointer_buffer(L, index, &out);
		break;
	case LUA_TTABLE:
		join_table(L, index, &out);
		break;
	default:
		out.type = SOCKET_BUFFER_RAWPOINTER;
		out.buffer = luaL_checklstring(L, index, &out.sz);
		break;
	}
	return out;
}

static int
lsend(lua_State *L) {
	struct socket_sendbuffer buffer = check_data(L, check_id(L), 2);
	lua_pushboolean(L, skynet_socket_sendbuffer(context_of(L), &buffer) == 0);
	return 1;
}

static int
llsend(lua_State *L) {
	struct socket_sendbuffer buffer = check_data(L, check_id(L), 2);
	lua_pushboolean(L, skynet_socket_sendbuffer_lowpriority(context_of(L), &buffer) == 0);
	return 1;
}

/* ---- datagrams ---- */

static int
push_udp(lua_State *L, int id, const char *what) {
	if (id < 0)
		return luaL_error(L, "udp %s failed", what);
	lua_pushinteger(L, id);
	return 1;
}

static int
ludp(lua_State *L) {
	struct address address = {.host = NULL, .port = 0};
	if (!lua_isnoneornil(L, 1) || !lua_isnoneornil(L, 2))
		address = check_address(L, 1);
	const char *host = address.host != NULL && address.host[0] != '\0' ? address.host : NULL;
	return push_udp(L, skynet_socket_udp(context_of(L), host, address.port), "init");
}

static int
ludp_listen(lua_State *L) {
	struct address address = check_address(L, 1);
	int id = -1;
	if (address.port != 0 || is_unix(address.host))
		id = skynet_socket_udp_listen(context_of(L), address.host, address.port);
	return push_udp(L, id, "listen host");
}

static int
ludp_dial(lua_State *L) {
	struct address address = check_address(L, 1);
	int id = skynet_socket_udp_dial(context_of(L), address.host, address.port);
	return push_udp(L, id, "dial host");
}

static int
ludp_connect(lua_State *L) {
	int id = check_id(L);
	struct address address = check_address(L, 2);
	if (skynet_socket_udp_connect(context_of(L), id, address.host, address.port) != 0)
		return luaL_error(L, "udp connect failed");
	return 0;
}

static int
ludp_send(lua_State *L) {
	/* Of no family: refused by the kernel, which then ends the buffer. */
	static const char nowhere[UDP_SIZE_INET6] = {0};
	int id = check_id(L);
	size_t size;
	const char *address = luaL_checklstring(L, 2, &size);
	struct socket_sendbuffer buffer = check_data(L, id, 3);
	if (lua_udp_address_size(address, size) == 0)
		address = nowhere;
	lua_pushboolean(L, skynet_socket_udp_sendbuffer(context_of(L), address, &buffer) == 0);
	return 1;
}

/* Adds `event`: the types of socket messages by name. */
static void
add_events(lua_State *L) {
	static const struct {
		const char *name;
		int type;
	} events[] = {
		{"DATA", SKYNET_SOCKET_TYPE_DATA},
		{"CONNECT", SKYNET_SOCKET_TYPE_CONNECT},
		{"CLOSE", SKYNET_SOCKET_TYPE_CLOSE},
		{"ACCEPT", SKYNET_SOCKET_TYPE_ACCEPT},
		{"ERROR", SKYNET_SOCKET_TYPE_ERROR},
		{"UDP", SKYNET_SOCKET_TYPE_UDP},
		{"WARNING", SKYNET_SOCKET_TYPE_WARNING},
		{"FILE", SKYNET_SOCKET_TYPE_FILE},
	};
	lua_createtable(L, 0, sizeof(events) / sizeof(events[0]));
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		lua_pushinteger(L, events[i].type);
		lua_setfield(L, -2, events[i].name);
	}
	lua_setfield(L, -2, "event");
}

SKYNET_API int luaopen_skynet_socketdriver(lua_State *L);

int
luaopen_skynet_socketdriver(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"connect", lconnect},
		{"listen", llisten},
		{"connect_guarded", lconnect_guarded},
		{"listen_guarded", llisten_guarded},
		{"demands", ldemands},
		{"guards", lguards},
		{"bind", lbind},
		{"start", lstart},
		{"pause", lpause},
		{"close", lclose},
		{"shutdown", lshutdown},
		{"nodelay", lnodelay},
		{"sendlimit", lsendlimit},
		{"keepalive", lkeepalive},
		{"watch", lwatch},
		{"send", lsend},
		{"lsend", llsend},
		{"udp", ludp},
		{"udp_listen", ludp_listen},
		{"udp_dial", ludp_dial},
		{"udp_connect", ludp_connect},
		{"udp_send", ludp_send},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	lua_createtable(L, 0, sizeof(functions) / sizeof(functions[0]) + 15);
	lua_receive_buffer_register(L);
	lua_socket_info_register(L);
	add_events(L);
	lua_getfield(L, LUA_REGISTRYINDEX, "skynet_context");
	if (lua_touserdata(L, -1) == NULL)
		return luaL_error(L, "Init skynet context first");
	luaL_setfuncs(L, functions, 1);
	return 1;
}
