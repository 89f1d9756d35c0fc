/* Socket messages and binary addresses to Lua values, name resolution, statistics of sockets. */
#include "lua_socket_info.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "skynet_socket.h"

#define UDP_FAMILY_INET  1
#define UDP_FAMILY_INET6 2

size_t
lua_udp_address_size(const char *address, size_t size) {
	if (size == UDP_SIZE_INET && address[0] == UDP_FAMILY_INET)
		return UDP_SIZE_INET;
	if (size == UDP_SIZE_INET6 && address[0] == UDP_FAMILY_INET6)
		return UDP_SIZE_INET6;
	return 0;
}

/* udp_address(binary) -> ip, port */
static int
ludp_address(lua_State *L) {
	size_t size;
	const char *address = luaL_checklstring(L, 1, &size);
	size_t known = lua_udp_address_size(address, size);
	if (known == 0)
		return luaL_error(L, "Invalid udp address");
	uint16_t port;
	memcpy(&port, address + 1, sizeof(port));
	char text[INET6_ADDRSTRLEN];
	int family = known == UDP_SIZE_INET ? AF_INET : AF_INET6;
	if (inet_ntop(family, address + 1 + sizeof(port), text, sizeof(text)) == NULL)
		return luaL_error(L, "Invalid udp address");
	lua_pushstring(L, text);
	lua_pushinteger(L, ntohs(port));
	return 2;
}

static int
push_numeric_hosts(lua_State *L) {
	const struct addrinfo *list = lua_touserdata(L, 1);
	lua_newtable(L);
	lua_Integer count = 0;
	for (; list != NULL; list = list->ai_next) {
		char text[NI_MAXHOST];
		if (getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0,
			    NI_NUMERICHOST) == 0) {
			lua_pushstring(L, text);
			lua_rawseti(L, -2, ++count);
		}
	}
	return 1;
}

/* resolve(host) -> array of addresses. Blocks the worker: not for use in a busy service. */
static int
lresolve(lua_State *L) {
	const char *host = luaL_checkstring(L, 1);
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int failed = getaddrinfo(host, NULL, &hints, &list);
	if (failed != 0)
		return luaL_error(L, "%s", gai_strerror(failed));
	lua_pushcfunction(L, push_numeric_hosts);
	lua_pushlightuserdata(L, list);
	int status = lua_pcall(L, 1, 1, 0);
	freeaddrinfo(list);
	return status == LUA_OK ? 1 : lua_error(L);
}

static void
set_integer(lua_State *L, const char *name, uint64_t value) {
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, name);
}

static void
set_text(lua_State *L, const char *name, const char *value) {
	if (value[0] != '\0') {
		lua_pushstring(L, value);
		lua_setfield(L, -2, name);
	}
}

static void
set_traffic(lua_State *L, const struct socket_info *info) {
	set_integer(L, "read", info->read);
	set_integer(L, "write", info->write);
	set_integer(L, "wbuffer", (uint64_t)info->wbuffer);
	set_integer(L, "wtime", info->wtime);
	set_integer(L, "dropped", info->dropped);
	lua_pushboolean(L, info->reading);
	lua_setfield(L, -2, "reading");
	lua_pushboolean(L, info->writing);
	lua_setfield(L, -2, "writing");
	set_text(L, "peer", info->name);
}

static void
push_info(lua_State *L, const struct socket_info *info) {
	static const char *const names[] = {"", "LISTEN", "TCP", "UDP", "BIND", "CLOSING"};
	lua_createtable(L, 0, 12);
	set_integer(L, "id", (uint64_t)info->id);
	set_integer(L, "address", info->opaque);
	set_integer(L, "rtime", info->rtime);
	lua_pushstring(L, names[info->type]);
	lua_setfield(L, -2, "type");
	if (info->type == SOCKET_INFO_LISTEN) {
		set_integer(L, "accept", info->read);
		set_text(L, "sock", info->name);
	} else {
		set_traffic(L, info);
	}
}

static int
push_infos(lua_State *L) {
	const struct socket_info *info = lua_touserdata(L, 1);
	lua_newtable(L);
	lua_Integer count = 0;
	for (; info != NULL; info = info->next) {
		if (info->type > SOCKET_INFO_UNKNOWN && info->type <= SOCKET_INFO_CLOSING) {
			push_info(L, info);
			lua_rawseti(L, -2, ++count);
		}
	}
	return 1;
}

/* info() -> array of tables, one per socket of this node */
static int
linfo(lua_State *L) {
	lua_pushcfunction(L, push_infos);
	struct socket_info *list = skynet_socket_info();
	lua_pushlightuserdata(L, list);
	int status = lua_pcall(L, 1, 1, 0);
	socket_info_release(list);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* unpack(message, size) -> type, id, ud, text | pointer [, udp address] */
static int
lunpack(lua_State *L) {
	struct skynet_socket_message *message = lua_touserdata(L, 1);
	lua_Integer size = luaL_checkinteger(L, 2);
	if (message == NULL || size < (lua_Integer)sizeof(*message))
		return luaL_argerror(L, 1, "socket message expected");
	lua_pushinteger(L, message->type);
	lua_pushinteger(L, message->id);
	lua_pushinteger(L, message->ud);
	if (message->buffer == NULL) {
		const char *text = (const char *)(message + 1);
		lua_pushlstring(L, text, (size_t)size - sizeof(*message));
		return 4;
	}
	lua_pushlightuserdata(L, message->buffer);
	if (message->type != SKYNET_SOCKET_TYPE_UDP)
		return 4;
	int address_size = 0;
	const char *address = skynet_socket_udp_address(message, &address_size);
	if (address == NULL)
		return 4;
	lua_pushlstring(L, address, (size_t)address_size);
	return 5;
}

void
lua_socket_info_register(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"unpack", lunpack},
		{"udp_address", ludp_address},
		{"resolve", lresolve},
		{"info", linfo},
		{NULL, NULL},
	};
	luaL_setfuncs(L, functions, 0);
}
