/* One message, as it lies in a mailbox. The top byte of `sz` holds the type of the message; the bit
 * below it is set when `data` is shared with other messages (data/shared_payload.h).
 */
#ifndef SKYNET_MESSAGE_H
#define SKYNET_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skynet_message {
	uint32_t source;
	int session;
	void *data; /* owned by the message; skynet_malloc */
	size_t sz;  /* type << MESSAGE_TYPE_SHIFT | MESSAGE_SHARED or 0 | size in bytes */
};

#define MESSAGE_TYPE_SHIFT ((sizeof(size_t) - 1) * 8)
#define MESSAGE_TYPE_MASK  (SIZE_MAX >> 8)
#define MESSAGE_SIZE_MASK  (SIZE_MAX >> 9) /* also the largest size */
#define MESSAGE_SHARED     (MESSAGE_SIZE_MASK + 1)

static inline int
message_type(const struct skynet_message *message) {
	return (int)(message->sz >> MESSAGE_TYPE_SHIFT);
}

static inline size_t
message_size(const struct skynet_message *message) {
	return message->sz & MESSAGE_SIZE_MASK;
}

static inline bool
message_is_shared(const struct skynet_message *message) {
	return (message->sz & MESSAGE_SHARED) != 0;
}

#endif
