/* The checker of lock ranks; empty unless SKYNET_DEBUG_LOCKS. A thread's held ranks are the one
 * thread-local of a debug build.
 */
#include "base/lock.h"

#ifdef SKYNET_DEBUG_LOCKS

#include <stdio.h>
#include <stdlib.h>

#define HELD_MAX 32

static _Thread_local int held_ranks[HELD_MAX];
static _Thread_local int held_count;

static void
die(const char *what, int rank) {
	fprintf(stderr, "skynet: lock order: %s rank %d; held:", what, rank);
	for (int i = 0; i < held_count; i++)
		fprintf(stderr, " %d", held_ranks[i]);
	fputc('\n', stderr);
	abort();
}

/* Locks may be released in any order, so the last rank in the list need not be the highest: all are
 * compared. */
void
lock_debug_acquire(int rank) {
	for (int i = 0; i < held_count; i++) {
		if (held_ranks[i] >= rank)
			die("taking", rank);
	}
	if (held_count == HELD_MAX)
		die("too many locks, taking", rank);
	held_ranks[held_count++] = rank;
}

void
lock_debug_release(int rank) {
	for (int i = held_count - 1; i >= 0; i--) {
		if (held_ranks[i] == rank) {
			held_ranks[i] = held_ranks[--held_count];
			return;
		}
	}
	die("releasing", rank);
}

#else

/* A translation unit must not be empty. */
extern int lock_debug_is_off;

#endif
