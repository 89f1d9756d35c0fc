#include "logger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "skynet_malloc.h"

#define HEAD_SIZE  64
#define LINE_PARTS 3
#define READY_MS   1000 /* how long a terminal or pipe that takes nothing may hold us up */

static int
open_path(const char *path) {
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static const char *
shown_path(const struct logger_file *file) {
	return file->path != NULL ? file->path : "stdout";
}

int
logger_file_open(struct logger_file *file, const char *path) {
	*file = (struct logger_file){.fd = STDOUT_FILENO};
	if (path == NULL)
		return 0;
	file->fd = open_path(path);
	if (file->fd < 0)
		return -1;
	file->path = skynet_strdup(path);
	return 0;
}

int
logger_file_reopen(struct logger_file *file) {
	if (file->path == NULL)
		return 0;
	int fd = open_path(file->path);
	if (fd < 0)
		return -1;
	close(file->fd);
	file->fd = fd;
	file->torn = false;
	return 0;
}

static bool
wait_until_writable(int fd) {
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	return poll(&poller, 1, READY_MS) == 1;
}

/* Drops `size` written bytes from the front. Returns the number of parts that are used up. */
static int
advance(struct iovec *parts, int count, size_t size) {
	int done = 0;
	while (done < count && size >= parts[done].iov_len)
		size -= parts[done++].iov_len;
	if (done < count) {
		parts[done].iov_base = (char *)parts[done].iov_base + size;
		parts[done].iov_len -= size;
	}
	return done;
}

/* Writes all parts. Returns 0 or the errno; `*begun` tells whether any byte went out. */
static int
write_parts(int fd, struct iovec *parts, int count, bool *begun) {
	*begun = false;
	while (count > 0) {
		ssize_t size = writev(fd, parts, count);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN && wait_until_writable(fd))
			continue;
		if (size < 0)
			return errno;
		*begun = *begun || size > 0;
		int done = advance(parts, count, (size_t)size);
		parts += done;
		count -= done;
	}
	return 0;
}

static int
write_line(struct logger_file *file, const char *time, uint32_t source, const char *text,
	size_t size) {
	char head[HEAD_SIZE];
	int head_size = snprintf(
		head, sizeof head, "%s%s[:%08" PRIx32 "] ", file->torn ? "\n" : "", time, source);
	struct iovec parts[LINE_PARTS] = {
		{head, (size_t)head_size}, {(void *)(uintptr_t)text, size}, {(char[]){'\n'}, 1}};
	/* What services printed before this line is still in the buffer of stdout. */
	if (file->path == NULL)
		fflush(stdout);
	bool begun;
	int failure = write_parts(file->fd, parts, LINE_PARTS, &begun);
	if (failure == 0)
		file->torn = false;
	else if (begun)
		file->torn = true;
	return failure;
}

static void
count_lost(struct logger_file *file, int failure) {
	if (file->lost_errno == 0)
		fprintf(stderr, "skynet: cannot write the log to '%s': %s; lines are being lost\n",
			shown_path(file), strerror(failure));
	file->lost_errno = failure;
	file->lost++;
}

/* Returns true when the log says now how many lines it lacks. */
static bool
report_lost(struct logger_file *file, const char *time) {
	char text[160];
	int size = snprintf(text, sizeof text, "error: %" PRIu64 " log lines were lost here: %s",
		file->lost, strerror(file->lost_errno));
	if (size >= (int)sizeof text)
		size = sizeof text - 1;
	if (write_line(file, time, 0, text, (size_t)size) != 0)
		return false;
	file->lost = 0;
	file->lost_errno = 0;
	return true;
}

void
logger_file_write(struct logger_file *file, const char *time, uint32_t source, const char *text,
	size_t size) {
	if (file->lost > 0 && !report_lost(file, time)) {
		file->lost++;
		return;
	}
	int failure = write_line(file, time, source, text, size);
	if (failure != 0)
		count_lost(file, failure);
}

void
logger_file_close(struct logger_file *file) {
	if (file->lost > 0)
		fprintf(stderr, "skynet: %" PRIu64 " lines of the log '%s' were lost: %s\n",
			file->lost, shown_path(file), strerror(file->lost_errno));
	if (file->path != NULL) {
		close(file->fd);
		skynet_free(file->path);
	}
	*file = (struct logger_file){.fd = -1};
}
