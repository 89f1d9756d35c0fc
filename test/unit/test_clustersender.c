/* service-src/clustersender_link.c and clustersender_drain.c: when a peer counts as lost, and what
 * becomes of a connection that a changed address replaces, under a clock that the test moves. The
 * peer has two addresses, sockets of the test; a service of the test stands for clusterd. */
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
	uint32_t sender;
	char folder[64], path[2][96];
	int listener[2];
	int peer[2];    /* connections */
	int address;    /* of the peer now: 0 or 1 */
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
		int length = snprintf(
			answer, sizeof answer, "unix:%s 0 0", fixture->path[fixture->address]);
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
listen_as_peer(int address) {
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char *path = fixture->path[address];
	snprintf(path, sizeof fixture->path[0], "%s/%d", fixture->folder, address);
	snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(listener, 8), 0);
	fixture->listener[address] = listener;
	fixture->peer[address] = -1;
}

static void
stop_listening(int address) {
	close(fixture->listener[address]);
	unlink(fixture->path[address]);
}

/* Whether the sender has connected to an address since. */
static bool
is_dialled(int address) {
	stepped_run(&fixture->stepped);
	fixture->peer[address] = accept(fixture->listener[address], NULL, NULL);
	return fixture->peer[address] >= 0;
}

/* Waits until the sender has said so often that it is connected, and to that address. */
static void
expect_up(int ups, int address) {
	for (time_t end = deadline(); fixture->ups < ups && time(NULL) < end;)
		skynet_runtime_step(fixture->stepped.runtime, STEP_MS);
	assert_int_equal(fixture->ups, ups);
	assert_true(is_dialled(address));
}

/* Reads `size` bytes that the sender has written. */
static void
read_bytes(int peer, char *bytes, size_t size) {
	size_t have = 0;
	for (time_t end = deadline(); have < size && time(NULL) < end;) {
		ssize_t count = recv(peer, bytes + have, size - have, MSG_DONTWAIT);
		have += count > 0 ? (size_t)count : 0;
		if (have < size)
			skynet_runtime_step(fixture->stepped.runtime, STEP_MS);
	}
	assert_int_equal(have, size);
}

static size_t
read_frame(int peer, char *frame, size_t capacity) {
	unsigned char head[2];
	read_bytes(peer, (char *)head, sizeof head);
	size_t size = (size_t)head[0] << 8 | head[1];
	assert_true(size <= capacity);
	read_bytes(peer, frame, size);
	return size;
}

