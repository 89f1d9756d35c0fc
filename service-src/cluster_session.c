#include "cluster_session.h"

#include <string.h>

#include "skynet_malloc.h"

#define PLACES_MIN 64
#define HASH       2654435769u

void
cluster_sessions_init(struct cluster_sessions *sessions) {
	sessions->places = skynet_calloc(PLACES_MIN, sizeof *sessions->places);
	sessions->mask = PLACES_MIN - 1;
	sessions->count = 0;
}

void
cluster_sessions_fini(struct cluster_sessions *sessions) {
	skynet_free(sessions->places);
	sessions->places = NULL;
}

/* Multiplied by the golden ratio, numbers in a row come to lie at even distances from each other:
 * no long runs, all of which removing would have to go through. */
static uint32_t
home(const struct cluster_sessions *sessions, uint32_t id) {
	return id * HASH >> __builtin_clz(sessions->mask);
}

static struct cluster_session *
place_of(const struct cluster_sessions *sessions, uint32_t id) {
	uint32_t at = home(sessions, id);
	while (sessions->places[at].id != 0 && sessions->places[at].id != id)
		at = (at + 1) & sessions->mask;
	return &sessions->places[at];
}

static void
grow(struct cluster_sessions *sessions) {
	struct cluster_session *old = sessions->places;
	uint32_t count = sessions->mask + 1;
	sessions->mask = count * 2 - 1;
	sessions->places = skynet_calloc((size_t)count * 2, sizeof *old);
	for (uint32_t i = 0; i < count; i++) {
		if (old[i].id != 0)
			*place_of(sessions, old[i].id) = old[i];
	}
	skynet_free(old);
}

struct cluster_session *
cluster_sessions_add(struct cluster_sessions *sessions, uint32_t id) {
	if (sessions->count > sessions->mask / 2)
		grow(sessions);
	struct cluster_session *session = place_of(sessions, id);
	*session = (struct cluster_session){.id = id};
	sessions->count++;
	return session;
}

struct cluster_session *
cluster_sessions_find(const struct cluster_sessions *sessions, uint32_t id) {
	if (id == 0)
		return NULL;
	struct cluster_session *session = place_of(sessions, id);
	return session->id == id ? session : NULL;
}

void
cluster_sessions_remove(struct cluster_sessions *sessions, struct cluster_session *session) {
	uint32_t gap = (uint32_t)(session - sessions->places), mask = sessions->mask;
	/* Move up what could not get its own place because this one was taken. */
	for (uint32_t at = (gap + 1) & mask; sessions->places[at].id != 0; at = (at + 1) & mask) {
		uint32_t wanted = home(sessions, sessions->places[at].id);
		if (((at - wanted) & mask) >= ((at - gap) & mask)) {
			sessions->places[gap] = sessions->places[at];
			gap = at;
		}
	}
	sessions->places[gap] = (struct cluster_session){.id = 0};
	sessions->count--;
}
