/* Readiness through epoll. The wake descriptor is an edge-triggered eventfd that is never read:
 * each write is a new edge.
 */
#include "io/socket_poll.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 256

int
socket_poll_open(struct socket_poll *poll, struct skynet_error *error) {
	poll->wake_fd = -1;
	poll->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll->fd < 0)
		return error_set_errno(
			error, SKYNET_ESYSTEM, errno, "cannot create an epoll descriptor");
	poll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poll->wake_fd < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot create an event descriptor");
		goto fail;
	}
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0};
	if (epoll_ctl(poll->fd, EPOLL_CTL_ADD, poll->wake_fd, &event) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot poll an event descriptor");
		goto fail;
	}
	return SKYNET_OK;
fail:
	socket_poll_close(poll);
	return SKYNET_ESYSTEM;
}

void
socket_poll_close(struct socket_poll *poll) {
	if (poll->wake_fd >= 0)
		close(poll->wake_fd);
	if (poll->fd >= 0)
		close(poll->fd);
	poll->fd = poll->wake_fd = -1;
}

int
socket_poll_set(struct socket_poll *poll, int fd, int id, int old, int interest) {
	if (old == interest)
		return 0;
	struct epoll_event event = {.data.u64 = (uint64_t)(uint32_t)id};
	if (interest & SOCKET_POLL_READ)
		event.events |= EPOLLIN;
	if (interest & SOCKET_POLL_WRITE)
		event.events |= EPOLLOUT;
	int operation = interest == 0 ? EPOLL_CTL_DEL : old == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	return epoll_ctl(poll->fd, operation, fd, &event);
}

int
socket_poll_wait(
	struct socket_poll *poll, struct socket_poll_event *events, int count, int timeout_ms) {
	struct epoll_event found[EVENTS_MAX];
	if (count > EVENTS_MAX)
		count = EVENTS_MAX;
	int n = epoll_wait(poll->fd, found, count, timeout_ms);
	int stored = 0;
	for (int i = 0; i < n; i++) {
		if (found[i].data.u64 == 0)
			continue; /* the wake descriptor */
		uint32_t flags = found[i].events;
		int ready = 0;
		if (flags & EPOLLIN)
			ready |= SOCKET_POLL_READ;
		if (flags & EPOLLOUT)
			ready |= SOCKET_POLL_WRITE;
		if (flags & (EPOLLERR | EPOLLHUP))
			ready |= SOCKET_POLL_HANGUP;
		events[stored].id = (int)(uint32_t)found[i].data.u64;
		events[stored].ready = ready;
		stored++;
	}
	return stored;
}

void
socket_poll_wake(struct socket_poll *poll) {
	uint64_t one = 1;
	/* This fails only when the counter is full, and then an earlier write has woken the poller.
	 */
	ssize_t written = write(poll->wake_fd, &one, sizeof(one));
	(void)written;
}
