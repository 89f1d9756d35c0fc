/* The half of skynet.socketdriver that only looks: messages, addresses, statistics. */
#ifndef SKYNET_LUA_SOCKET_INFO_H
#define SKYNET_LUA_SOCKET_INFO_H

#include <lua.h>
#include <stddef.h>

#define UDP_SIZE_INET  7
#define UDP_SIZE_INET6 19

/// Adds unpack, udp_address, resolve and info to the table on top of the stack. Needs no context.
void lua_socket_info_register(lua_State *L);

/// Bytes of a binary datagram address by its family byte; 0 when `size` bytes are none. Borrows it.
size_t lua_udp_address_size(const char *address, size_t size);

#endif
