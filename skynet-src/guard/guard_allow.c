#include "guard/guard_allow.h"

#include <stdint.h>
#include <string.h>

#include "skynet_malloc.h"

#define PART_MAX  160
#define V4_BITS   32
#define V6_BITS   128
#define ANY_PORT  0
#define SEPARATOR " \t\r\n,"

struct allow_item {
	struct socket_address address;
	int bits; /* of the host that must agree */
	int port; /* ANY_PORT: any */
};

struct guard_allow {
	int count;
	struct allow_item items[];
};

/* The bytes of a host, and how many bits they are; an IPv4 address inside IPv6 counts as IPv4. */
static const uint8_t *
host_bytes(const struct socket_address *address, int *bits) {
	if (address->u.any.sa_family == AF_INET) {
		*bits = V4_BITS;
		return (const uint8_t *)&address->u.v4.sin_addr;
	}
	const uint8_t *bytes = (const uint8_t *)&address->u.v6.sin6_addr;
	if (address->u.any.sa_family != AF_INET6) {
		*bits = 0;
		return NULL;
	}
	if (IN6_IS_ADDR_V4MAPPED(&address->u.v6.sin6_addr)) {
		*bits = V4_BITS;
		return bytes + 12;
	}
	*bits = V6_BITS;
	return bytes;
}

static int
parse_number(const char *text, int max) {
	int number = 0;
	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
		if (number > max)
			return -1;
	}
	return number;
}

/* "host/bits" */
static bool
parse_net(struct allow_item *item, char *text, char *slash) {
	*slash = '\0';
	int whole;
	if (socket_address_parse(&item->address, text, 0) != SKYNET_OK ||
		host_bytes(&item->address, &whole) == NULL)
		return false;
	item->bits = parse_number(slash + 1, whole);
	return item->bits >= 0;
}

/* An address alone, or with a port behind it. */
static bool
parse_host(struct allow_item *item, const char *text) {
	char host[SOCKET_ADDRESS_HOST_SIZE];
	int code = socket_address_parse(&item->address, text, 0);
	if (code != SKYNET_OK) {
		if (socket_address_split(text, host, sizeof(host), &item->port) != SKYNET_OK ||
			item->port == ANY_PORT ||
			socket_address_parse(&item->address, host, item->port) != SKYNET_OK)
			return false;
	}
	host_bytes(&item->address, &item->bits);
	return true;
}

static bool
parse_item(struct allow_item *item, const char *part, size_t size) {
	char text[PART_MAX];
	if (size >= sizeof(text))
		return false;
	memcpy(text, part, size);
	text[size] = '\0';
	item->port = ANY_PORT;
	char *slash = socket_address_is_unix(text) ? NULL : strchr(text, '/');
	return slash != NULL ? parse_net(item, text, slash) : parse_host(item, text);
}

struct guard_allow *
guard_allow_create(const char *text, struct skynet_error *error) {
	int room = 1;
	for (const char *at = text; *at != '\0'; at++)
		room += strchr(SEPARATOR, *at) != NULL;
	struct guard_allow *allow =
		skynet_calloc(1, sizeof(*allow) + (size_t)room * sizeof(allow->items[0]));
	const char *part = text + strspn(text, SEPARATOR);
	while (*part != '\0') {
		size_t size = strcspn(part, SEPARATOR);
		if (!parse_item(&allow->items[allow->count], part, size)) {
			error_set(error, SKYNET_ECONFIG,
				"'%.*s' is not an address (10.0.0.7, 10.0.0.7:2526, 10.0.0.0/24, "
				"[fd00::7]:2526 or unix:/path)",
				size < PART_MAX ? (int)size : PART_MAX, part);
			guard_allow_destroy(allow);
			return NULL;
		}
		allow->count++;
		part += size + strspn(part + size, SEPARATOR);
	}
	return allow;
}

void
guard_allow_destroy(struct guard_allow *allow) {
	skynet_free(allow);
}

static bool
same_host(const struct allow_item *item, const struct socket_address *peer) {
	int own_whole, peer_whole;
	const uint8_t *own = host_bytes(&item->address, &own_whole);
	const uint8_t *other = host_bytes(peer, &peer_whole);
	if (own == NULL || other == NULL) {
		char own_text[SOCKET_ADDRESS_TEXT_SIZE], text[SOCKET_ADDRESS_TEXT_SIZE];
		socket_address_print_host(&item->address, own_text, sizeof(own_text));
		socket_address_print_host(peer, text, sizeof(text));
		return own == other && strcmp(own_text, text) == 0;
	}
	if (own_whole != peer_whole)
		return false;
	int whole = item->bits / 8, rest = item->bits % 8;
	if (memcmp(own, other, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((own[whole] ^ other[whole]) >> (8 - rest)) == 0;
}

bool
guard_allow_from(const struct guard_allow *allow, const struct socket_address *peer) {
	for (int i = 0; allow != NULL && i < allow->count; i++) {
		if (same_host(&allow->items[i], peer))
			return true;
	}
	return false;
}

bool
guard_allow_to(const struct guard_allow *allow, const struct socket_address *peer) {
	int port = socket_address_port(peer);
	for (int i = 0; allow != NULL && i < allow->count; i++) {
		const struct allow_item *item = &allow->items[i];
		if ((item->port == ANY_PORT || item->port == port) && same_host(item, peer))
			return true;
	}
	return false;
}
