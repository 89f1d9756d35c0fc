/* How sockets come to be. The thread that asks makes, binds and listens on a descriptor itself;
 * dialling is left to the poller.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/socket_core.h"
#include "skynet_malloc.h"

#define BACKLOG_DEFAULT 128

int
socket_prepare_fd(int fd) {
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
socket_open_fd(int family, int type) {
#ifdef SOCK_NONBLOCK
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
	int fd = socket(family, type, 0);
	if (fd >= 0 && socket_prepare_fd(fd) < 0) {
		int failed = errno;
		close(fd);
		errno = failed;
		return -1;
	}
#ifdef SO_NOSIGPIPE
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
	return fd;
#endif
}

static void
set_option(int fd, int level, int option, int value) {
	/* An option that the system does not know is not worth a connection. */
	setsockopt(fd, level, option, &value, sizeof(value));
}

void
socket_apply_options(struct socket_entry *entry) {
	int fd = entry->fd;
	if (fd < 0 || entry->local || entry->kind != SOCKET_KIND_STREAM)
		return;
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (entry->nodelay)
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#ifdef TCP_KEEPIDLE
	if (entry->idle_s > 0)
		set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, entry->idle_s);
#endif
#ifdef TCP_KEEPINTVL
	if (entry->interval_s > 0)
		set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, entry->interval_s);
#endif
#ifdef TCP_USER_TIMEOUT
	if (entry->user_timeout_ms > 0)
		set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, entry->user_timeout_ms);
#endif
}

/* ---- binding ---- */

/* Removes a socket file whose server has died, which would be in the way. Dialling tells whether
 * there is a server. */
