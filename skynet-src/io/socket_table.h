/* Sockets and their ids. Entries are used again, and not freed before the table; so a thread that
 * has found one by its id may lock it and only then check that it still has that id. Finding takes
 * no lock: when the index grows, the old one is kept for threads that are still reading it.
 */
#ifndef SKYNET_SOCKET_TABLE_H
#define SKYNET_SOCKET_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "io/resolver.h"
#include "io/send_queue.h"
#include "io/socket_server.h"

struct socket_guard;

enum socket_kind {
	SOCKET_KIND_STREAM,
	SOCKET_KIND_LISTENER,
	SOCKET_KIND_DATAGRAM,
	SOCKET_KIND_BORROWED, /* a descriptor that belongs to the user and is not closed */
	SOCKET_KIND_FILE,     /* a watched file */
};

enum socket_state {
	SOCKET_STATE_OPENING, /* has an id, and perhaps a descriptor; connecting */
	SOCKET_STATE_WAITING, /* listener or accepted connection, not started */
	SOCKET_STATE_OPEN,
	SOCKET_STATE_HALF_READ,  /* the peer has ended its direction, or the owner has closed */
	SOCKET_STATE_HALF_WRITE, /* writing has failed */
	SOCKET_STATE_SHAKING,    /* connected; the other end has not authenticated yet */
	SOCKET_STATE_LINGERING,  /* closed and flushed; waits for the peer to end its direction */
};

/* Fields are written under `lock`, and only by the poller unless "any thread" is noted; so the
 * poller may read the others without the lock. */
struct socket_entry {
	atomic_int id; /* 0: free */
	struct mutex lock;
	int fd; /* -1: none */
	uint8_t kind;
	_Atomic(uint8_t) state;
	bool closing;    /* closed by its owner, being flushed */
	bool close_told; /* CLOSE has been delivered */
	bool ended;      /* the peer has ended its direction */
	bool hung_up; /* the system would report the hang-up again and again: do not wait for it */
	bool local;   /* Unix-domain: has no TCP options */
	bool nodelay; /* wanted; any thread */
	uint8_t family;     /* of a datagram socket: 7 or 19, size of its addresses */
	int interest;       /* enum socket_poll_interest; any thread */
	int starts_pending; /* START requests not handled yet; any thread */
	int idle_s, interval_s, user_timeout_ms; /* keep-alive wanted; any thread */
	int port;
	struct socket_owner owner;
	atomic_bool muted;   /* its node has ended: no events; set by any thread */
	atomic_bool reading; /* cleared by any thread */

	/* Sending; any thread. */
	struct send_queue queue;
	_Atomic(size_t) queued; /* its size, readable without the lock */
	int64_t limit;          /* 0: none */
	uint8_t policy;
	size_t warning;  /* last threshold of queued bytes that was reported, 0: none */
	int write_error; /* errno that ended writing, not reported yet */
	bool wants_room; /* report by WARNING 0 when the system accepts bytes again */

	struct socket_guard *guard; /* authentication of the peer; NULL: none */

	/* Connecting: addresses that are left to try. */
	struct address_list *addresses;
	int next_address;

	/* The poller alone. */
	size_t read_size; /* buffer size for the next read */
	struct socket_entry *next_timed;
	uint64_t deadline_ns;  /* 0: not in the list of timed sockets */
	uint64_t written_seen; /* write_count at the last deadline */
	uint64_t shed_told_ns; /* when refused connections were last reported, 0: never */

	/* Statistics, relaxed. */
	_Atomic(uint64_t) read_count, write_count, read_time_cs, write_time_cs, dropped;
	char name[SOCKET_ADDRESS_TEXT_SIZE]; /* peer, or what a listener is bound to */
	char *path;                          /* file to remove, or watched file; owned */
	struct file_watch *watch;            /* owns the descriptor of a watch, else NULL */

	struct socket_entry *next_free; /* lock of the table */
};

struct socket_index;

struct socket_table {
	struct mutex lock; /* writers */
	struct socket_index *_Atomic index;
	int last_id;
	uint32_t used;
	struct socket_entry *free;
	struct socket_entry **entries; /* all of them; lock */
	uint32_t entry_count, entry_room;
};

/// Makes an empty table; end it with socket_table_fini.
void socket_table_init(struct socket_table *table);

/// Frees all entries; what they hold has been ended before.
void socket_table_fini(struct socket_table *table);

/// Gives an entry with a fresh id in state OPENING, the rest zeroed, and its lock held. Any thread.
struct socket_entry *socket_table_reserve(struct socket_table *table);

/// Ends the id of an entry and releases its lock, which the caller holds. The caller has ended all
/// that the entry holds. The poller.
void socket_table_release(struct socket_table *table, struct socket_entry *entry);

/// Finds the entry of a live id, NULL when there is none. Only for the poller, because another
/// thread could see the id end.
struct socket_entry *socket_table_find(struct socket_table *table, int id);

/// Finds the entry of a live id and locks it; NULL when there is none. End with
/// mutex_release(&entry->lock). Any thread.
struct socket_entry *socket_table_acquire(struct socket_table *table, int id);

/// The entry number `i`, locked, live or not; NULL behind the last one. For walks over all of them.
struct socket_entry *socket_table_at(struct socket_table *table, uint32_t i);

#endif
