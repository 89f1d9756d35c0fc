#include "kernel/log.h"

#include <stdio.h>
#include <string.h>

#include "kernel/current.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/service.h"

static void
log_push(struct skynet_node *node, uint32_t source, char *text, size_t size) {
	struct skynet_message message = {
		.source = source,
		.data = text,
		.sz = size | (size_t)PTYPE_TEXT << MESSAGE_TYPE_SHIFT,
	};
	uint32_t logger = atomic_load_explicit(&node->logger, memory_order_acquire);
	/* A log service written by users may end and be replaced by another one: then look it up by
	 * its name. */
	if (router_push(node, logger, &message) == 0)
		return;
	logger = handle_table_find_name(node->handles, "logger");
	if (logger != 0) {
		atomic_store_explicit(&node->logger, logger, memory_order_release);
		if (router_push(node, logger, &message) == 0)
			return;
	}
	skynet_free(text);
}

void
log_bytes(struct skynet_node *node, uint32_t source, const char *text, size_t size) {
	char *copy = skynet_malloc(size + 1);
	memcpy(copy, text, size);
	copy[size] = '\0';
	log_push(node, source, copy, size);
}

void
log_line_v(struct skynet_node *node, uint32_t source, const char *format, va_list arguments) {
	char small[512];
	va_list again;
	va_copy(again, arguments);
	int size = vsnprintf(small, sizeof small, format, arguments);
	if (size >= 0) {
		char *text = skynet_malloc((size_t)size + 1);
		if ((size_t)size < sizeof small)
			memcpy(text, small, (size_t)size + 1);
		else
			vsnprintf(text, (size_t)size + 1, format, again);
		log_push(node, source, text, (size_t)size);
	}
	va_end(again);
}

void
log_line(struct skynet_node *node, uint32_t source, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	log_line_v(node, source, format, arguments);
	va_end(arguments);
}

void
skynet_error(struct skynet_context *context, const char *format, ...) {
	struct skynet_node *node = context != NULL ? context->node : current.node;
	if (node == NULL)
		return;
	uint32_t source = context != NULL ? service_handle(context) : 0;
	va_list arguments;
	va_start(arguments, format);
	if (strcmp(format, "%*s") == 0) {
		/* Here the width is the exact size of a text that may contain NULs. */
		int size = va_arg(arguments, int);
		const char *text = va_arg(arguments, const char *);
		log_bytes(node, source, text, size > 0 ? (size_t)size : 0);
	} else {
		log_line_v(node, source, format, arguments);
	}
	va_end(arguments);
}