static void
remove_stale_file(const struct socket_address *address) {
	struct stat status;
	if (stat(address->u.local.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return;
	int fd = socket_open_fd(AF_UNIX, SOCK_STREAM);
	if (fd < 0)
		return;
	if (connect(fd, &address->u.any, address->size) < 0 && errno == ECONNREFUSED)
		unlink(address->u.local.sun_path);
	close(fd);
}

/* True when the path belongs to a file that is no socket. */
static bool
is_other_file(const struct socket_address *address) {
	struct stat status;
	return address->u.any.sa_family == AF_UNIX && address->u.local.sun_path[0] != '\0' &&
	       stat(address->u.local.sun_path, &status) == 0 && !S_ISSOCK(status.st_mode);
}

static int
bind_address(int fd, const struct socket_address *address) {
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (address->u.any.sa_family == AF_INET6 &&
		IN6_IS_ADDR_UNSPECIFIED(&address->u.v6.sin6_addr))
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (address->u.any.sa_family == AF_UNIX && address->u.local.sun_path[0] != '\0')
		remove_stale_file(address);
	int result = bind(fd, &address->u.any, address->size);
	/* The system says `address in use` whatever kind of file is there. */
	if (result < 0 && errno == EADDRINUSE && is_other_file(address))
		errno = EEXIST;
	return result;
}

/* Tries the addresses of a host in turn. Returns a bound descriptor, or -1 with `error`. */
static int
open_bound(struct socket_server *server, const char *host, int port, int type,
	struct socket_address *bound, struct skynet_error *error) {
	struct address_list *list =
		resolver_lookup(&server->resolver_config, host, port, type, error);
	if (list == NULL) {
		error_prefix(error, "cannot bind '%.128s' port %d", host != NULL ? host : "", port);
		return -1;
	}
	int fd = -1, failed = 0;
	for (int i = 0; i < list->count && fd < 0; i++) {
		fd = socket_open_fd(list->items[i].u.any.sa_family, type);
		if (fd < 0 || bind_address(fd, &list->items[i]) < 0) {
			failed = errno;
			if (fd >= 0)
				close(fd);
			fd = -1;
		} else
			*bound = list->items[i];
	}
	skynet_free(list);
	if (fd < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, failed, "cannot bind '%.128s' port %d",
			host != NULL ? host : "", port);
		return -1;
	}
	/* The port that the system has picked. */
	struct socket_address actual = {.size = sizeof(actual.u)};
	if (bound->u.any.sa_family != AF_UNIX && getsockname(fd, &actual.u.any, &actual.size) == 0)
		*bound = actual;
	return fd;
}

/* Makes an entry for a descriptor, or for -1: it is dialled later. Its lock is held then. */
static struct socket_entry *
adopt(struct socket_server *server, struct socket_owner owner, int fd, enum socket_kind kind,
	enum socket_state state) {
	struct socket_entry *entry = socket_table_reserve(&server->table);
	entry->owner = owner;
	entry->fd = fd;
	entry->kind = (uint8_t)kind;
	entry->limit = server->buffer_limit;
	entry->policy = server->buffer_policy;
	socket_entry_set_state(entry, state);
	return entry;
}

/* Ends what adopt has begun: releases the lock and hands the socket to the poller. Returns its id.
 */
static int
announce(struct socket_server *server, struct socket_entry *entry, enum socket_request_type type) {
	int id = socket_entry_id(entry);
	mutex_release(&entry->lock);
	socket_request_post_simple(server, type, id);
	return id;
}

int
socket_server_listen_with(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, const struct socket_listen_options *options, struct skynet_error *error) {
	struct socket_address bound;
	int fd = open_bound(server, host, port, SOCK_STREAM, &bound, error);
	if (fd < 0)
		return -1;
	bool local = bound.u.any.sa_family == AF_UNIX;
	if (options->local_only && !socket_address_is_local(&bound)) {
		error_set(error, SKYNET_EPERMISSION,
			"'%.128s' port %d can be reached by other machines", host, port);
		close(fd);
		return -1;
	}
	if (listen(fd, options->backlog > 0 ? options->backlog : BACKLOG_DEFAULT) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot listen on '%.128s' port %d",
			host != NULL ? host : "", port);
		close(fd);
		return -1;
	}
	struct socket_entry *entry =
		adopt(server, owner, fd, SOCKET_KIND_LISTENER, SOCKET_STATE_WAITING);
	entry->local = local;
	entry->port = socket_address_port(&bound);
	entry->guard = socket_guard_create(options->policy);
	socket_address_print_host(&bound, entry->name, sizeof(entry->name));
	if (local && bound.u.local.sun_path[0] != '\0')
		entry->path = skynet_strdup(bound.u.local.sun_path);
	return announce(server, entry, SOCKET_REQUEST_LISTEN);
}

int
socket_server_listen(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, int backlog, struct skynet_error *error) {
	struct socket_listen_options options = {.backlog = backlog};
	return socket_server_listen_with(server, owner, host, port, &options, error);
}

int
socket_server_bind(struct socket_server *server, struct socket_owner owner, int fd) {
	/* A bad descriptor is found when the poller asks the system about it. */
	socket_prepare_fd(fd);
	struct socket_entry *entry =
		adopt(server, owner, fd, SOCKET_KIND_BORROWED, SOCKET_STATE_OPEN);
	return announce(server, entry, SOCKET_REQUEST_BIND);
}

static uint8_t
blob_size(const struct socket_address *address) {
	return address->u.any.sa_family == AF_INET6 ? 19 : 7;
}

static int
open_datagram(struct socket_server *server, struct socket_owner owner, int fd,
	const struct socket_address *at) {
	struct socket_entry *entry =
		adopt(server, owner, fd, SOCKET_KIND_DATAGRAM, SOCKET_STATE_OPEN);
	entry->family = blob_size(at);
	entry->port = socket_address_port(at);
	return announce(server, entry, SOCKET_REQUEST_OPEN);
}

static bool
refuse_unix(const char *host, struct skynet_error *error) {
	if (host == NULL || !socket_address_is_unix(host))
		return false;
	error_set(error, SKYNET_EADDRESS, "no datagrams on '%.128s'", host);
	return true;
}

