/* Waiting for descriptors to become ready, level triggered. Implemented by socket_epoll.c and
 * socket_kqueue.c, of which one is linked. `socket_poll_set` and `socket_poll_wake` may be called
 * from any thread, the others by one thread at a time.
 */
#ifndef SKYNET_SOCKET_POLL_H
#define SKYNET_SOCKET_POLL_H

#include "base/error.h"

enum socket_poll_interest {
	SOCKET_POLL_READ = 1,
	SOCKET_POLL_WRITE = 2,
	SOCKET_POLL_HANGUP = 4, /* without the other two: report only errors, if the system can */
};

struct socket_poll_event {
	int id;
	int ready; /* flags of enum socket_poll_interest; HANGUP: error, or both directions closed
		    */
};

struct socket_poll {
	int fd;
	int wake_fd; /* -1 where it is not needed */
};

/// Opens the descriptors of `poll`. End with socket_poll_close. Returns 0, or SKYNET_ESYSTEM with
/// `error`.
int socket_poll_open(struct socket_poll *poll, struct skynet_error *error);
void socket_poll_close(struct socket_poll *poll);

/// Changes what to wait for on `fd` from `old` to `interest` (0: nothing). Events carry `id`, which
/// is above 0. Returns 0, or -1 with errno.
int socket_poll_set(struct socket_poll *poll, int fd, int id, int old, int interest);

/// Waits for at most `timeout_ms` (-1: no limit) and stores up to `count` events, without those of
/// socket_poll_wake. Returns their number; 0 on a signal.
int socket_poll_wait(
	struct socket_poll *poll, struct socket_poll_event *events, int count, int timeout_ms);

/// Makes the current or else the next socket_poll_wait return.
void socket_poll_wake(struct socket_poll *poll);

#endif
