// wrap: epoll_create1 eventfd epoll_ctl open socket bind listen connect fcntl pthread_create
// wrap: inotify_init1 inotify_add_watch accept4 setsockopt getsockname getsockopt unlink
/* Each system call of each constructor fails once, and descriptors run out. */
#include "socket_fixture.h"

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- injection ---- */

enum call {
	CALL_NONE,
	CALL_EPOLL_CREATE,
	CALL_EVENTFD,
	CALL_EPOLL_CTL,
	CALL_OPEN,
	CALL_SOCKET,
	CALL_BIND,
	CALL_LISTEN,
	CALL_CONNECT,
	CALL_FCNTL,
	CALL_THREAD,
	CALL_INOTIFY_INIT,
	CALL_INOTIFY_ADD,
	CALL_ACCEPT,
	CALL_SETSOCKOPT,
	CALL_GETSOCKNAME,
	CALL_GETSOCKOPT,
	CALL_UNLINK,
	CALL_COUNT
};

/* The next `fail_count` calls of `fail_call`, after `fail_skip` of them, fail with `fail_errno`. */
static enum call fail_call;
static int fail_skip, fail_count, fail_errno;
static int nodelay_count; /* calls of setsockopt for TCP_NODELAY */

static void
fail_next(enum call call, int skip, int system_errno) {
	fail_call = call;
	fail_skip = skip;
	fail_count = 1;
	fail_errno = system_errno;
}

static bool
fails(enum call call) {
	if (call != fail_call || fail_count == 0 || fail_skip-- > 0)
		return false;
	fail_count--;
	errno = fail_errno;
	return true;
}

#define WRAP(call, result, name, parameters, arguments)                    \
	result __real_##name parameters;                                   \
	result __wrap_##name parameters;                                   \
	result __wrap_##name parameters {                                  \
		return fails(call) ? (result)-1 : __real_##name arguments; \
	}

WRAP(CALL_EPOLL_CREATE, int, epoll_create1, (int flags), (flags))
WRAP(CALL_EVENTFD, int, eventfd, (unsigned count, int flags), (count, flags))
WRAP(CALL_EPOLL_CTL, int, epoll_ctl, (int set, int op, int fd, struct epoll_event *event),
	(set, op, fd, event))
WRAP(CALL_SOCKET, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(CALL_BIND, int, bind, (int fd, const struct sockaddr *at, socklen_t size), (fd, at, size))
WRAP(CALL_LISTEN, int, listen, (int fd, int backlog), (fd, backlog))
WRAP(CALL_CONNECT, int, connect, (int fd, const struct sockaddr *to, socklen_t size),
	(fd, to, size))
WRAP(CALL_INOTIFY_INIT, int, inotify_init1, (int flags), (flags))
WRAP(CALL_INOTIFY_ADD, int, inotify_add_watch, (int fd, const char *path, uint32_t mask),
	(fd, path, mask))
WRAP(CALL_ACCEPT, int, accept4, (int fd, struct sockaddr *from, socklen_t *size, int flags),
	(fd, from, size, flags))

WRAP(CALL_GETSOCKNAME, int, getsockname, (int fd, struct sockaddr *name, socklen_t *size),
	(fd, name, size))
WRAP(CALL_GETSOCKOPT, int, getsockopt,
	(int fd, int level, int option, void *value, socklen_t *size),
	(fd, level, option, value, size))
WRAP(CALL_UNLINK, int, unlink, (const char *path), (path))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, int mode);
int
__wrap_open(const char *path, int flags, int mode) {
	return fails(CALL_OPEN) ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, long argument);
int
__wrap_fcntl(int fd, int command, long argument) {
	return fails(CALL_FCNTL) ? -1 : __real_fcntl(fd, command, argument);
}

int __real_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *ud);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *ud);
int
__wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *ud) {
	if (fails(CALL_THREAD))
		return EAGAIN;
	return __real_pthread_create(thread, attributes, run, ud);
}

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int
__wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
	if (level == IPPROTO_TCP && option == 1 /* TCP_NODELAY */)
		nodelay_count++;
	if (fails(CALL_SETSOCKOPT))
		return -1;
	return __real_setsockopt(fd, level, option, value, size);
}