int
socket_server_udp_listen(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, struct skynet_error *error) {
	struct socket_address bound;
	if (refuse_unix(host, error))
		return -1;
	int fd = open_bound(server, host, port, SOCK_DGRAM, &bound, error);
	return fd < 0 ? -1 : open_datagram(server, owner, fd, &bound);
}

int
socket_server_udp(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, struct skynet_error *error) {
	if (port != 0 || (host != NULL && *host != '\0'))
		return socket_server_udp_listen(server, owner, host, port, error);
	struct socket_address none = {.u.v4.sin_family = AF_INET, .size = sizeof(none.u.v4)};
	int fd = socket_open_fd(AF_INET, SOCK_DGRAM);
	if (fd < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot open a datagram socket");
		return -1;
	}
	return open_datagram(server, owner, fd, &none);
}

int
socket_server_udp_dial(struct socket_server *server, struct socket_owner owner, const char *host,
	int port, struct skynet_error *error) {
	if (refuse_unix(host, error))
		return -1;
	struct address_list *list =
		resolver_lookup(&server->resolver_config, host, port, SOCK_DGRAM, error);
	if (list == NULL)
		return -1;
	int fd = -1, failed = 0;
	struct socket_address peer = list->items[0];
	for (int i = 0; i < list->count && fd < 0; i++) {
		peer = list->items[i];
		fd = socket_open_fd(peer.u.any.sa_family, SOCK_DGRAM);
		if (fd < 0 || connect(fd, &peer.u.any, peer.size) < 0) {
			failed = errno;
			if (fd >= 0)
				close(fd);
			fd = -1;
		}
	}
	skynet_free(list);
	if (fd >= 0)
		return open_datagram(server, owner, fd, &peer);
	error_set_errno(error, SKYNET_ESYSTEM, failed, "cannot dial '%.128s' port %d",
		host ? host : "", port);
	return -1;
}

int
socket_server_udp_connect(struct socket_server *server, int id, const char *host, int port,
	struct skynet_error *error) {
	if (refuse_unix(host, error))
		return -1;
	struct address_list *list =
		resolver_lookup(&server->resolver_config, host, port, SOCK_DGRAM, error);
	if (list == NULL)
		return -1;
	int result = -1, failed = EBADF;
	struct socket_entry *entry = socket_table_acquire(&server->table, id);
	if (entry != NULL && entry->kind == SOCKET_KIND_DATAGRAM) {
		for (int i = 0; i < list->count && result < 0; i++) {
			result = connect(entry->fd, &list->items[i].u.any, list->items[i].size);
			failed = errno;
		}
	}
	if (entry != NULL)
		mutex_release(&entry->lock);
	skynet_free(list);
	if (result < 0)
		error_set_errno(
			error, SKYNET_ESYSTEM, failed, "cannot set the peer of socket %d", id);
	return result;
}

/* ---- dialling ---- */

int
socket_server_connect(
	struct socket_server *server, struct socket_owner owner, const char *host, int port) {
	return socket_server_connect_with(server, owner, host, port, NULL);
}

int
socket_server_connect_with(struct socket_server *server, struct socket_owner owner,
	const char *host, int port, struct guard_policy *policy) {
	struct socket_address address;
	struct socket_entry *entry =
		adopt(server, owner, -1, SOCKET_KIND_STREAM, SOCKET_STATE_OPENING);
	entry->guard = socket_guard_create(policy);
	int id = socket_entry_id(entry);
	mutex_release(&entry->lock);

	if (host == NULL || *host == '\0')
		host = "127.0.0.1";
	int code = socket_address_parse(&address, host, port);
	if (code == SKYNET_ENOTFOUND &&
		resolver_start(server->resolver, id, host, port) == SKYNET_OK)
		return id;
	struct socket_request *request = socket_request_create(SOCKET_REQUEST_CONNECT, id);
	if (code == SKYNET_OK) {
		request->addresses =
			resolver_lookup(&server->resolver_config, host, port, SOCK_STREAM, NULL);
	} else
		request->text =
			skynet_strdup(code == SKYNET_ENOTFOUND ? "cannot start a resolver thread"
							       : "invalid address");
	socket_request_post(server, request);
	return id;
}

