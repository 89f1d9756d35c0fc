#include "kernel/message_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/env_table.h"
#include "kernel/log.h"
#include "kernel/node.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "skynet_socket.h"

/* Lives as long as its context, so that a writer that was late finds a closed file, not a freed
 * one. */
struct message_trace {
	struct mutex lock;
	FILE *file; /* lock; NULL when off */
};

static FILE *
open_file(struct skynet_context *context) {
	const char *directory = env_table_get(context->node->settings, "logpath");
	uint32_t handle = service_handle(context);
	char path[4096];
	if (snprintf(path, sizeof path, "%s/%08x.log", directory, handle) >= (int)sizeof path) {
		log_line(context->node, handle, "Open log file fail: path too long");
		return NULL;
	}
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;
	if (file == NULL) {
		log_line(context->node, handle, "Open log file %s fail", path);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	time_t wall = (time_t)(clock_wall_ns(context->node->runtime->clock) / 1000000000);
	char text[32] = "?\n";
	ctime_r(&wall, text);
	fprintf(file, "open time: %" PRIu64 " %s", runtime_now_cs(context->node->runtime), text);
	fflush(file);
	log_line(context->node, handle, "Open log file %s", path);
	return file;
}

int
message_trace_open(struct skynet_context *context) {
	if (env_table_get(context->node->settings, "logpath") == NULL)
		return SKYNET_ENOTFOUND;
	struct message_trace *trace = atomic_load_explicit(&context->trace, memory_order_acquire);
	if (trace == NULL) {
		trace = skynet_calloc(1, sizeof *trace);
		mutex_init(&trace->lock, LOCK_RANK_TRACE);
		struct message_trace *other = NULL;
		/* Release pairs with the acquire load above and in message_trace_write. */
		if (!atomic_compare_exchange_strong_explicit(&context->trace, &other, trace,
			    memory_order_acq_rel, memory_order_acquire)) {
			mutex_fini(&trace->lock);
			skynet_free(trace);
			trace = other;
		}
	}
	int result = 0;
	mutex_acquire(&trace->lock);
	if (trace->file == NULL) {
		trace->file = open_file(context);
		if (trace->file == NULL)
			result = SKYNET_ESYSTEM;
	}
	mutex_release(&trace->lock);
	return result;
}

static void
write_hex(FILE *file, const void *data, size_t size) {
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;
	for (size_t i = 0; i < size; i++) {
		putc(digits[bytes[i] >> 4], file);
		putc(digits[bytes[i] & 15], file);
	}
}

static void
write_socket(FILE *file, const struct skynet_message *message) {
	const struct skynet_socket_message *event = message->data;
	size_t size = message_size(message);
	if (size < sizeof *event)
		return;
	fprintf(file, "[socket] %d %d %d ", event->type, event->id, event->ud);
	if (event->buffer != NULL)
		write_hex(file, event->buffer, event->ud > 0 ? (size_t)event->ud : 0);
	else
		fprintf(file, "[%.*s]", (int)(size - sizeof *event), (const char *)(event + 1));
}

void
message_trace_write(struct skynet_context *context, const struct skynet_message *message) {
	struct message_trace *trace = atomic_load_explicit(&context->trace, memory_order_acquire);
	mutex_acquire(&trace->lock);
	if (trace->file != NULL) {
		if (message_type(message) == PTYPE_SOCKET && message->source == 0) {
			write_socket(trace->file, message);
		} else {
			fprintf(trace->file, ":%08x %d %d %" PRIu64 " ", message->source,
				message_type(message), message->session,
				runtime_now_cs(context->node->runtime));
			write_hex(trace->file, message->data, message_size(message));
		}
		putc('\n', trace->file);
		fflush(trace->file);
	}
	mutex_release(&trace->lock);
}

/* Closes the file but keeps the lock for a writer on another thread. */
static void
close_file(struct skynet_context *context, struct message_trace *trace) {
	mutex_acquire(&trace->lock);
	if (trace->file != NULL) {
		fprintf(trace->file, "close time: %" PRIu64 "\n",
			runtime_now_cs(context->node->runtime));
		fclose(trace->file);
		trace->file = NULL;
		log_line(context->node, 0, "Close log file :%08x", service_handle(context));
	}
	mutex_release(&trace->lock);
}

void
message_trace_close(struct skynet_context *context) {
	struct message_trace *trace = atomic_load_explicit(&context->trace, memory_order_acquire);
	if (trace != NULL)
		close_file(context, trace);
}

void
message_trace_destroy(struct skynet_context *context) {
	struct message_trace *trace = atomic_load_explicit(&context->trace, memory_order_acquire);
	if (trace == NULL)
		return;
	close_file(context, trace);
	mutex_fini(&trace->lock);
	skynet_free(trace);
	atomic_store_explicit(&context->trace, NULL, memory_order_relaxed);
}
