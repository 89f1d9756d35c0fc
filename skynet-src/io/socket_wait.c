/* How the poller waits for events. */
#include "base/clock.h"
#include "io/socket_core.h"

#define NS_PER_MS UINT64_C(1000000)

/* True when the poller has work other than events of sockets: requests, or a wake. */
static bool
is_wanted(struct socket_server *server) {
	return !socket_request_empty(&server->requests) ||
	       atomic_load_explicit(&server->woken, memory_order_seq_cst);
}

/* Asks for events again and again instead of sleeping, for `limit_ns` at most: an event that comes
 * soon is found sooner than a sleeping thread is woken. */
static int
look(struct socket_server *server, struct socket_poll_event *events, int capacity, int timeout_ms) {
	int count;
	uint64_t limit_ns = server->spin.limit_ns;
	if (timeout_ms > 0 && (uint64_t)timeout_ms * NS_PER_MS < limit_ns)
		limit_ns = (uint64_t)timeout_ms * NS_PER_MS;
	uint64_t end_ns = clock_monotonic_ns(server->clock) + limit_ns;
	do {
		count = socket_poll_wait(&server->poll, events, capacity, 0);
	} while (count == 0 && !is_wanted(server) && clock_monotonic_ns(server->clock) < end_ns);
	poll_spin_ended(&server->spin, count > 0 || is_wanted(server));
	return count;
}

void
socket_server_spin(struct socket_server *server, uint64_t limit_ns) {
	server->spin.limit_ns = limit_ns;
}

int
socket_wait(struct socket_server *server, struct socket_poll_event *events, int capacity,
	int timeout_ms) {
	int count = 0;
	if (timeout_ms != 0 && !is_wanted(server) && poll_spin_begins(&server->spin))
		count = look(server, events, capacity, timeout_ms);
	if (count == 0) {
		if (timeout_ms != 0) {
			/* See wake_sleeper. */
			atomic_store_explicit(&server->sleeping, true, memory_order_seq_cst);
			if (is_wanted(server))
				timeout_ms = 0;
		}
		count = socket_poll_wait(&server->poll, events, capacity, timeout_ms);
		atomic_store_explicit(&server->sleeping, false, memory_order_relaxed);
	}
	/* Acquire pairs with the store in socket_server_wake. */
	atomic_exchange_explicit(&server->woken, false, memory_order_acquire);
	return count;
}
