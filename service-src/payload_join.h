/* Payloads that are put together from parts. Memory grows with what has come, not with what was
 * announced. One thread at a time.
 */
#ifndef SKYNET_PAYLOAD_JOIN_H
#define SKYNET_PAYLOAD_JOIN_H

#include <stdbool.h>
#include <stddef.h>

/* Zero it, but for the total. */
struct payload_join {
	char *data; /* skynet_malloc, with a NUL behind; NULL while it is empty */
	size_t size, capacity, total;
};

/// Appends a part (borrowed). Returns false when more came than was announced.
bool payload_join_add(struct payload_join *join, const char *data, size_t size);

#endif
