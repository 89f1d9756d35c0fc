/* Stands for a service of another node of the cluster.
 *
 * Argument: "NODE ADDRESS", the address packed as by skynet.pack, in hexadecimal. What it gets as
 * PTYPE_LUA or PTYPE_SNAX goes on to the sender of the node in the name of whoever sent it, so the
 * answer does not pass here.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "skynet.h"

#define ADDRESS_MAX 264
#define NODE_MAX    128

struct clusterproxy {
	uint32_t sender;
	size_t address_size;
	char address[ADDRESS_MAX]; /* packed */
};

struct clusterproxy *clusterproxy_create(void);
int clusterproxy_init(
	struct clusterproxy *proxy, struct skynet_context *context, const char *param);
void clusterproxy_release(struct clusterproxy *proxy);

struct clusterproxy *
clusterproxy_create(void) {
	return skynet_calloc(1, sizeof(struct clusterproxy));
}

/* The request could not be handed to the sender of the node, for which `sent` stands. */
static void
refuse(struct skynet_context *context, uint32_t source, int session, int sent) {
	const char *reason = "dead_service: the sender of the cluster node has ended";
	if (sent == SKYNET_SEND_FULL)
		reason = "overloaded: too much waits for the cluster node";
	else if (sent == SKYNET_SEND_TOO_LARGE)
		reason = "remote: request is too large";
	if (session > 0)
		skynet_send(context, 0, source, PTYPE_ERROR, session, (void *)(uintptr_t)reason,
			strlen(reason));
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	struct clusterproxy *proxy = ud;
	if (type == PTYPE_RESERVED_TRACE) {
		skynet_send(
			context, source, proxy->sender, type, 0, (void *)(uintptr_t)message, size);
		return 0;
	}
	if (type != PTYPE_RESERVED_LUA && type != PTYPE_RESERVED_SNAX)
		return 0;
	char *request = skynet_malloc(proxy->address_size + size);
	memcpy(request, proxy->address, proxy->address_size);
	if (size > 0)
		memcpy(request + proxy->address_size, message, size);
	int sent =
		skynet_send(context, source, proxy->sender, PTYPE_RESERVED_LUA | PTYPE_TAG_DONTCOPY,
			session, request, proxy->address_size + size);
	if (sent < 0)
		refuse(context, source, session, sent);
	return 0;
}

/* Reads hexadecimal digits. Returns false for anything else. */
static bool
read_hex(struct clusterproxy *proxy, const char *text) {
	static const char digits[] = "0123456789abcdef";
	size_t length = strlen(text);
	if (length % 2 != 0 || length / 2 > ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		const char *digit = memchr(digits, text[i], sizeof digits - 1);
		if (digit == NULL)
			return false;
		char *byte = &proxy->address[i / 2];
		*byte = (char)((unsigned char)*byte << 4 | (digit - digits));
	}
	proxy->address_size = length / 2;
	return length > 0;
}

int
clusterproxy_init(struct clusterproxy *proxy, struct skynet_context *context, const char *param) {
	char name[NODE_MAX + 32];
	const char *space = param != NULL ? strchr(param, ' ') : NULL;
	if (space == NULL || space - param >= NODE_MAX || !read_hex(proxy, space + 1)) {
		skynet_error(context, "error: clusterproxy wants a node and an address");
		return 1;
	}
	snprintf(name, sizeof name, "clustersender:%.*s", (int)(space - param), param);
	proxy->sender = skynet_name_find(context, name);
	skynet_callback(context, proxy, dispatch);
	return proxy->sender != 0 ? 0 : 1;
}

void
clusterproxy_release(struct clusterproxy *proxy) {
	skynet_free(proxy);
}