void
socket_opened(struct socket_server *server, struct socket_entry *entry, const char *text) {
	mutex_acquire(&entry->lock);
	socket_entry_set_state(entry, entry->closing ? SOCKET_STATE_HALF_READ : SOCKET_STATE_OPEN);
	if (!entry->closing)
		atomic_store_explicit(&entry->reading, true, memory_order_relaxed);
	int failed = socket_update_interest(server, entry) < 0 ? errno : 0;
	mutex_release(&entry->lock);
	if (failed) {
		socket_fail(server, entry, strerror(failed));
		return;
	}
	if (!entry->closing)
		socket_event_text(server, entry, SOCKET_EVENT_CONNECT, 0, text);
	/* Sends may have been queued while the socket was dialled. Relaxed order is enough: the
	 * queue itself is read under the lock. */
	if (atomic_load_explicit(&entry->queued, memory_order_relaxed) > 0)
		socket_writable(server, entry);
}

static void
connected(struct socket_server *server, struct socket_entry *entry) {
	char text[SOCKET_ADDRESS_TEXT_SIZE];
	struct socket_address peer = entry->addresses->items[entry->next_address - 1];
	mutex_acquire(&entry->lock);
	socket_address_print(&peer, entry->name, sizeof(entry->name));
	skynet_free(entry->addresses);
	entry->addresses = NULL;
	mutex_release(&entry->lock);
	if (entry->guard != NULL && socket_guard_dialled(server, entry, &peer))
		return;
	socket_address_print_host(&peer, text, sizeof(text));
	socket_opened(server, entry, text);
}

/* Closes the descriptor of an attempt that has failed. */
static void
hang_up(struct socket_server *server, struct socket_entry *entry) {
	mutex_acquire(&entry->lock);
	if (entry->fd >= 0) {
		socket_set_interest(server, entry, 0);
		close(entry->fd);
	}
	entry->fd = -1;
	entry->interest = 0;
	mutex_release(&entry->lock);
}

/* Returns 0 when connected, EINPROGRESS when the poller will tell, or the errno of the failure. */
static int
dial_one(struct socket_server *server, struct socket_entry *entry,
	const struct socket_address *peer) {
	int fd = socket_open_fd(peer->u.any.sa_family, SOCK_STREAM);
	if (fd < 0)
		return errno;
	mutex_acquire(&entry->lock);
	entry->fd = fd;
	entry->local = peer->u.any.sa_family == AF_UNIX;
	socket_apply_options(entry);
	int failed = 0;
	if (connect(fd, &peer->u.any, peer->size) < 0)
		failed = errno;
	if (failed == EINPROGRESS && socket_update_interest(server, entry) < 0)
		failed = errno;
	mutex_release(&entry->lock);
	return failed;
}

static void
dial(struct socket_server *server, struct socket_entry *entry, int failed) {
	while (entry->next_address < entry->addresses->count) {
		const struct socket_address *peer = &entry->addresses->items[entry->next_address++];
		failed = dial_one(server, entry, peer);
		if (failed == EINPROGRESS)
			return;
		if (failed == 0) {
			connected(server, entry);
			return;
		}
		hang_up(server, entry);
	}
	socket_fail(server, entry, strerror(failed));
}

void
socket_dial(struct socket_server *server, struct socket_entry *entry) {
	dial(server, entry, EADDRNOTAVAIL);
}

void
socket_dialled(struct socket_server *server, struct socket_entry *entry) {
	int failed = 0;
	socklen_t size = sizeof(failed);
	if (entry->fd < 0)
		return;
	if (getsockopt(entry->fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
		failed = errno;
	if (failed == 0) {
		connected(server, entry);
		return;
	}
	hang_up(server, entry);
	dial(server, entry, failed);
}
