#include "data/shared_payload.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "skynet_malloc.h"

struct shared_payload {
	atomic_size_t references;
	_Alignas(max_align_t) char data[];
};

void *
shared_payload_create(const void *bytes, size_t size, size_t references) {
	struct shared_payload *payload = skynet_malloc(sizeof *payload + size + 1);
	/* Relaxed: whoever else sees the block gets it through a mailbox. */
	atomic_init(&payload->references, references);
	if (size > 0)
		memcpy(payload->data, bytes, size);
	payload->data[size] = '\0';
	return payload->data;
}

void
shared_payload_drop(void *data, size_t references) {
	struct shared_payload *payload =
		(struct shared_payload *)(void *)((char *)data -
						  offsetof(struct shared_payload, data));
	/* Release pairs with the acquire of the last drop: all reading is over when it frees. */
	size_t before =
		atomic_fetch_sub_explicit(&payload->references, references, memory_order_acq_rel);
	assert(before >= references);
	if (before == references)
		skynet_free(payload);
}
