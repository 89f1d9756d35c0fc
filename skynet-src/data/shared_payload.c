#include "data/shared_payload.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "skynet_malloc.h"

struct shared_payload {
	atomic_size_t references;
	struct shared_payload_account *account;
	size_t size;
	_Alignas(max_align_t) char data[];
};

void *
shared_payload_create(
	struct shared_payload_account *account, const void *bytes, size_t size, size_t references) {
	struct shared_payload *payload = skynet_malloc(sizeof *payload + size + 1);
	/* Relaxed: other threads get the block through a mailbox, whose lock orders this. */
	atomic_init(&payload->references, references);
	payload->account = account;
	payload->size = size;
	/* Relaxed here and below: statistics, which order nothing. */
	atomic_fetch_add_explicit(&account->count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&account->bytes, size, memory_order_relaxed);
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
	/* Release pairs with the acquire of the last drop: all others have read the bytes before
	 * they are freed. */
	size_t before =
		atomic_fetch_sub_explicit(&payload->references, references, memory_order_acq_rel);
	assert(before >= references);
	if (before != references)
		return;
	atomic_fetch_sub_explicit(&payload->account->bytes, payload->size, memory_order_relaxed);
	atomic_fetch_sub_explicit(&payload->account->count, 1, memory_order_relaxed);
	skynet_free(payload);
}

size_t
shared_payload_usage(struct shared_payload_account *account, size_t *bytes) {
	if (bytes != NULL)
		*bytes = atomic_load_explicit(&account->bytes, memory_order_relaxed);
	return atomic_load_explicit(&account->count, memory_order_relaxed);
}
