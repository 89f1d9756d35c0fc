#include "io/socket_address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BLOB_V4 = 1, BLOB_V6 = 2 };

bool
socket_address_is_unix(const char *host) {
	return strncmp(host, SOCKET_ADDRESS_UNIX, strlen(SOCKET_ADDRESS_UNIX)) == 0;
}

static int
parse_unix(struct socket_address *address, const char *path) {
	struct sockaddr_un *local = &address->u.local;
	size_t length = strlen(path);
	memset(local, 0, sizeof(*local));
	local->sun_family = AF_UNIX;
	if (length == 0 || length >= sizeof(local->sun_path))
		return SKYNET_EADDRESS;
	memcpy(local->sun_path, path, length);
	size_t header = offsetof(struct sockaddr_un, sun_path);
	if (path[0] == '@') {
		/* The name of an abstract socket begins with a NUL; its length follows from the
		 * size of the address. */
		if (length == 1)
			return SKYNET_EADDRESS;
		local->sun_path[0] = '\0';
		address->size = (socklen_t)(header + length);
	} else
		address->size = (socklen_t)(header + length + 1);
	return SKYNET_OK;
}

static bool
parse_v4(struct socket_address *address, const char *host, int port) {
	struct sockaddr_in *v4 = &address->u.v4;
	memset(v4, 0, sizeof(*v4));
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return false;
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	address->size = sizeof(*v4);
	return true;
}

static bool
parse_v6(struct socket_address *address, const char *host, int port) {
	struct sockaddr_in6 *v6 = &address->u.v6;
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
	size_t length = strlen(host);
	if (length >= sizeof(text))
		return false;
	memcpy(text, host, length + 1);
	char *zone = strchr(text, '%');
	if (zone != NULL)
		*zone++ = '\0';
	memset(v6, 0, sizeof(*v6));
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return false;
	if (zone != NULL && (v6->sin6_scope_id = if_nametoindex(zone)) == 0)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	address->size = sizeof(*v6);
	return true;
}

/* True for what may be the name of a host: printable ASCII, without the characters that other forms
 * of address have. */
static bool
may_be_name(const char *host, size_t length) {
	if (length == 0 || length >= SOCKET_ADDRESS_HOST_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)host[i];
		if (c <= ' ' || c == 0x7f || strchr(":/[]@%\\\"'", c) != NULL)
			return false;
	}
	return true;
}

int
socket_address_parse(struct socket_address *address, const char *host, int port) {
	char inner[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
	if (socket_address_is_unix(host))
		return parse_unix(address, host + strlen(SOCKET_ADDRESS_UNIX));
	if (port < 0 || port > 65535)
		return SKYNET_EADDRESS;
	size_t length = strlen(host);
	if (host[0] == '[') {
		if (length < 2 || host[length - 1] != ']' || length - 2 >= sizeof(inner))
			return SKYNET_EADDRESS;
		memcpy(inner, host + 1, length - 2);
		inner[length - 2] = '\0';
		return parse_v6(address, inner, port) ? SKYNET_OK : SKYNET_EADDRESS;
	}
	if (parse_v4(address, host, port) || parse_v6(address, host, port))
		return SKYNET_OK;
	return may_be_name(host, length) ? SKYNET_ENOTFOUND : SKYNET_EADDRESS;
}

static int
parse_port(const char *text, int *port) {
	int value = 0;
	if (*text == '\0')
		return SKYNET_EADDRESS;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return SKYNET_EADDRESS;
		value = value * 10 + (*text - '0');
		if (value > 65535)
			return SKYNET_EADDRESS;
	}
	*port = value;
	return SKYNET_OK;
}

int
socket_address_split(const char *text, char *host, size_t host_size, int *port) {
	const char *begin = text, *end;
	if (socket_address_is_unix(text)) {
		*port = 0;
		end = text + strlen(text);
	} else if (*text == '[') {
		begin = text + 1;
		end = strchr(begin, ']');
		if (end == NULL || end[1] != ':' || parse_port(end + 2, port) != SKYNET_OK)
			return SKYNET_EADDRESS;
	} else {
		end = strchr(text, ':');
		if (end == NULL || parse_port(end + 1, port) != SKYNET_OK)
			return SKYNET_EADDRESS;
	}
	size_t length = (size_t)(end - begin);
	if (length >= host_size)
		return SKYNET_EADDRESS;
	memcpy(host, begin, length);
	host[length] = '\0';
	return SKYNET_OK;
}

