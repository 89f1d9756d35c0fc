/* What a service writes to one cluster connection: frames are gathered and leave together. One
 * thread at a time.
 */
#ifndef SKYNET_CLUSTER_OUTPUT_H
#define SKYNET_CLUSTER_OUTPUT_H

#include <stddef.h>

#include "skynet.h"

struct cluster_output {
	struct skynet_context *context;
	int id;     /* of the socket */
	char *data; /* skynet_malloc */
	size_t size, capacity;
	bool failed; /* frames were lost: the connection must be closed */
};

/// End with cluster_output_fini, which drops what was not flushed.
void cluster_output_init(struct cluster_output *output, struct skynet_context *context, int id);
void cluster_output_fini(struct cluster_output *output);

/// Appends a frame: its head and `size` bytes behind it. Borrows both.
void cluster_output_write(struct cluster_output *output, const char *head, size_t head_size,
	const char *data, size_t size);

/// Makes room for frames of `size` bytes in all, as far as that many leave together.
void cluster_output_expect(struct cluster_output *output, size_t size);

/// Sends what has been gathered.
void cluster_output_flush(struct cluster_output *output);

/// Sends it unless more messages wait for the service: then more may be gathered.
void cluster_output_settle(struct cluster_output *output);

#endif
