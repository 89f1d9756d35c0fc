/* Sessions of a cluster link by number. One thread at a time. */
#ifndef SKYNET_CLUSTER_SESSION_H
#define SKYNET_CLUSTER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cluster_session {
	uint32_t id;     /* the key; 0: free place */
	uint32_t peer;   /* who gets the answer */
	uint32_t number; /* under which session */
	int link;        /* socket id over which it went */
	uint32_t target; /* cluster_target of the address that was called */
	uint32_t timer;  /* of its deadline, see cluster_deadline.h; 0: none */
	void *extra;     /* of the owner of the table */
};

struct cluster_sessions {
	struct cluster_session *places;
	uint32_t mask; /* places - 1 */
	uint32_t count;
};

/// Makes an empty table; end it with cluster_sessions_fini.
void cluster_sessions_init(struct cluster_sessions *sessions);

/// Frees the places; `extra` is left to the owner, who has removed them.
void cluster_sessions_fini(struct cluster_sessions *sessions);

/// Adds `id`, which is not 0 and not there. The result is valid until the next add or remove.
struct cluster_session *cluster_sessions_add(struct cluster_sessions *sessions, uint32_t id);

/// NULL when there is none. Valid until the next add or remove.
struct cluster_session *cluster_sessions_find(const struct cluster_sessions *sessions, uint32_t id);

/// Removes one that find or add returned.
void cluster_sessions_remove(struct cluster_sessions *sessions, struct cluster_session *session);

#endif