/* Whether the connection has been closed at the other end. */
static bool
is_closed(int address) {
	char byte;
	stepped_run(&fixture->stepped);
	return recv(fixture->peer[address], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* The next frame asks what peers are asked, under `session`. Returns the identity in it. */
static uint64_t
expect_question(int address, uint32_t session) {
	char frame[512];
	struct cluster_request request;
	uint32_t window;
	uint64_t identity;
	size_t size = read_frame(fixture->peer[address], frame, sizeof frame);
	assert_true(cluster_request_parse(frame, size, &request));
	assert_int_equal(request.session, session);
	assert_true(cluster_probe_unpack(request.data, request.size, &window, &identity));
	return identity;
}

static uint64_t
expect_probe(int address) {
	return expect_question(address, CLUSTER_PROBE);
}

static uint64_t
expect_fence(int address) {
	return expect_question(address, CLUSTER_FENCE);
}

/* The next frame is what `tell` or `call` has sent. */
static void
expect_request(int address) {
	char frame[512];
	struct cluster_request request;
	size_t size = read_frame(fixture->peer[address], frame, sizeof frame);
	assert_true(cluster_request_parse(frame, size, &request));
	assert_int_equal(request.to.name_size, 2);
}

static void
write_as_peer(int address, const char *bytes, size_t size) {
	assert_int_equal(send(fixture->peer[address], bytes, size, 0), size);
	/* A Unix-domain socket is readable at once. */
	for (int i = 0; i < 10; i++)
		stepped_run(&fixture->stepped);
}

static void
answer_probe(int address) {
	char frame[CLUSTER_HEAD_MAX + CLUSTER_PROBE_SIZE];
	size_t size =
		cluster_head_response(frame, CLUSTER_PROBE, CLUSTER_ANSWER_OK, CLUSTER_PROBE_SIZE);
	cluster_probe_pack(frame + size, CLUSTER_PROBE_VERSION, 0);
	write_as_peer(address, frame, size + CLUSTER_PROBE_SIZE);
}

/* As nodes of the reference do: there is no such name. */
static void
answer_fence(int address) {
	char frame[CLUSTER_HEAD_MAX];
	write_as_peer(address, frame,
		cluster_head_response(frame, CLUSTER_FENCE, CLUSTER_ANSWER_ERROR, 0));
}

/* ---- what the sender is told and asked ---- */

static void
request(int session) {
	static const char ping[] = "\x14@a\x24ping";
	assert_true(skynet_send(fixture->daemon, 0, fixture->sender, PTYPE_RESERVED_LUA, session,
			    (void *)(uintptr_t)ping, sizeof ping - 1) >= 0);
	stepped_run(&fixture->stepped);
}

static void
tell(void) {
	request(0);
}

static void
call(void) {
	request(skynet_context_newsession(fixture->daemon));
}

static void
say(const char *text) {
	assert_true(skynet_send(fixture->daemon, 0, fixture->sender, PTYPE_SYSTEM, 0,
			    (void *)(uintptr_t)text, strlen(text)) >= 0);
	stepped_run(&fixture->stepped);
}

static void
change(int address) {
	char text[128];
	fixture->address = address;
	snprintf(text, sizeof text, "change unix:%s 0 0", fixture->path[address]);
	say(text);
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
	fixture->sender = skynet_context_launch(fixture->daemon, "clustersender", "peer");
	assert_int_not_equal(fixture->sender, 0);
	tell();
	expect_up(1, 0);
	expect_request(0);
	pass_running(2);
	expect_probe(0);
	answer_probe(0);
	pass_running(BEAT_S + 1);
	expect_probe(0);
}

static int
setup(void **state) {
	fixture = skynet_calloc(1, sizeof *fixture);
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/clustersender.XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	listen_as_peer(0);
	listen_as_peer(1);
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
	for (int i = 0; i < 2; i++) {
		close(fixture->peer[i]);
		stop_listening(i);
	}
	rmdir(fixture->folder);
	skynet_free(fixture);
	return 0;
}

static void
a_silent_peer_is_given_up_after_three_beats(void **state) {
	(void)state;
	pass_running(2 * BEAT_S - 2);
	assert_false(is_closed(0));
	pass_running(2 * BEAT_S);
	assert_true(is_closed(0));
	assert_int_equal(fixture->downs, 1);
}

static void
a_sender_that_slept_gives_its_peer_time(void **state) {
	(void)state;
	pass(UINT64_C(100) * BEAT_S);
	pass_running(BEAT_S);
	assert_false(is_closed(0));
	assert_int_equal(fixture->downs, 0);
	answer_probe(0);
	pass_running(BEAT_S);
	expect_probe(0);
	assert_false(is_closed(0));
}

static void
also_then_a_silent_peer_is_given_up(void **state) {
	(void)state;
	pass(UINT64_C(100) * BEAT_S);
	pass_running(4 * BEAT_S);
	assert_true(is_closed(0));
	assert_int_equal(fixture->downs, 1);
}

/* More than the system takes. */
static void
tell_much(void) {
	static char large[30000] = "\x14@a";
	for (int i = 0; i < 60; i++)
		skynet_send(fixture->daemon, 0, fixture->sender, PTYPE_RESERVED_LUA, 0, large,
			sizeof large);
	stepped_run(&fixture->stepped);
}

static void
a_peer_that_takes_bytes_slowly_lives(void **state) {
	(void)state;
	static char bytes[100000];
	tell_much();
	for (int i = 0; i < 8; i++) {
		read_bytes(fixture->peer[0], bytes, sizeof bytes);
		read_bytes(fixture->peer[0], bytes, sizeof bytes);
		stepped_run(&fixture->stepped);
		pass_running(BEAT_S);
	}
	assert_int_equal(fixture->downs, 0);
	pass_running(4 * BEAT_S);
	assert_int_equal(fixture->downs, 1);
}

static void
a_call_that_has_waited_travels_with_the_time_that_is_left(void **state) {
	(void)state;
	static const char call_in_30_s[] = "\x09\x12\xb8\x0b\x14@a";
	static char frame[32000];
	struct cluster_request request;
	answer_probe(0);
	tell_much();
	skynet_send(fixture->daemon, 0, fixture->sender, PTYPE_RESERVED_LUA,
		skynet_context_newsession(fixture->daemon), (void *)(uintptr_t)call_in_30_s,
		sizeof call_in_30_s - 1);
	stepped_run(&fixture->stepped);
	pass_running(10);
	do {
		size_t size = read_frame(fixture->peer[0], frame, sizeof frame);
		assert_true(cluster_request_parse(frame, size, &request));
	} while (request.kind != CLUSTER_EXTRA);
	assert_int_equal(request.extra, CLUSTER_EXTRA_DEADLINE);
	assert_in_range(request.total, 20000, 20001);
}

static void
messages_for_a_new_address_wait_while_the_old_one_lives(void **state) {
	(void)state;
	answer_probe(0);
	change(1);
	tell();
	expect_fence(0);
	for (int i = 0; i < 6; i++) {
		pass_running(BEAT_S + 1);
		expect_probe(0);
		answer_probe(0);
	}
	assert_false(is_dialled(1));
	answer_fence(0);
	expect_up(2, 1);
	expect_request(1);
	assert_true(is_closed(0));
	assert_int_equal(fixture->downs, 0);
}

static void
an_old_address_that_is_silent_holds_them_for_three_beats(void **state) {
	(void)state;
	answer_probe(0);
	change(1);
	tell();
	uint64_t identity = expect_fence(0);
	pass_running(2 * BEAT_S);
	assert_false(is_dialled(1));
	pass_running(2 * BEAT_S);
	expect_up(2, 1);
	/* The node, if it is the same, must drop what it has not served of the old connection. */
	assert_true(expect_probe(1) == identity);
	expect_request(1);
}

static void
a_node_of_another_kind_that_is_silent_holds_them_likewise(void **state) {
	(void)state;
	char frame[CLUSTER_HEAD_MAX];
	write_as_peer(
		0, frame, cluster_head_response(frame, CLUSTER_PROBE, CLUSTER_ANSWER_ERROR, 0));
	pass_running(UINT64_C(100) * BEAT_S);
	change(1);
	tell();
	expect_fence(0);
	pass_running(2 * BEAT_S);
	assert_false(is_dialled(1));
	pass_running(2 * BEAT_S);
	expect_up(2, 1);
}

static void
a_sender_that_slept_gives_the_old_address_time(void **state) {
	(void)state;
	answer_probe(0);
	change(1);
	expect_fence(0);
	pass(UINT64_C(100) * BEAT_S);
	pass_running(BEAT_S);
	assert_false(is_dialled(1));
	answer_fence(0);
	expect_up(2, 1);
}

static void
an_old_address_that_breaks_the_connection_holds_nothing(void **state) {
	(void)state;
	answer_probe(0);
	change(1);
	tell();
	expect_fence(0);
	close(fixture->peer[0]);
	fixture->peer[0] = -1;
	expect_up(2, 1);
	expect_probe(1);
	expect_request(1);
}

static void
the_newest_address_is_dialled_in_the_end(void **state) {
	(void)state;
	answer_probe(0);
	change(1);
	tell();
	expect_fence(0);
	change(0);
	change(1);
	change(0);
	answer_fence(0);
	assert_false(is_dialled(1));
	int old = fixture->peer[0];
	expect_up(2, 0);
	expect_probe(0);
	expect_request(0);
	close(old);
}

static void
a_replaced_connection_keeps_its_identity(void **state) {
	(void)state;
	answer_probe(0);
	call();
	expect_request(0);
	change(1);
	uint64_t identity = expect_fence(0);
	answer_fence(0);
	expect_up(2, 1);
	pass_running(BEAT_S + 1);
	assert_true(expect_probe(0) == identity);
	assert_true(expect_probe(1) != identity);
	assert_false(is_closed(0));
}

static void
down_on_purpose_ends_replaced_connections_too(void **state) {
	(void)state;
	answer_probe(0);
	call();
	expect_request(0);
	change(1);
	expect_fence(0);
	say("down");
	assert_true(is_closed(0));
}

static void
a_new_address_that_cannot_be_reached_is_down(void **state) {
	(void)state;
	stop_listening(1);
	answer_probe(0);
	change(1);
	expect_fence(0);
	answer_fence(0);
	for (time_t end = deadline(); fixture->downs == 0 && time(NULL) < end;)
		skynet_runtime_step(fixture->stepped.runtime, STEP_MS);
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
		cmocka_unit_test_setup_teardown(
			a_peer_that_takes_bytes_slowly_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_call_that_has_waited_travels_with_the_time_that_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(
			messages_for_a_new_address_wait_while_the_old_one_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_old_address_that_is_silent_holds_them_for_three_beats, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_node_of_another_kind_that_is_silent_holds_them_likewise, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_sender_that_slept_gives_the_old_address_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_old_address_that_breaks_the_connection_holds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_newest_address_is_dialled_in_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_replaced_connection_keeps_its_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(
			down_on_purpose_ends_replaced_connections_too, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_new_address_that_cannot_be_reached_is_down, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
