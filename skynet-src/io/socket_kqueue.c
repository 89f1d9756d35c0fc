/* Readiness through kqueue: a filter each for reading and writing, a user event to wake.
 * A filter cannot be had for errors alone, so SOCKET_POLL_HANGUP alone asks for nothing. */
#include "io/socket_poll.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#ifdef SOCKET_KQUEUE_HEADER /* a stand-in, on systems without kqueue */
#include SOCKET_KQUEUE_HEADER
#else
#include <sys/event.h>
#endif

#define EVENTS_MAX 256

int
socket_poll_open(struct socket_poll *poll, struct skynet_error *error) {
	poll->wake_fd = -1;
	poll->fd = kqueue();
	if (poll->fd < 0)
		return error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot create a kqueue");
	struct kevent change;
	EV_SET(&change, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
	if (fcntl(poll->fd, F_SETFD, FD_CLOEXEC) < 0 ||
		kevent(poll->fd, &change, 1, NULL, 0, NULL) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot prepare a kqueue");
		socket_poll_close(poll);
		return SKYNET_ESYSTEM;
	}
	return SKYNET_OK;
}

void
socket_poll_close(struct socket_poll *poll) {
	if (poll->fd >= 0)
		close(poll->fd);
	poll->fd = -1;
}

int
socket_poll_set(struct socket_poll *poll, int fd, int id, int old, int interest) {
	struct kevent changes[2];
	int count = 0;
	int changed = old ^ interest;
	void *name = (void *)(intptr_t)id;
	if (changed & SOCKET_POLL_READ) {
		int action = interest & SOCKET_POLL_READ ? EV_ADD : EV_DELETE;
		EV_SET(&changes[count], (uintptr_t)fd, EVFILT_READ, action, 0, 0, name);
		count++;
	}
	if (changed & SOCKET_POLL_WRITE) {
		int action = interest & SOCKET_POLL_WRITE ? EV_ADD : EV_DELETE;
		EV_SET(&changes[count], (uintptr_t)fd, EVFILT_WRITE, action, 0, 0, name);
		count++;
	}
	if (count == 0)
		return 0;
	return kevent(poll->fd, changes, count, NULL, 0, NULL);
}

int
socket_poll_wait(
	struct socket_poll *poll, struct socket_poll_event *events, int count, int timeout_ms) {
	struct kevent found[EVENTS_MAX];
	struct timespec limit = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = (long)(timeout_ms % 1000) * 1000000,
	};
	if (count > EVENTS_MAX)
		count = EVENTS_MAX;
	int n = kevent(poll->fd, NULL, 0, found, count, timeout_ms < 0 ? NULL : &limit);
	int stored = 0;
	for (int i = 0; i < n; i++) {
		if (found[i].filter == EVFILT_USER)
			continue;
		int ready = found[i].filter == EVFILT_WRITE ? SOCKET_POLL_WRITE : SOCKET_POLL_READ;
		if ((found[i].flags & EV_EOF) && found[i].fflags != 0)
			ready |= SOCKET_POLL_HANGUP;
		events[stored].id = (int)(intptr_t)found[i].udata;
		events[stored].ready = ready;
		stored++;
	}
	return stored;
}

void
socket_poll_wake(struct socket_poll *poll) {
	struct kevent change;
	EV_SET(&change, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
	kevent(poll->fd, &change, 1, NULL, 0, NULL);
}
