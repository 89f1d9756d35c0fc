#include "base/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "skynet_malloc.h"

#define PID_TEXT_SIZE 32

/* Returns the process id in the file, 0 when there is none. */
static pid_t
read_pid(int fd) {
	char text[PID_TEXT_SIZE];
	ssize_t size = pread(fd, text, sizeof text - 1, 0);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	long pid = strtol(text, NULL, 10);
	return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static int
already_running(struct skynet_error *error, pid_t pid) {
	return error_set(error, SKYNET_EEXIST, "Skynet is already running, pid = %ld.", (long)pid);
}

static int
lock_pid_file(const char *path, struct skynet_error *error) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_set_errno(
			error, SKYNET_ESYSTEM, errno, "cannot open pid file '%s'", path);
	int result = 0;
	pid_t pid = read_pid(fd);
	if (pid != 0 && pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM))
		result = already_running(error, pid);
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		result = errno == EWOULDBLOCK ? already_running(error, pid)
					      : error_set_errno(error, SKYNET_ESYSTEM, errno,
							"cannot lock pid file '%s'", path);
	if (result == 0)
		return fd;
	close(fd);
	return result;
}

static int
write_pid(struct daemonize *daemon, struct skynet_error *error) {
	char text[PID_TEXT_SIZE];
	int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	/* The file is emptied first: digits of an old, longer number would stay behind ours. */
	errno = ENOSPC;
	if (ftruncate(daemon->pid_fd, 0) != 0 ||
		pwrite(daemon->pid_fd, text, (size_t)size, 0) != size)
		return error_set_errno(
			error, SKYNET_ESYSTEM, errno, "cannot write pid file '%s'", daemon->path);
	return 0;
}

static void
redirect_to_null(int fd) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, fd);
	if (null != fd)
		close(null);
}

/* Waits for the byte of daemonize_ready, or for the end of the child. */
static int
await_child(pid_t child, int fd) {
	char byte;
	ssize_t size;
	do
		size = read(fd, &byte, 1);
	while (size < 0 && errno == EINTR);
	if (size == 1)
		return 0;
	int status;
	pid_t ended;
	do
		ended = waitpid(child, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (ended == child && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	if (ended == child && WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return 1; /* it ended with 0, but was never ready: that is a failure too */
}

static int
become_child(struct daemonize *daemon, struct skynet_error *error) {
	setsid();
	int result = write_pid(daemon, error);
	if (result != 0) {
		daemonize_fini(daemon);
		return result;
	}
	redirect_to_null(STDIN_FILENO);
	redirect_to_null(STDOUT_FILENO);
	return 0;
}

int
daemonize_init(
	struct daemonize *daemon, const char *path, int *exit_status, struct skynet_error *error) {
	*daemon = (struct daemonize){.pid_fd = -1, .report_fd = -1};
	int fd = lock_pid_file(path, error);
	if (fd < 0)
		return fd;
	int ends[2] = {-1, -1};
	pid_t child = -1;
	if (pipe(ends) == 0) {
		fcntl(ends[0], F_SETFD, FD_CLOEXEC);
		fcntl(ends[1], F_SETFD, FD_CLOEXEC);
		child = fork();
	}
	if (child < 0) {
		int result = error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot start a daemon");
		unlink(path);
		close(fd);
		if (ends[0] >= 0) {
			close(ends[0]);
			close(ends[1]);
		}
		return result;
	}
	if (child > 0) {
		close(fd);
		close(ends[1]);
		*exit_status = await_child(child, ends[0]);
		close(ends[0]);
		return 1;
	}
	close(ends[0]);
	*daemon =
		(struct daemonize){.path = skynet_strdup(path), .pid_fd = fd, .report_fd = ends[1]};
	return become_child(daemon, error);
}

void
daemonize_ready(struct daemonize *daemon) {
	if (daemon->report_fd < 0)
		return;
	char byte = 0;
	ssize_t size;
	do
		size = write(daemon->report_fd, &byte, 1);
	while (size < 0 && errno == EINTR);
	close(daemon->report_fd);
	daemon->report_fd = -1;
	redirect_to_null(STDERR_FILENO);
}

void
daemonize_fini(struct daemonize *daemon) {
	if (daemon->path == NULL)
		return;
	unlink(daemon->path);
	skynet_free(daemon->path);
	daemon->path = NULL;
	close(daemon->pid_fd);
	if (daemon->report_fd >= 0)
		close(daemon->report_fd);
	daemon->report_fd = -1;
}
