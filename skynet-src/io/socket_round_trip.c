/* How far away a peer is, as the system has measured it. A file of its own: the newer fields are
 * only in the header of the kernel, which cannot stand beside that of the C library.
 */
#include "io/socket_core.h"

#ifdef __linux__

#include <linux/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#define NS_PER_US 1000

static uint64_t
measured_ns(int fd) {
	struct tcp_info info;
	socklen_t size = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
		size < offsetof(struct tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt ||
		info.tcpi_min_rtt == UINT32_MAX)
		return 0;
	return (uint64_t)info.tcpi_min_rtt * NS_PER_US;
}

#else

static uint64_t
measured_ns(int fd) {
	(void)fd;
	return 0;
}

#endif

uint64_t
socket_server_round_trip(struct socket_server *server, int id) {
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry == NULL)
		return 0;
	uint64_t round_trip_ns = socket_is_stream(entry) ? measured_ns(entry->fd) : 0;
	mutex_release(&entry->lock);
	return round_trip_ns;
}
