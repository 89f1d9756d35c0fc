/* kqueue and kevent on top of epoll and inotify, as far as socket_kqueue.c and file_watch.c use
 * them, so that they can be built and run on Linux: EVFILT_READ, EVFILT_WRITE, EVFILT_USER and
 * EVFILT_VNODE. On systems with kqueue, the real thing. */
#ifndef TEST_KQUEUE_SHIM_H
#define TEST_KQUEUE_SHIM_H

#ifndef __linux__
#include <sys/event.h>
#else
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct kevent {
	uintptr_t ident;
	short filter;
	unsigned short flags;
	unsigned int fflags;
	intptr_t data;
	void *udata;
};

#define EVFILT_READ  (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_VNODE (-4)
#define EVFILT_USER  (-11)

#define EV_ADD    0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR  0x0020
#define EV_EOF    0x8000

#define NOTE_TRIGGER 0x01000000u
#define NOTE_DELETE  0x0001u
#define NOTE_WRITE   0x0002u
#define NOTE_EXTEND  0x0004u
#define NOTE_RENAME  0x0020u

#define EV_SET(event, id, filter_, flags_, fflags_, data_, udata_) \
	do {                                                       \
		struct kevent *event_ = (event);                   \
		event_->ident = (uintptr_t)(id);                   \
		event_->filter = (short)(filter_);                 \
		event_->flags = (unsigned short)(flags_);          \
		event_->fflags = (fflags_);                        \
		event_->data = (data_);                            \
		event_->udata = (udata_);                          \
	} while (0)

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout);

/* Closing ends a queue, and what is asked about a descriptor, at once. */
int kqueue_shim_close(int fd);
#ifndef KQUEUE_SHIM_C
#define close kqueue_shim_close
#endif
#endif

#endif
