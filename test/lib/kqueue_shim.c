/* See kqueue_shim.h. A queue is an epoll descriptor; what epoll cannot hold (a value per filter) is
 * in a table by descriptor number. A descriptor that was closed leaves the epoll set by itself; its
 * stale row is found when it is added again. Changes of files come from one inotify descriptor per
 * queue, which is in its epoll set. */
#define KQUEUE_SHIM_C
#include "kqueue_shim.h"

#ifdef __linux__
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUES_MAX 8
#define EVENTS_MAX 256
#define NODES_MAX  8 /* watched files and folders of a queue */
#define ENTRIES    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

struct row {
	bool read, write;
	void *read_udata, *write_udata;
};

/* EVFILT_VNODE of one descriptor. */
struct node {
	int fd;           /* 0: free */
	int watch;        /* number in the inotify descriptor */
	unsigned wanted;  /* NOTE_* */
	unsigned pending; /* of these */
	void *udata;
};

struct queue {
	int fd;        /* epoll; 0: free */
	int user_fd;   /* what NOTE_TRIGGER writes to */
	int change_fd; /* inotify; 0: none yet */
	struct node nodes[NODES_MAX];
	struct row *rows;
	size_t row_count;
};

static struct queue queues[QUEUES_MAX];
static pthread_mutex_t queues_lock = PTHREAD_MUTEX_INITIALIZER;

static struct queue *
queue_of(int fd) {
	for (int i = 0; i < QUEUES_MAX; i++)
		if (queues[i].fd == fd && fd > 0)
			return &queues[i];
	return NULL;
}

static void
clear_queue(struct queue *queue) {
	close(queue->user_fd);
	if (queue->change_fd > 0)
		close(queue->change_fd);
	free(queue->rows);
	*queue = (struct queue){.fd = 0};
}

/* The number may have been that of a queue that is closed now. */
static struct queue *
free_queue(int fd) {
	struct queue *queue = queue_of(fd);
	for (int i = 0; i < QUEUES_MAX && queue == NULL; i++)
		if (queues[i].fd == 0)
			queue = &queues[i];
	if (queue == NULL)
		abort();
	if (queue->fd != 0)
		clear_queue(queue);
	queue->fd = fd;
	return queue;
}

int
kqueue(void) {
	int fd = epoll_create1(0);
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&queues_lock);
	struct queue *queue = free_queue(fd);
	queue->user_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = queue->user_fd};
	if (queue->user_fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, queue->user_fd, &event) < 0)
		abort();
	pthread_mutex_unlock(&queues_lock);
	return fd;
}

static struct row *
row_of(struct queue *queue, uintptr_t ident) {
	if (ident >= queue->row_count) {
		size_t count = ident + 64;
		queue->rows = realloc(queue->rows, count * sizeof(struct row));
		memset(queue->rows + queue->row_count, 0,
			(count - queue->row_count) * sizeof(struct row));
		queue->row_count = count;
	}
	return &queue->rows[ident];
}