static int
setup_calm(void **state) {
	fail_count = 0;
	return setup(state);
}

/* ---- constructors ---- */

static void
no_server_without_its_descriptors(void **state) {
	(void)state;
	static const struct {
		enum call call;
		const char *text;
	} faults[] = {
		{CALL_EPOLL_CREATE, "epoll"},
		{CALL_EVENTFD, "event"},
		{CALL_EPOLL_CTL, "event"},
		{CALL_OPEN, "/dev/null"},
	};
	int before = count_descriptors();
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct skynet_error error = {0};
		fail_next(faults[i].call, 0, EMFILE);
		assert_null(socket_server_create(NULL, &error));
		assert_int_equal(error.code, SKYNET_ESYSTEM);
		assert_non_null(strstr(error.text, faults[i].text));
		assert_non_null(strstr(error.text, "oo many open files"));
		assert_int_equal(count_descriptors(), before);
	}
	fail_count = 0;
}

static void
no_listener_when_a_call_fails(void **state) {
	struct fixture *f = *state;
	static const enum call calls[] = {CALL_SOCKET, CALL_BIND, CALL_LISTEN};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct skynet_error error = {0};
		fail_next(calls[i], 0, EACCES);
		assert_int_equal(
			socket_server_listen(f->server, f->owner, "127.0.0.1", 0, 1, &error), -1);
		assert_int_equal(error.code, SKYNET_ESYSTEM);
		assert_non_null(strstr(error.text, "ermission denied"));
		assert_int_equal(count_descriptors(), f->descriptors);
	}
}

/* An option that cannot be set or asked for is not worth a listener; a file in the way is. */
static void
a_listener_needs_no_options_but_its_place(void **state) {
	struct fixture *f = *state;
	struct skynet_error error;
	char folder[] = "/tmp/test_socket_fault.XXXXXX", host[128];
	fail_next(CALL_SETSOCKOPT, 0, ENOPROTOOPT);
	int id = socket_server_listen(f->server, f->owner, "127.0.0.1", 0, 1, &error);
	assert_true(EXPECT(f, CONNECT, id, NULL) > 0);
	fail_next(CALL_GETSOCKNAME, 0, ENOBUFS);
	id = socket_server_listen(f->server, f->owner, "127.0.0.1", 0, 1, &error);
	EXPECT(f, CONNECT, id, NULL);

	assert_non_null(mkdtemp(folder));
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", folder);
	snprintf(host, sizeof(host), "unix:%s", at.sun_path);
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(stale, (struct sockaddr *)&at, sizeof(at)), 0);
	close(stale);
	static const enum call calls[] = {CALL_UNLINK, CALL_SOCKET};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fail_next(calls[i], 0, EACCES);
		assert_int_equal(socket_server_listen(f->server, f->owner, host, 0, 1, &error), -1);
		assert_non_null(strstr(error.text, host));
	}
	id = socket_server_listen(f->server, f->owner, host, 0, 1, &error);
	EXPECT(f, CONNECT, id, NULL);
	unlink(at.sun_path);
	rmdir(folder);
}

static void
no_datagram_socket_when_a_call_fails(void **state) {
	struct fixture *f = *state;
	struct skynet_error error;
	fail_next(CALL_SOCKET, 0, ENFILE);
	assert_int_equal(socket_server_udp(f->server, f->owner, NULL, 0, &error), -1);
	fail_next(CALL_BIND, 0, EACCES);
	assert_int_equal(socket_server_udp_listen(f->server, f->owner, "127.0.0.1", 0, &error), -1);
	fail_next(CALL_CONNECT, 0, ENETUNREACH);
	assert_int_equal(socket_server_udp_dial(f->server, f->owner, "127.0.0.1", 9, &error), -1);
	assert_non_null(strstr(error.text, "etwork is unreachable"));
	fail_next(CALL_SOCKET, 0, ENFILE);
	assert_int_equal(socket_server_udp_dial(f->server, f->owner, "127.0.0.1", 9, &error), -1);
	assert_int_equal(count_descriptors(), f->descriptors);
}

