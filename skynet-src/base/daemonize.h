/* Daemon mode: one process per pid file, detached from its terminal, with a parent that waits until
 * the child knows whether it could start. One thread, before any other exists.
 *
 * The pid file is open and locked as long as the daemon lives; the lock is taken before the fork
 * and shared by both processes, so that whatever can fail fails while the terminal is there.
 */
#ifndef SKYNET_DAEMONIZE_H
#define SKYNET_DAEMONIZE_H

#include "base/error.h"

struct daemonize {
	char *path;    /* of the pid file; NULL: not a daemon */
	int pid_fd;    /* locked */
	int report_fd; /* pipe to the waiting parent, -1 when it has been told */
};

/// Locks the pid file, forks, and in the child detaches and writes the pid. Borrows `path`.
/// Returns 0 in the child, which ends `daemon` with daemonize_fini; 1 in the parent once the child
/// has called daemonize_ready or is gone, with `*exit_status` for the parent to end with; or
/// SKYNET_EEXIST (it is running already) or SKYNET_ESYSTEM, with `error`, in either process.
int daemonize_init(
	struct daemonize *daemon, const char *path, int *exit_status, struct skynet_error *error);

/// Child: tells the parent to end with status 0 and gives up stderr. Without a pid file: no effect.
void daemonize_ready(struct daemonize *daemon);

/// Child: removes the pid file and gives up its lock. Any thread; may be called again.
void daemonize_fini(struct daemonize *daemon);

#endif
