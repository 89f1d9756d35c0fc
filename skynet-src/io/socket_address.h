/* Addresses: text to system form and back, and the binary form of datagram addresses. No state. */
#ifndef SKYNET_SOCKET_ADDRESS_H
#define SKYNET_SOCKET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct socket_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} u;
	socklen_t size;
};

#define SOCKET_ADDRESS_TEXT_SIZE \
	128 /* of any address as text, with its NUL; longer paths are cut */
#define SOCKET_ADDRESS_HOST_SIZE 256 /* of a host that is accepted */
#define SOCKET_ADDRESS_BLOB_SIZE 19
#define SOCKET_ADDRESS_UNIX      "unix:"

/// Reads a host that needs no resolution: IPv4, IPv6 with or without brackets and with an optional
/// %zone, "unix:/path", "unix:@name". Borrows `host`.
/// Returns 0, SKYNET_ENOTFOUND when it can only be a name, SKYNET_EADDRESS when it is none either.
int socket_address_parse(struct socket_address *address, const char *host, int port);

/// True for "unix:...".
bool socket_address_is_unix(const char *host);

/// Takes "host:port" or "[host]:port" apart. A host with colons needs its brackets; "unix:..." has
/// port 0. `host` holds `host_size` bytes. Returns 0 or SKYNET_EADDRESS.
int socket_address_split(const char *text, char *host, size_t host_size, int *port);

/// Writes "ip:port" (IPv6 without brackets), or only the ip; IPv4 in IPv6 as IPv4; "unix:/path".
/// Always ends with a NUL. Returns the length.
size_t socket_address_print(const struct socket_address *address, char *text, size_t size);
size_t socket_address_print_host(const struct socket_address *address, char *text, size_t size);

/// True for loopback and Unix-domain addresses: other machines do not reach them.
bool socket_address_is_local(const struct socket_address *address);

/// Port, 0 when there is none.
int socket_address_port(const struct socket_address *address);

/// Writes the binary form: a byte for the family (1 or 2), port big endian, address.
/// `blob` has SOCKET_ADDRESS_BLOB_SIZE bytes. Returns 7 or 19, 0 for other families.
int socket_address_pack(const struct socket_address *address, void *blob);

/// Size of a binary form by its first byte: 7, 19, or 0 when it is none.
int socket_address_blob_size(const void *blob);

/// Reads a binary form of that size. Returns 0 or SKYNET_EADDRESS.
int socket_address_unpack(struct socket_address *address, const void *blob);

#endif
