/* Messages that wait for a link or for the handle behind a global name. One thread at a time.
 *
 * A queue is bounded in messages and bytes; what it holds is oldest first. So are all messages that
 * wait for names together.
 */
#ifndef SKYNET_NAME_QUEUE_H
#define SKYNET_NAME_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE       16 /* filled up with NULs; a name of 16 bytes never has a handle */
#define QUEUE_COUNT_MAX 65536
#define QUEUE_BYTES_MAX ((size_t)64 << 20)

struct waiting_message {
	uint64_t since_ns;
	uint32_t source;
	uint32_t destination; /* 0: that of the name, not known yet */
	int type;
	int session;
	size_t size;
	void *data; /* skynet_malloc; owned by the queue */
};

/* What is in some queues together. */
struct message_pool {
	size_t count, bytes;
};

/* Zero it before use. */
struct message_queue {
	struct waiting_message *items; /* a ring */
	size_t first, count, capacity;
	size_t bytes;
	struct message_pool *pool; /* bounded as the queue is; NULL: it has none */
};

/* A global name: its handle, or what waits for it. */
struct name_entry {
	char name[NAME_SIZE];
	uint32_t handle; /* 0: not known */
	bool asked;      /* the slave has been asked */
	struct message_queue queue;
};

/* Zero it before use, and leave it where it is then. */
struct name_table {
	struct name_entry **buckets;
	size_t count, capacity;
	struct message_pool waiting; /* for any name */
};

/// Takes `message->data` when it returns true; false: full. What is empty takes a message of any
/// size.
bool message_queue_push(struct message_queue *queue, const struct waiting_message *message);

/// The oldest message, NULL when empty. Borrowed until the next push or pop.
const struct waiting_message *message_queue_peek(const struct message_queue *queue);

/// Removes the oldest message. Gives its data. Returns false when empty.
bool message_queue_pop(struct message_queue *queue, struct waiting_message *message);

/// Frees all messages and the memory.
void message_queue_fini(struct message_queue *queue);

/// The entry of a name of NAME_SIZE bytes, NULL when there is none. Valid as long as the table.
struct name_entry *name_table_find(const struct name_table *table, const char *name);

/// As name_table_find, but makes it.
struct name_entry *name_table_add(struct name_table *table, const char *name);

/// Puts a message behind those that wait for a name, and makes its entry if there is none. Takes
/// `message->data` and returns the entry; NULL: full.
struct name_entry *name_table_keep(
	struct name_table *table, const char *name, const struct waiting_message *message);

/// Calls `visit` for each entry.
void name_table_each(const struct name_table *table,
	void (*visit)(void *ud, struct name_entry *entry), void *ud);

/// Frees the entries that have neither a handle nor a message.
void name_table_prune(struct name_table *table);

/// Frees all entries, with their messages.
void name_table_fini(struct name_table *table);

#endif
