/* service-src/clustersender_link.c: when a peer counts as lost, under a clock that the test moves.
 * The peer is a socket of the test; a service of the test stands for clusterd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cluster_frame.h"
#include "skynet.h"
#include "skynet_server.h"
#include "stepped_node.h"

#define NS_PER_S   UINT64_C(1000000000)
#define BEAT_S     5 /* the default */
#define DEADLINE_S 30
#define STEP_MS    10

void *clustersender_create(void);
int clustersender_init(void *sender, struct skynet_context *context, const char *param);
void clustersender_release(void *sender);

struct fixture {
	struct stepped_node stepped;
	struct skynet_context *daemon;
	char folder[64], path[96];
	int listener, peer;
	int ups, downs; /* what the sender has said about the connection */
};

/* The services below find their fixture here; one test at a time. */
static struct fixture *fixture;

/* ---- what stands for clusterd ---- */

static int
daemon_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	char answer[128];
	(void)ud, (void)type;
	if (session != 0) {
		int length = snprintf(answer, sizeof answer, "unix:%s 0 0", fixture->path);
		skynet_send(context, 0, source, PTYPE_RESPONSE, session, answer, (size_t)length);
	} else if (size >= 3 && memcmp(message, "up ", 3) == 0) {
		fixture->ups++;
	} else if (size >= 5 && memcmp(message, "down ", 5) == 0) {
		fixture->downs++;
	}
	return 0;
}

static int
daemon_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	fixture->daemon = context;
	skynet_callback(context, NULL, daemon_message);
	skynet_command(context, "REG", ".clusterd");
	return 0;
}

static int
quiet_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)context, (void)param;
	return 0;
}

static const struct skynet_builtin BUILTINS[] = {
	{.name = "quiet", .init = quiet_init},
	{.name = "daemon", .init = daemon_init},
	{.name = "clustersender",
		.create = clustersender_create,
		.init = clustersender_init,
		.release = clustersender_release},
};

/* ---- the peer ---- */

static time_t
deadline(void) {
	return time(NULL) + DEADLINE_S;
}

static void
listen_as_peer(void) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", fixture->path);
	fixture->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fixture->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fixture->listener, 8), 0);
}

/* Reads `size` bytes that the sender has written. */
static void
read_bytes(char *bytes, size_t size) {
	size_t have = 0;
	for (time_t end = deadline(); have < size && time(NULL) < end;) {
		ssize_t count = recv(fixture->peer, bytes + have, size - have, MSG_DONTWAIT);
		have += count > 0 ? (size_t)count : 0;
		if (have < size)
			skynet_runtime_step(fixture->stepped.runtime, STEP_MS);
	}
	assert_int_equal(have, size);
}

static size_t
read_frame(char *frame, size_t capacity) {
	unsigned char head[2];
	read_bytes((char *)head, sizeof head);
	size_t size = (size_t)head[0] << 8 | head[1];
	assert_true(size <= capacity);
	read_bytes(frame, size);
	return size;
}

/* Whether the connection has been closed at the other end. */
static bool
is_closed(void) {
	char byte;
	stepped_run(&fixture->stepped);
	return recv(fixture->peer, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void
expect_probe(void) {
	char frame[512];
	struct cluster_request request;
	size_t size = read_frame(frame, sizeof frame);
	assert_true(cluster_request_parse(frame, size, &request));
	assert_int_equal(request.session, CLUSTER_PROBE);
}

static void
answer_probe(void) {
	char frame[CLUSTER_HEAD_MAX + CLUSTER_PROBE_SIZE];
	size_t size =
		cluster_head_response(frame, CLUSTER_PROBE, CLUSTER_ANSWER_OK, CLUSTER_PROBE_SIZE);
	cluster_probe_pack(frame + size, CLUSTER_PROBE_VERSION, 0);
	size += CLUSTER_PROBE_SIZE;
	assert_int_equal(send(fixture->peer, frame, size, 0), size);
	/* A Unix-domain socket is readable at once. */
	for (int i = 0; i < 10; i++)
		stepped_run(&fixture->stepped);
}

/* ---- time ---- */

static void
pass(uint64_t seconds) {
	clock_advance(&fixture->stepped.clock, seconds * NS_PER_S);
	stepped_run(&fixture->stepped);
}

/* As in a process that runs: all that was due has come. */
static void
pass_running(uint64_t seconds) {
	for (uint64_t i = 0; i < seconds; i++)
		pass(1);
}

/* A node of ours is connected, and has just been asked for a sign of life. */
static void
connect_peer(void) {
	static const char request[] = "\x14@a\x24ping";
	uint32_t sender = skynet_context_launch(fixture->daemon, "clustersender", "peer");
	assert_int_not_equal(sender, 0);
	assert_true(skynet_send(fixture->daemon, 0, sender, PTYPE_RESERVED_LUA, 0,
			    (void *)(uintptr_t)request, sizeof request - 1) >= 0);
	for (time_t end = deadline(); fixture->ups == 0 && time(NULL) < end;)
		skynet_runtime_step(fixture->stepped.runtime, STEP_MS);
	assert_int_equal(fixture->ups, 1);
	fixture->peer = accept(fixture->listener, NULL, NULL);
	assert_true(fixture->peer >= 0);
	char frame[512];
	assert_true(read_frame(frame, sizeof frame) > 0);
	pass_running(2);
	expect_probe();
	answer_probe();
	pass_running(BEAT_S + 1);
	expect_probe();
}

static int
setup(void **state) {
	fixture = skynet_calloc(1, sizeof *fixture);
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/clustersender.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->path, sizeof fixture->path, "%s/peer", fixture->folder);
	listen_as_peer();
	struct skynet_config config = stepped_config("quiet", "daemon", BUILTINS, 3);
	stepped_start(&fixture->stepped, &config);
	connect_peer();
	*state = fixture;
	return 0;
}

static int
teardown(void **state) {
	(void)state;
	stepped_end(&fixture->stepped);
	close(fixture->peer);
	close(fixture->listener);
	unlink(fixture->path);
	rmdir(fixture->folder);
	skynet_free(fixture);
	return 0;
}

static void
a_silent_peer_is_given_up_after_three_beats(void **state) {
	(void)state;
	pass_running(2 * BEAT_S - 2);
	assert_false(is_closed());
	pass_running(2 * BEAT_S);
	assert_true(is_closed());
	assert_int_equal(fixture->downs, 1);
}

static void
a_sender_that_slept_gives_its_peer_time(void **state) {
	(void)state;
	pass(UINT64_C(100) * BEAT_S);
	pass_running(BEAT_S);
	assert_false(is_closed());
	assert_int_equal(fixture->downs, 0);
	answer_probe();
	pass_running(BEAT_S);
	expect_probe();
	assert_false(is_closed());
}

static void
also_then_a_silent_peer_is_given_up(void **state) {
	(void)state;
	pass(UINT64_C(100) * BEAT_S);
	pass_running(4 * BEAT_S);
	assert_true(is_closed());
	assert_int_equal(fixture->downs, 1);
}

int
main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_silent_peer_is_given_up_after_three_beats, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_sender_that_slept_gives_its_peer_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
			also_then_a_silent_peer_is_given_up, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
