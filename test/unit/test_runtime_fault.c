// wrap: pthread_condattr_init pthread_cond_init pthread_create
// wrap: open getrlimit setrlimit epoll_create1 eventfd epoll_ctl
/* A runtime with a node is brought up and ended again and again, and each time another of its
 * system calls fails: it comes up all the same, or says why not and leaves nothing behind. Mutexes
 * with default attributes cannot fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "skynet.h"
#include "skynet_node.h"
#include "skynet_server.h"

#define WORKERS         3
#define CALLS_MAX       400 /* more than a runtime makes until it is up */
#define THREADS_GONE_MS 20000

/* The entries of /proc/self/task beside "." and "..": this thread, and one that a sanitizer has. */
#if defined(__SANITIZE_THREAD__)
#define OWN_THREADS (2 + 2)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OWN_THREADS (2 + 2)
#endif
#endif
#ifndef OWN_THREADS
#define OWN_THREADS (2 + 1)
#endif

/* ---- injection ---- */

static atomic_int call_number; /* of the calls below, since it was set to 0 */
static int failing_call;       /* 0: none */
static _Atomic(const char *) failed_name;
static atomic_bool armed; /* only between the begin of the creation and the end of the start */

static bool
fails(const char *name) {
	if (!armed || atomic_fetch_add(&call_number, 1) + 1 != failing_call)
		return false;
	failed_name = name;
	errno = ENOMEM;
	return true;
}

#define WRAP(failure, name, parameters, arguments)                         \
	int __real_##name parameters;                                      \
	int __wrap_##name parameters;                                      \
	int __wrap_##name parameters {                                     \
		return fails(#name) ? (failure) : __real_##name arguments; \
	}

WRAP(ENOMEM, pthread_condattr_init, (pthread_condattr_t * attributes), (attributes))
WRAP(ENOMEM, pthread_cond_init, (pthread_cond_t * cond, const pthread_condattr_t *attributes),
	(cond, attributes))
WRAP(EAGAIN, pthread_create,
	(pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *ud),
	(thread, attributes, run, ud))
WRAP(-1, getrlimit, (int resource, struct rlimit *limit), (resource, limit))
WRAP(-1, setrlimit, (int resource, const struct rlimit *limit), (resource, limit))
#ifndef SOCKET_KQUEUE_HEADER
struct epoll_event;
WRAP(-1, epoll_create1, (int flags), (flags))
WRAP(-1, eventfd, (unsigned count, int flags), (count, flags))
WRAP(-1, epoll_ctl, (int set, int operation, int fd, struct epoll_event *event),
	(set, operation, fd, event))
#else
struct kevent;
WRAP(-1, kqueue, (void), ())
WRAP(-1, kevent,
	(int queue, const struct kevent *changes, int change_count, struct kevent *events,
		int event_count, const struct timespec *timeout),
	(queue, changes, change_count, events, event_count, timeout))

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, long argument);
int
__wrap_fcntl(int fd, int command, long argument) {
	return fails("fcntl") ? -1 : __real_fcntl(fd, command, argument);
}
#endif

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, int mode);
int
__wrap_open(const char *path, int flags, int mode) {
	return fails("open") ? -1 : __real_open(path, flags, mode);
}

/* ---- what is brought up ---- */

static int
quiet_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context, (void)ud, (void)type, (void)session, (void)source, (void)message, (void)size;
	return 0;
}

static int
quiet_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	skynet_callback(context, NULL, quiet_message);
	return 0;
}

static const struct skynet_builtin builtins[] = {{.name = "quiet", .init = quiet_init}};

enum stage { UP, NO_RUNTIME, NO_THREADS, NO_NODE };

static enum stage
bring_up(int workers, struct skynet_error *error) {
	const struct skynet_runtime_config runtime_config = {.workers = workers};
	const struct skynet_config config = {
		.thread = 1,
		.harbor = 1,
		.logservice = "quiet",
		.bootstrap = "quiet",
		.shutdown_timeout_ms = 1000,
		.builtins = builtins,
		.builtin_count = 1,
	};
	enum stage stage = UP;
	struct skynet_runtime *runtime = skynet_runtime_create(&runtime_config, error);
	if (runtime == NULL)
		return NO_RUNTIME;
	if (skynet_runtime_start(runtime, error) != 0)
		stage = NO_THREADS;
	else if (skynet_node_create(runtime, &config, error) == NULL)
		stage = NO_NODE;
	armed = false;
	if (stage == UP) {
		skynet_runtime_stop(runtime, false);
		assert_int_equal(skynet_runtime_wait(runtime), 0);
	}
	skynet_runtime_destroy(runtime);
	return stage;
}