static size_t
print_unix(const struct socket_address *address, char *text, size_t size) {
	const struct sockaddr_un *local = &address->u.local;
	size_t header = offsetof(struct sockaddr_un, sun_path);
	size_t length = address->size > header ? address->size - header : 0;
	if (length > sizeof(local->sun_path))
		length = sizeof(local->sun_path);
	bool is_abstract = length > 0 && local->sun_path[0] == '\0';
	const char *path = is_abstract ? local->sun_path + 1 : local->sun_path;
	size_t path_length = is_abstract ? length - 1 : strnlen(local->sun_path, length);
	/* The name of an abstract socket may have any byte in it. What follows a NUL is not shown.
	 */
	snprintf(text, size, SOCKET_ADDRESS_UNIX "%s%.*s", is_abstract ? "@" : "", (int)path_length,
		path);
	return strlen(text);
}

size_t
socket_address_print_host(const struct socket_address *address, char *text, size_t size) {
	const struct in6_addr *v6 = &address->u.v6.sin6_addr;
	const char *done = NULL;
	if (address->u.any.sa_family == AF_UNIX)
		return print_unix(address, text, size);
	if (address->u.any.sa_family == AF_INET)
		done = inet_ntop(AF_INET, &address->u.v4.sin_addr, text, (socklen_t)size);
	else if (address->u.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		done = inet_ntop(AF_INET, v6->s6_addr + 12, text, (socklen_t)size);
	else if (address->u.any.sa_family == AF_INET6)
		done = inet_ntop(AF_INET6, v6, text, (socklen_t)size);
	if (done == NULL)
		text[0] = '\0';
	return strlen(text);
}

size_t
socket_address_print(const struct socket_address *address, char *text, size_t size) {
	size_t length = socket_address_print_host(address, text, size);
	if (length == 0 || address->u.any.sa_family == AF_UNIX)
		return length;
	snprintf(text + length, size - length, ":%d", socket_address_port(address));
	return strlen(text);
}

bool
socket_address_is_local(const struct socket_address *address) {
	const struct in6_addr *v6 = &address->u.v6.sin6_addr;
	if (address->u.any.sa_family == AF_INET)
		return ntohl(address->u.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (address->u.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		return v6->s6_addr[12] == IN_LOOPBACKNET;
	if (address->u.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(v6);
	return address->u.any.sa_family == AF_UNIX;
}

int
socket_address_port(const struct socket_address *address) {
	if (address->u.any.sa_family == AF_INET)
		return ntohs(address->u.v4.sin_port);
	if (address->u.any.sa_family == AF_INET6)
		return ntohs(address->u.v6.sin6_port);
	return 0;
}

int
socket_address_pack(const struct socket_address *address, void *blob) {
	uint8_t *bytes = blob;
	if (address->u.any.sa_family == AF_INET) {
		bytes[0] = BLOB_V4;
		memcpy(bytes + 1, &address->u.v4.sin_port, 2);
		memcpy(bytes + 3, &address->u.v4.sin_addr, 4);
	} else if (address->u.any.sa_family == AF_INET6) {
		bytes[0] = BLOB_V6;
		memcpy(bytes + 1, &address->u.v6.sin6_port, 2);
		memcpy(bytes + 3, &address->u.v6.sin6_addr, 16);
	} else
		return 0;
	return socket_address_blob_size(blob);
}

int
socket_address_blob_size(const void *blob) {
	switch (*(const uint8_t *)blob) {
	case BLOB_V4:
		return 7;
	case BLOB_V6:
		return 19;
	default:
		return 0;
	}
}

int
socket_address_unpack(struct socket_address *address, const void *blob) {
	const uint8_t *bytes = blob;
	memset(address, 0, sizeof(*address));
	if (bytes[0] == BLOB_V4) {
		address->u.v4.sin_family = AF_INET;
		memcpy(&address->u.v4.sin_port, bytes + 1, 2);
		memcpy(&address->u.v4.sin_addr, bytes + 3, 4);
		address->size = sizeof(address->u.v4);
		return SKYNET_OK;
	}
	if (bytes[0] == BLOB_V6) {
		address->u.v6.sin6_family = AF_INET6;
		memcpy(&address->u.v6.sin6_port, bytes + 1, 2);
		memcpy(&address->u.v6.sin6_addr, bytes + 3, 16);
		address->size = sizeof(address->u.v6);
		return SKYNET_OK;
	}
	return SKYNET_EADDRESS;
}