static void
a_connection_whose_calls_fail_is_an_error_event(void **state) {
	struct fixture *f = *state;
	int port, listener = peer_listen(&port);
	static const struct {
		enum call call;
		int number;
	} faults[] = {{CALL_SOCKET, EMFILE}, {CALL_CONNECT, ENETUNREACH}, {CALL_EPOLL_CTL, ENOMEM}};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		fail_next(faults[i].call, 0, faults[i].number);
		int id = socket_server_connect(f->server, f->owner, "127.0.0.1", port);
		EXPECT(f, ERROR, id, strerror(faults[i].number));
	}
	/* An old form of 127.0.0.1: a name to us, known to the resolver without any file. */
	fail_next(CALL_THREAD, 0, EAGAIN);
	int id = socket_server_connect(f->server, f->owner, "127.1", port);
	EXPECT(f, ERROR, id, "cannot start a resolver thread");
	id = socket_server_connect(f->server, f->owner, "127.1", port);
	EXPECT(f, CONNECT, id, NULL);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	close(listener);
	assert_int_equal(count_descriptors(), f->descriptors);
}

static void
a_watch_or_start_whose_calls_fail_is_an_error(void **state) {
	struct fixture *f = *state;
	struct skynet_error error;
	fail_next(CALL_INOTIFY_INIT, 0, EMFILE);
	assert_int_equal(socket_server_watch(f->server, f->owner, "/tmp/x", &error), -1);
	fail_next(CALL_INOTIFY_ADD, 0, ENOSPC);
	assert_int_equal(socket_server_watch(f->server, f->owner, "/tmp/x", &error), -1);
	assert_non_null(strstr(error.text, "/tmp/x"));
	fail_next(CALL_EPOLL_CTL, 0, ENOSPC);
	int id = socket_server_watch(f->server, f->owner, "/tmp/x", &error);
	EXPECT(f, ERROR, id, strerror(ENOSPC));
	id = socket_server_listen(f->server, f->owner, "127.0.0.1", 0, 1, NULL);
	EXPECT(f, CONNECT, id, NULL);
	fail_next(CALL_EPOLL_CTL, 0, ENOMEM);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, ERROR, id, strerror(ENOMEM));
	assert_int_equal(count_descriptors(), f->descriptors);
}

static void
a_socket_that_only_waits_for_its_peer_gives_its_descriptor_away(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	int first = peer_dial(port);
	int id = EXPECT(f, ACCEPT, listener, NULL);
	socket_server_start(f->server, f->owner, id);
	EXPECT(f, CONNECT, id, "start");
	assert_int_equal(send_text(f, id, "bye"), 0);
	socket_server_close(f->server, id);
	EXPECT(f, CLOSE, id, NULL);
	assert_int_equal(info_of(f, id).type, SOCKET_INFO_CLOSING);
	fail_next(CALL_ACCEPT, 0, EMFILE);
	int second = peer_dial(port);
	EXPECT(f, ACCEPT, listener, NULL);
	assert_int_equal(info_of(f, id).id, 0);
	assert_int_equal(info_of(f, listener).dropped, 0);
	peer_expect(f, first, "bye");
	close(first);
	close(second);
}

static void
a_failed_accept_leaves_the_listener_alive(void **state) {
	struct fixture *f = *state;
	static const int errors[] = {ECONNABORTED, EINTR, EPROTO, EAGAIN, EPERM};
	int port, listener = start_listener(f, &port);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fail_next(CALL_ACCEPT, 0, errors[i]);
		int peer = peer_dial(port);
		EXPECT(f, ACCEPT, listener, NULL);
		close(peer);
	}
	fail_next(CALL_ACCEPT, 0, EMFILE); /* the one that knocks is refused, the next is not */
	int peer = peer_dial(port);
	EXPECT(f, ERROR, listener, strerror(EMFILE));
	assert_true(peer_drain(f, peer) <= 0);
	close(peer);
	peer = peer_dial(port);
	EXPECT(f, ACCEPT, listener, NULL);
	close(peer);
}

