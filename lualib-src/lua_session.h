/* The sessions that a service waits for: from session number to what waits for it. A hash table
 * with open addressing. Belongs to one service, no locking.
 */
#ifndef SKYNET_LUA_SESSION_H
#define SKYNET_LUA_SESSION_H

#include <stdbool.h>
#include <stdint.h>

/* What a PTYPE_RESPONSE with the session means, and what `owner` is. */
enum session_kind {
	SESSION_CALL,       /* reply to a call; struct task */
	SESSION_DEADLINE,   /* a call has waited long enough; struct task */
	SESSION_SLEEP,      /* a sleep is over; struct task */
	SESSION_START,      /* a timeout is due: start the task; struct task */
	SESSION_ROOM,       /* a full mailbox has room again; struct task */
	SESSION_SELECT,     /* reply to one of several requests; struct selection */
	SESSION_SELECT_END, /* the several requests have waited long enough; struct selection */
	SESSION_ABANDONED,  /* nobody waits any more: the reply is dropped; NULL */
};

struct session_entry {
	void *owner;
	int session; /* 0: free */
	enum session_kind kind;
};

struct session_table {
	struct session_entry *entries;
	uint32_t mask; /* size - 1, 0 before the first use */
	uint32_t count;
};

/// Frees the memory of the table, which may be used again.
void session_table_clear(struct session_table *table);

/// Adds an entry. Returns false, changing nothing, when `session` is there already.
bool session_add(struct session_table *table, int session, enum session_kind kind, void *owner);

/// Returns the entry of `session`, valid until the next change, or NULL.
struct session_entry *session_find(struct session_table *table, int session);

/// Removes an entry that session_find returned.
void session_remove(struct session_table *table, struct session_entry *entry);

#endif
