/* One message, as it lies in a mailbox. The type is in the top byte of `sz` (64-bit sizes). */
#ifndef SKYNET_MESSAGE_H
#define SKYNET_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct skynet_message {
	uint32_t source;
	int session;
	void *data; /* owned by the message; skynet_malloc */
	size_t sz;  /* type << MESSAGE_TYPE_SHIFT | size in bytes */
};

#define MESSAGE_TYPE_SHIFT ((sizeof(size_t) - 1) * 8)
#define MESSAGE_TYPE_MASK  (SIZE_MAX >> 8)

static inline int
message_type(const struct skynet_message *message) {
	return (int)(message->sz >> MESSAGE_TYPE_SHIFT);
}

static inline size_t
message_size(const struct skynet_message *message) {
	return message->sz & MESSAGE_TYPE_MASK;
}

#endif