static int
apply_row(struct queue *queue, int fd, const struct row *row) {
	struct epoll_event event = {.data.fd = fd};
	event.events = (row->read ? EPOLLIN : 0u) | (row->write ? EPOLLOUT : 0u);
	if (event.events == 0)
		return epoll_ctl(queue->fd, EPOLL_CTL_DEL, fd, NULL);
	if (epoll_ctl(queue->fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return errno == ENOENT ? epoll_ctl(queue->fd, EPOLL_CTL_ADD, fd, &event) : -1;
}

static bool
is_polled(const struct queue *queue, int fd, const struct row *row) {
	struct epoll_event event = {.data.fd = fd};
	event.events = (row->read ? EPOLLIN : 0u) | (row->write ? EPOLLOUT : 0u);
	return epoll_ctl(queue->fd, EPOLL_CTL_MOD, fd, &event) == 0;
}

/* ---- files ---- */

static struct node *
node_of(struct queue *queue, int fd) {
	for (int i = 0; i < NODES_MAX; i++)
		if (queue->nodes[i].fd == fd)
			return &queue->nodes[i];
	return NULL;
}

static int
open_changes(struct queue *queue) {
	queue->change_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = queue->change_fd};
	if (queue->change_fd < 0 ||
		epoll_ctl(queue->fd, EPOLL_CTL_ADD, queue->change_fd, &event) < 0)
		abort();
	return 0;
}

static int
apply_node(struct queue *queue, const struct kevent *change) {
	char path[64];
	struct node *node = node_of(queue, (int)change->ident);
	if (!(change->flags & EV_ADD) || !(change->flags & EV_CLEAR))
		abort(); /* not used */
	if (queue->change_fd == 0)
		open_changes(queue);
	if (node == NULL)
		node = node_of(queue, 0);
	if (node == NULL)
		abort();
	/* The link leads to the file itself, whatever its name is now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)change->ident);
	int watch = inotify_add_watch(queue->change_fd, path,
		ENTRIES | IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
	if (watch < 0)
		return -1;
	*node = (struct node){.fd = (int)change->ident,
		.watch = watch,
		.wanted = change->fflags,
		.udata = change->udata};
	return 0;
}

static unsigned
notes_of(const struct node *node, uint32_t mask) {
	struct stat status;
	unsigned notes = 0;
	if (mask & ENTRIES)
		notes |= NOTE_WRITE;
	if (mask & IN_MODIFY)
		notes |= NOTE_WRITE | NOTE_EXTEND;
	if (mask & IN_MOVE_SELF)
		notes |= NOTE_RENAME;
	if ((mask & (IN_ATTRIB | IN_DELETE_SELF)) && fstat(node->fd, &status) == 0 &&
		status.st_nlink == 0)
		notes |= NOTE_DELETE;
	return notes & node->wanted;
}

/* Notes what inotify tells at each descriptor that it is about. */
static void
read_changes(struct queue *queue) {
	_Alignas(struct inotify_event) char buffer[4096];
	ssize_t size;
	while ((size = read(queue->change_fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			for (int i = 0; i < NODES_MAX; i++)
				if (queue->nodes[i].fd != 0 && queue->nodes[i].watch == event->wd)
					queue->nodes[i].pending |=
						notes_of(&queue->nodes[i], event->mask);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
}

static int
translate_changes(struct queue *queue, struct kevent *events, int room) {
	int count = 0;
	read_changes(queue);
	for (int i = 0; i < NODES_MAX && count < room; i++) {
		struct node *node = &queue->nodes[i];
		if (node->fd == 0 || node->pending == 0)
			continue;
		EV_SET(&events[count], node->fd, EVFILT_VNODE, EV_CLEAR, node->pending, 0,
			node->udata);
		node->pending = 0;
		count++;
	}
	return count;
}

int
kqueue_shim_close(int fd) {
	pthread_mutex_lock(&queues_lock);
	for (int i = 0; i < QUEUES_MAX; i++) {
		struct node *node = queues[i].fd > 0 ? node_of(&queues[i], fd) : NULL;
		bool shared = false;
		for (int j = 0; node != NULL && j < NODES_MAX; j++)
			shared = shared ||
				 (&queues[i].nodes[j] != node && queues[i].nodes[j].fd != 0 &&
					 queues[i].nodes[j].watch == node->watch);
		if (node != NULL && !shared)
			inotify_rm_watch(queues[i].change_fd, node->watch);
		if (node != NULL)
			*node = (struct node){.fd = 0};
	}
	struct queue *queue = queue_of(fd);
	if (queue != NULL)
		clear_queue(queue);
	int result = close(fd);
	pthread_mutex_unlock(&queues_lock);
	return result;
}

static int
apply_change(struct queue *queue, const struct kevent *change) {
	if (change->filter == EVFILT_VNODE)
		return apply_node(queue, change);
	if (change->filter == EVFILT_USER) {
		uint64_t one = 1;
		if (change->fflags & NOTE_TRIGGER)
			return write(queue->user_fd, &one, sizeof(one)) < 0 ? -1 : 0;
		return 0;
	}
	if (change->ident > 1 << 20) {
		errno = EBADF;
		return -1;
	}
	struct row *row = row_of(queue, change->ident);
	if ((row->read || row->write) && !is_polled(queue, (int)change->ident, row))
		*row = (struct row){.read = false}; /* of a descriptor that was closed */
	bool on = (change->flags & EV_ADD) != 0;
	bool *filter = change->filter == EVFILT_READ ? &row->read : &row->write;
	if (!on && !*filter) {
		errno = ENOENT;
		return -1;
	}
	*filter = on;
	if (change->filter == EVFILT_READ)
		row->read_udata = change->udata;
	else
		row->write_udata = change->udata;
	int result = apply_row(queue, (int)change->ident, row);
	if (result < 0 && on)
		*filter = false;
	return result;
}

static int
translate(struct queue *queue, const struct epoll_event *found, struct kevent *events, int room) {
	int count = 0;
	struct row *row = row_of(queue, (uintptr_t)found->data.fd);
	bool over = (found->events & (EPOLLERR | EPOLLHUP)) != 0;
	int flags = over ? EV_EOF : 0;
	if (found->data.fd == queue->user_fd) {
		EV_SET(&events[0], 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
		return 1;
	}
	if (queue->change_fd > 0 && found->data.fd == queue->change_fd)
		return translate_changes(queue, events, room);
	if (row->read && (over || (found->events & EPOLLIN)) && count < room) {
		EV_SET(&events[count], found->data.fd, EVFILT_READ, flags, 0, 0, row->read_udata);
		count++;
	}
	if (row->write && (over || (found->events & EPOLLOUT)) && count < room) {
		EV_SET(&events[count], found->data.fd, EVFILT_WRITE, flags, 0, 0, row->write_udata);
		count++;
	}
	return count;
}

int
kevent(int fd, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout) {
	int result = 0;
	pthread_mutex_lock(&queues_lock);
	struct queue *queue = queue_of(fd);
	if (queue == NULL) {
		errno = EBADF;
		result = -1;
	}
	for (int i = 0; i < change_count && result == 0; i++)
		result = apply_change(queue, &changes[i]);
	pthread_mutex_unlock(&queues_lock);
	if (result < 0 || event_count == 0)
		return result;

	struct epoll_event found[EVENTS_MAX];
	/* Each may become two. */
	int most = event_count / 2 < EVENTS_MAX ? (event_count + 1) / 2 : EVENTS_MAX;
	int timeout_ms = -1;
	if (timeout != NULL)
		timeout_ms = (int)(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000);
	int n = epoll_wait(fd, found, most, timeout_ms);
	if (n < 0)
		return -1;
	pthread_mutex_lock(&queues_lock);
	for (int i = 0; i < n; i++)
		result += translate(queue, &found[i], events + result, event_count - result);
	pthread_mutex_unlock(&queues_lock);
	return result;
}
#endif
