/* Any text as a host, as "host:port", and any bytes as a binary datagram address. What is read must
 * print to something that reads back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/socket_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition) {
	if (!condition)
		abort();
}

static void
check_host(const char *host, int port) {
	struct socket_address address, back;
	char text[SOCKET_ADDRESS_TEXT_SIZE], again[SOCKET_ADDRESS_TEXT_SIZE];
	int code = socket_address_parse(&address, host, port);
	require(code == SKYNET_OK || code == SKYNET_ENOTFOUND || code == SKYNET_EADDRESS);
	if (code != SKYNET_OK)
		return;
	size_t length = socket_address_print_host(&address, text, sizeof(text));
	require(length == strlen(text) && length > 0);
	require(socket_address_print(&address, again, sizeof(again)) < sizeof(again));
	/* A zone is not printed, and IPv4 inside IPv6 comes back as IPv4. */
	require(socket_address_parse(&back, text, port) == SKYNET_OK);
	require(socket_address_print_host(&back, again, sizeof(again)) == length);
	require(memcmp(text, again, length) == 0);
}

static void
check_blob(const uint8_t *data, size_t size) {
	struct socket_address address;
	uint8_t blob[SOCKET_ADDRESS_BLOB_SIZE];
	if (size == 0)
		return;
	size_t wanted = (size_t)socket_address_blob_size(data);
	if (wanted == 0 || size < wanted)
		return;
	require(socket_address_unpack(&address, data) == SKYNET_OK);
	require((size_t)socket_address_pack(&address, blob) == wanted);
	require(memcmp(blob, data, wanted) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char *text = malloc(size + 1), host[64];
	int port = size > 0 ? data[0] * 300 : 0;
	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_host(text, port);
	if (socket_address_split(text, host, sizeof(host), &port) == SKYNET_OK) {
		require(port >= 0 && port <= 65535 && strlen(host) < sizeof(host));
		check_host(host, port);
	}
	check_blob(data, size);
	free(text);
	return 0;
}
