#include "cluster_output.h"

#include <string.h>

#include "skynet_socket.h"

#define CAPACITY_MIN ((size_t)512)
#define FLUSH_SIZE   ((size_t)330000) /* ten parts: the other side is woken once for many */

void
cluster_output_init(struct cluster_output *output, struct skynet_context *context, int id) {
	*output = (struct cluster_output){.context = context, .id = id};
}

void
cluster_output_fini(struct cluster_output *output) {
	skynet_free(output->data);
	output->data = NULL;
	output->size = output->capacity = 0;
}

void
cluster_output_flush(struct cluster_output *output) {
	if (output->size == 0)
		return;
	if (skynet_socket_send(output->context, output->id, output->data, (int)output->size) < 0)
		output->failed = true;
	output->data = NULL;
	output->size = output->capacity = 0;
}

static void
reserve(struct cluster_output *output, size_t size) {
	size_t needed = output->size + size;
	if (needed <= output->capacity)
		return;
	size_t capacity = output->capacity * 2 > CAPACITY_MIN ? output->capacity * 2 : CAPACITY_MIN;
	output->capacity = capacity > needed ? capacity : needed;
	output->data = skynet_realloc(output->data, output->capacity);
}

void
cluster_output_write(struct cluster_output *output, const char *head, size_t head_size,
	const char *data, size_t size) {
	if (output->size + head_size + size > FLUSH_SIZE)
		cluster_output_flush(output);
	reserve(output, head_size + size);
	memcpy(output->data + output->size, head, head_size);
	if (size > 0)
		memcpy(output->data + output->size + head_size, data, size);
	output->size += head_size + size;
}

void
cluster_output_expect(struct cluster_output *output, size_t size) {
	/* With room for the heads of the parts. */
	size += size / 1024;
	if (output->size + size > FLUSH_SIZE)
		size = output->size < FLUSH_SIZE ? FLUSH_SIZE - output->size : 0;
	reserve(output, size);
}

void
cluster_output_settle(struct cluster_output *output) {
	if (output->size > 0 && skynet_stat_get(output->context, 0, SKYNET_STAT_MAILBOX) == 0)
		cluster_output_flush(output);
}
