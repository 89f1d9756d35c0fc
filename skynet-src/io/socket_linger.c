/* The end of a connection whose owner has closed it and whose output has gone out.
 *
 * A descriptor that is closed while bytes of the peer are unread, or still on their way, makes the
 * system send a reset; that throws away what the peer has not acknowledged, and makes what it
 * writes next fail. So a connection that has sent something says that no more will come, throws
 * away what it still gets, and goes when the peer has ended its direction too, or after a while.
 * The poller only.
 */
#include "io/socket_core.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#ifdef __FreeBSD__
#include <sys/filio.h>
#endif

#define FAREWELL_NS UINT64_C(2000000000)

static bool
begin_farewell(struct socket_server *server, struct socket_entry *entry) {
	uint64_t written = atomic_load_explicit(&entry->write_count, memory_order_relaxed);
	enum socket_state state = socket_entry_state(entry);
	bool open = state == SOCKET_STATE_OPEN || state == SOCKET_STATE_HALF_READ;
	if (entry->kind != SOCKET_KIND_STREAM || !open || entry->ended || written == 0 ||
		entry->write_error != 0 || shutdown(entry->fd, SHUT_WR) < 0)
		return false;
	socket_entry_set_state(entry, SOCKET_STATE_LINGERING);
	entry->written_seen = written;
	return socket_update_interest(server, entry) == 0;
}

void
socket_linger(struct socket_server *server, struct socket_entry *entry) {
	mutex_acquire(&entry->lock);
	bool lingers = begin_farewell(server, entry);
	mutex_release(&entry->lock);
	if (!lingers) {
		socket_end(server, entry);
		return;
	}
	socket_tell_close(server, entry);
	socket_set_deadline(
		server, entry, server->linger_ns < FAREWELL_NS ? server->linger_ns : FAREWELL_NS);
}

void
socket_linger_readable(struct socket_server *server, struct socket_entry *entry) {
	ssize_t n = socket_read_bytes(entry, server->scratch, SOCKET_SCRATCH_SIZE);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
		socket_destroy(server, entry);
}

bool
socket_linger_cut(struct socket_server *server) {
	bool found = false;
	struct socket_entry *next;
	for (struct socket_entry *entry = server->timed; entry != NULL; entry = next) {
		next = entry->next_timed;
		if (socket_entry_state(entry) == SOCKET_STATE_LINGERING) {
			socket_destroy(server, entry);
			found = true;
		}
	}
	return found;
}

bool
socket_linger_arrived(const struct socket_entry *entry) {
	int unsent = 0;
#if defined(FIONWRITE)
	if (ioctl(entry->fd, FIONWRITE, &unsent) < 0)
		return true;
#elif defined(TIOCOUTQ)
	if (ioctl(entry->fd, TIOCOUTQ, &unsent) < 0)
		return true;
#endif
	return unsent == 0;
}