static void
options_are_set_when_there_is_a_connection(void **state) {
	struct fixture *f = *state;
	int port, listener = start_listener(f, &port);
	nodelay_count = 0;
	int id = socket_server_connect(f->server, f->owner, "127.0.0.1", port);
	socket_server_nodelay(f->server, id);
	assert_int_equal(nodelay_count, 0);
	EXPECT(f, CONNECT, id, NULL);
	assert_int_equal(nodelay_count, 1);
	EXPECT(f, ACCEPT, listener, NULL);
	socket_server_nodelay(f->server, listener); /* those it accepts from now on */
	id = socket_server_connect(f->server, f->owner, "127.0.0.1", port);
	EXPECT(f, ACCEPT, listener, NULL);
	assert_int_equal(nodelay_count, 2);
}

/* ---- running out of descriptors ---- */

#define CLIENTS   3000
#define SPARE_FDS 1000

/* Connects CLIENTS times and writes a byte to `out` when done; waits for `in` to close. */
static void
run_clients(int port, int in, int out) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	char byte = 0;
	for (int i = 0; i < CLIENTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
				      errno != EINPROGRESS))
			_exit(2);
	}
	if (write(out, &byte, 1) != 1)
		_exit(3);
	_exit(read(in, &byte, 1) == 0 ? 0 : 4);
}

static void
connections_beyond_the_descriptors_are_shed(void **state) {
	struct fixture *f = *state;
	int port, to_child[2], from_child[2];
	int listener = socket_server_listen(f->server, f->owner, "127.0.0.1", 0, CLIENTS, NULL);
	port = EXPECT(f, CONNECT, listener, NULL);
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	pid_t child = fork();
	if (child == 0) {
		close(to_child[1]);
		run_clients(port, to_child[0], from_child[1]);
	}
	close(to_child[0]);
	close(from_child[1]);
	char byte;
	assert_int_equal(read(from_child[0], &byte, 1), 1);

	struct rlimit before, low;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)(count_descriptors() + SPARE_FDS);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	socket_server_start(f->server, f->owner, listener);

	/* Every one of them is either accepted or refused, and the poller does not spin. */
	uint64_t seen = 0, begin = test_now_ms();
	int polls = 0;
	for (uint64_t until = begin + DEADLINE_MS; seen < CLIENTS; polls++) {
		assert_true(test_now_ms() < until);
		poll_once(f, 100);
		struct socket_info info = info_of(f, listener);
		seen = info.read + info.dropped;
		if (polls > 200 && seen + 64 > CLIENTS)
			break; /* a full backlog makes some of them knock later */
	}
	struct socket_info info = info_of(f, listener);
	assert_true(info.read >= SPARE_FDS - 50);
	assert_true(info.read <= SPARE_FDS + 3); /* ".", ".." and the folder were counted */
	assert_true(info.dropped > SPARE_FDS);
	assert_true(polls < 2000);
	struct recorded *item = take_event(f, SOCKET_EVENT_ERROR, listener);
	assert_non_null(item);
	assert_string_equal(item->event.data, strerror(EMFILE));
	recorded_free(item);
	/* It refused a lot of them several times, and said so once a second. */
	uint64_t seconds = (test_now_ms() - begin) / 1000, told = 0;
	while ((item = take_event(f, SOCKET_EVENT_ERROR, listener)) != NULL) {
		recorded_free(item);
		told++;
	}
	assert_true(told <= seconds);

	/* With room again, the listener takes new ones. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	int peer = peer_dial(port);
	uint64_t accepted = info_of(f, listener).read;
	POLL_UNTIL(f, info_of(f, listener).read > accepted);
	close(peer);
	close(to_child[1]);
	close(from_child[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_calm, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_server_without_its_descriptors),
		CASE(no_listener_when_a_call_fails),
		CASE(a_listener_needs_no_options_but_its_place),
		CASE(no_datagram_socket_when_a_call_fails),
		CASE(a_connection_whose_calls_fail_is_an_error_event),
		CASE(a_watch_or_start_whose_calls_fail_is_an_error),
		CASE(a_failed_accept_leaves_the_listener_alive),
		CASE(a_socket_that_only_waits_for_its_peer_gives_its_descriptor_away),
		CASE(options_are_set_when_there_is_a_connection),
		CASE(connections_beyond_the_descriptors_are_shed),
	};
	return cmocka_run_group_tests_name("socket_fault", tests, NULL, NULL);
}
