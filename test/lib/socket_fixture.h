/* A socket server that the test polls itself, and plain blocking sockets as its peers.
 * Events are kept in the order they came; `expect` polls until one of the wanted kind is there.
 */
#ifndef TEST_SOCKET_FIXTURE_H
#define TEST_SOCKET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/socket_server.h"
#include "skynet_malloc.h"

#define DEADLINE_MS 20000
#define ANY_ID      0

struct recorded {
	struct recorded *next;
	struct socket_event event; /* `data` is owned, also text; NUL-terminated */
};

struct fixture {
	struct socket_server *server;
	struct recorded *first;
	struct socket_owner owner;
	int node; /* its address is the node of `owner` */
	uint64_t data_total;
	int descriptors;
};

static inline int
count_descriptors(void) {
	int count = 0;
	DIR *folder = opendir("/proc/self/fd");
	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

static inline uint64_t
test_now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void
record_event(void *ud, const struct socket_event *event) {
	struct fixture *f = ud;
	struct recorded *item = malloc(sizeof(*item));
	struct recorded **last = &f->first;
	item->next = NULL;
	item->event = *event;
	item->event.data = malloc(event->size + (size_t)event->udp_address_size + 1);
	if (event->size > 0 || event->udp_address_size > 0)
		memcpy(item->event.data, event->data,
			event->size + (size_t)event->udp_address_size);
	item->event.data[event->size + (size_t)event->udp_address_size] = '\0';
	item->event.udp_address = item->event.data + event->size;
	if (event->type == SOCKET_EVENT_DATA || event->type == SOCKET_EVENT_UDP) {
		assert_int_equal(event->ud, (int)event->size);
		skynet_free(event->data);
	}
	if (event->type == SOCKET_EVENT_DATA)
		f->data_total += event->size;
	while (*last != NULL)
		last = &(*last)->next;
	*last = item;
}

static inline void
recorded_free(struct recorded *item) {
	free(item->event.data);
	free(item);
}

/* Takes the first recorded event of that type (and id), NULL when there is none. */
static inline struct recorded *
take_event(struct fixture *f, int type, int id) {
	for (struct recorded **link = &f->first; *link != NULL; link = &(*link)->next) {
		struct recorded *item = *link;
		if (item->event.type == type && (id == ANY_ID || item->event.id == id)) {
			*link = item->next;
			return item;
		}
	}
	return NULL;
}

static inline void
poll_once(struct fixture *f, int timeout_ms) {
	socket_server_poll(f->server, timeout_ms, record_event, f);
}

/* Polls until nothing more happens for now. */
static inline void
settle(struct fixture *f) {
	while (socket_server_poll(f->server, 0, record_event, f) > 0)
		;
}

static inline struct recorded *
expect_event(struct fixture *f, int type, int id, const char *file, int line) {
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	for (;;) {
		struct recorded *item = take_event(f, type, id);
		if (item != NULL)
			return item;
		if (test_now_ms() >= deadline) {
			for (item = f->first; item != NULL; item = item->next)
				print_message("# recorded type %d id %d ud %d '%.60s'\n",
					item->event.type, item->event.id, item->event.ud,
					item->event.data);
			print_message("# %s:%d: no event %d of socket %d\n", file, line, type, id);
			_fail(file, line);
		}
		poll_once(f, 50);
	}
}

/* Waits for an event, checks its text when `text` is not NULL, and returns its ud. */
static inline int
expect_text(struct fixture *f, int type, int id, const char *text, const char *file, int line) {
	struct recorded *item = expect_event(f, type, id, file, line);
	int ud = item->event.ud;
	if (text != NULL)
		_assert_string_equal(item->event.data, text, file, line);
	recorded_free(item);
	return ud;
}

#define EXPECT(f, type, id, text) expect_text(f, SOCKET_EVENT_##type, id, text, __FILE__, __LINE__)

#define POLL_UNTIL(f, condition)                               \
	do {                                                   \
		uint64_t until_ = test_now_ms() + DEADLINE_MS; \
		while (!(condition)) {                         \
			assert_true(test_now_ms() < until_);   \
			poll_once(f, 20);                      \
		}                                              \
	} while (0)

static inline int
fixture_create(void **state, const struct socket_server_config *config) {
	struct fixture *f = calloc(1, sizeof(*f));
	struct skynet_error error;
	f->server = socket_server_create(config, &error);
	if (f->server == NULL) {
		free(f);
		return -1;
	}
	f->owner = (struct socket_owner){.node = &f->node, .handle = 0x1000001};
	f->descriptors = count_descriptors();
	*state = f;
	return 0;
}

static inline int
setup(void **state) {
	return fixture_create(state, NULL);
}

static inline int
teardown(void **state) {
	struct fixture *f = *state;
	while (f->first != NULL) {
		struct recorded *item = f->first;
		f->first = item->next;
		recorded_free(item);
	}
	socket_server_destroy(f->server);
	free(f);
	return 0;
}

/* ---- peers ---- */

static inline int
peer_dial(int port) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* A blocking listener on loopback; stores its port. */
static inline int
peer_listen(int *port) {
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t size = sizeof(at);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static inline void
peer_write(int fd, const char *text) {
	size_t size = strlen(text);
	assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Reads until `text` has come, polling the server meanwhile. */
static inline void
peer_expect(struct fixture *f, int fd, const char *text) {
	size_t size = strlen(text), got = 0;
	char *buffer = calloc(1, size + 1);
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	while (got < size) {
		ssize_t n = recv(fd, buffer + got, size - got, MSG_DONTWAIT);
		if (n > 0)
			got += (size_t)n;
		else
			poll_once(f, 1);
		assert_true(test_now_ms() < deadline);
	}
	assert_string_equal(buffer, text);
	free(buffer);
}

/* Reads to the end, polling the server meanwhile. Returns the number of bytes; -1 for a reset. */
static inline long
peer_drain(struct fixture *f, int fd) {
	static char buffer[65536];
	long total = 0;
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n > 0)
			total += n;
		else if (n == 0)
			return total;
		else if (errno != EAGAIN)
			return -1;
		else
			poll_once(f, 1);
		assert_true(test_now_ms() < deadline);
	}
}

static inline void
peer_reset(int fd) {
	struct linger hard = {.l_onoff = 1, .l_linger = 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

/* ---- the server's side ---- */

static inline int
start_listener(struct fixture *f, int *port) {
	int id = socket_server_listen(f->server, f->owner, "127.0.0.1", 0, 32, NULL);
	assert_true(id > 0);
	*port = EXPECT(f, CONNECT, id, "127.0.0.1");
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	return id;
}

/* A started connection and the peer's descriptor. */
static inline int
make_pair(struct fixture *f, int *peer) {
	int port;
	int listener = start_listener(f, &port);
	*peer = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	socket_server_close(f->server, listener);
	EXPECT(f, CLOSE, listener, NULL);
	return id;
}

static inline int
send_text(struct fixture *f, int id, const char *text) {
	struct socket_sendbuffer buffer = {
		.id = id, .type = SOCKET_BUFFER_RAWPOINTER, .buffer = text, .sz = strlen(text)};
	return socket_server_send(f->server, NULL, &buffer);
}

static inline int
send_block(struct fixture *f, int id, size_t size, char fill) {
	char *block = skynet_malloc(size);
	memset(block, fill, size);
	struct socket_sendbuffer buffer = {
		.id = id, .type = SOCKET_BUFFER_MEMORY, .buffer = block, .sz = size};
	return socket_server_send(f->server, NULL, &buffer);
}

/* Statistics of one socket, zeroed when it is not listed. */
static inline struct socket_info
info_of(struct fixture *f, int id) {
	struct socket_info result = {0};
	struct socket_info *list = socket_server_info(f->server, NULL);
	for (struct socket_info *info = list; info != NULL; info = info->next)
		if (info->id == id)
			result = *info;
	result.next = NULL;
	socket_info_release(list);
	return result;
}

#endif
