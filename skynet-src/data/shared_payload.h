/* The bytes of one message for many receivers: a reference-counted block, with one reference for
 * each mailbox that it is in. A message whose `sz` has MESSAGE_SHARED set points to such bytes.
 * Only the kernel sets that bit, so no pointer that a service or a socket supplies is taken for
 * such a block.
 */
#ifndef SKYNET_SHARED_PAYLOAD_H
#define SKYNET_SHARED_PAYLOAD_H

#include <stdatomic.h>
#include <stddef.h>

/* Blocks of one owner that are not freed yet, for statistics. */
struct shared_payload_account {
	atomic_size_t count;
	atomic_size_t bytes;
};

/// Gives a copy of `size` bytes (and a NUL behind them) with `references` references, at least 1.
/// Borrows `bytes`, which may be NULL when `size` is 0, and `account` until the block is freed. End
/// each reference with shared_payload_drop. Any thread. Never fails.
void *shared_payload_create(
	struct shared_payload_account *account, const void *bytes, size_t size, size_t references);

/// Ends `references` references to the bytes at `data`; the last one frees them. Any thread.
void shared_payload_drop(void *data, size_t references);

/// Blocks of an account that are not freed yet, and their bytes (`bytes` may be NULL). Any thread.
size_t shared_payload_usage(struct shared_payload_account *account, size_t *bytes);

#endif
