/* The part of malloc_hook.h that is about services: what each has accounted to it. The node is that
 * of the calling thread's service. Any thread that runs a service; others see nothing.
 */
#include <inttypes.h>

#include "data/handle_table.h"
#include "kernel/current.h"
#include "kernel/node.h"
#include "kernel/service.h"
#include "malloc_hook.h"

static size_t
accounted(const struct skynet_context *context) {
	/* A statistic: orders nothing. */
	int64_t bytes = atomic_load_explicit(&context->memory, memory_order_relaxed);
	return bytes > 0 ? (size_t)bytes : 0;
}

size_t
malloc_current_memory(void) {
	return current.context != NULL ? accounted(current.context) : 0;
}

void
malloc_each_service(malloc_service_fn visit, void *ud) {
	if (current.node == NULL)
		return;
	size_t count = 0;
	uint32_t *handles = handle_table_list(current.node->handles, &count);
	for (size_t i = 0; i < count; i++) {
		struct skynet_context *context = service_grab(current.node, handles[i]);
		if (context == NULL)
			continue;
		size_t bytes = accounted(context);
		service_drop(context);
		visit(ud, handles[i], bytes);
	}
	skynet_free(handles);
}

static void
log_service(void *ud, uint32_t handle, size_t bytes) {
	size_t *total = ud;
	*total += bytes;
	skynet_error(NULL, ":%08" PRIx32 " -> %zukb %zub", handle, bytes >> 10, bytes & 1023);
}

void
dump_c_mem(void) {
	size_t total = 0;
	skynet_error(NULL, "dump all service mem:");
	malloc_each_service(log_service, &total);
	skynet_error(NULL, "+total: %zukb", total >> 10);
}