static enum stage
bring_up_failing(int workers, int call, struct skynet_error *error) {
	failed_name = NULL;
	failing_call = call;
	atomic_store(&call_number, 0);
	armed = true;
	enum stage stage = bring_up(workers, error);
	armed = false;
	return stage;
}

static int
count_entries(const char *path) {
	int count = 0;
	DIR *folder = opendir(path);
	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* A thread that has been joined may stand in the kernel's list for a moment still. */
static void
assert_threads_gone(void) {
	for (int tries = 0; tries < THREADS_GONE_MS; tries++) {
		if (count_entries("/proc/self/task") <= OWN_THREADS)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	assert_true(count_entries("/proc/self/task") <= OWN_THREADS);
}

/* ---- cases ---- */

static void
each_system_call_may_fail(void **state) {
	(void)state;
	struct skynet_error error;
	int refused = 0, call = 0;
	/* What a first run makes once and for all is not to be counted. */
	assert_int_equal(bring_up_failing(WORKERS, 0, &error), UP);
	assert_threads_gone();
	int descriptors = count_entries("/proc/self/fd");
	do {
		error = (struct skynet_error){0};
		enum stage stage = bring_up_failing(WORKERS, ++call, &error);
		if (stage != UP) {
			refused++;
			assert_non_null(failed_name);
			assert_true(error.code < 0);
			assert_true(strlen(error.text) > 0);
		}
		assert_int_equal(count_entries("/proc/self/fd"), descriptors);
		assert_threads_gone();
		assert_true(call < CALLS_MAX);
	} while (failed_name != NULL);
	/* the queue or event descriptor, /dev/null, and one for each thread */
	assert_true(refused >= 2 + 2 + WORKERS);
}

static void
a_node_comes_up_after_all_of_them(void **state) {
	(void)state;
	struct skynet_error error;
	assert_int_equal(bring_up_failing(0, 0, &error), UP);
	assert_int_equal(bring_up_failing(WORKERS, 0, &error), UP);
}

/* Lets the first call of that name fail whose failure leads to `expected`. */
static void
fail_first(const char *name, enum stage expected, struct skynet_error *error) {
	for (int call = 1; call < CALLS_MAX; call++) {
		enum stage stage = bring_up_failing(0, call, error);
		if (failed_name != NULL && strcmp(failed_name, name) == 0 && stage == expected)
			return;
	}
	fail_msg("'%s' is never called so that this comes of it", name);
}

static void
descriptor_limits_that_cannot_be_changed_are_kept(void **state) {
	(void)state;
	struct skynet_error error;
	struct rlimit before, low;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 100; /* so that there is something to raise */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	fail_first("getrlimit", UP, &error);
	/* the calls before have raised it */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	int call = 0;
	do {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		enum stage stage = bring_up_failing(0, ++call, &error);
		assert_true(call < CALLS_MAX);
		if (failed_name != NULL && strcmp(failed_name, "setrlimit") == 0)
			assert_int_equal(stage, UP);
	} while (failed_name == NULL || strcmp(failed_name, "setrlimit") != 0);
	struct rlimit after;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
	assert_int_equal(after.rlim_cur, low.rlim_cur);
	assert_int_equal(bring_up_failing(0, 0, &error), UP);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
	assert_int_equal(after.rlim_cur, before.rlim_max);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void
what_cannot_be_had_is_named(void **state) {
	(void)state;
	struct skynet_error error = {0};
	fail_first("open", NO_RUNTIME, &error);
	assert_non_null(strstr(error.text, "/dev/null"));
	for (int call = 1; call < CALLS_MAX; call++) {
		enum stage stage = bring_up_failing(WORKERS, call, &error);
		if (failed_name != NULL && strcmp(failed_name, "pthread_create") == 0) {
			assert_int_equal(stage, NO_THREADS);
			assert_non_null(strstr(error.text, "thread"));
			assert_non_null(strstr(error.text, strerror(EAGAIN)));
			return;
		}
	}
	fail_msg("no thread is ever created");
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_system_call_may_fail),
		cmocka_unit_test(a_node_comes_up_after_all_of_them),
		cmocka_unit_test(descriptor_limits_that_cannot_be_changed_are_kept),
		cmocka_unit_test(what_cannot_be_had_is_named),
	};
	return cmocka_run_group_tests_name("runtime_fault", tests, NULL, NULL);
}
