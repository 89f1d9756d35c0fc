/* Where log lines go: stdout, or a file that can be opened anew. Used by one service, on one thread
 * at a time.
 *
 * A line that cannot be written (disk full, pipe closed) is counted instead of stopping anything:
 * the first one is told on stderr, and once writing works again a line says how many were lost.
 */
#ifndef SKYNET_LOGGER_FILE_H
#define SKYNET_LOGGER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logger_file {
	char *path; /* NULL: stdout */
	int fd;
	bool torn;      /* the last line was cut short: end it before the next one */
	int lost_errno; /* why lines are being lost, 0: they are not */
	uint64_t lost;  /* lines lost since then */
};

/// Opens `path` for appending, NULL: stdout. Borrows `path`. Returns 0, or -1 with errno.
int logger_file_open(struct logger_file *file, const char *path);

/// Opens the path once more, after a rotation. On failure the old file stays: -1 with errno.
int logger_file_reopen(struct logger_file *file);

/// Writes "<time>[:<source>] <text>\n"; `time` is "" or ends with a blank. Never fails.
void logger_file_write(
	struct logger_file *file, const char *time, uint32_t source, const char *text, size_t size);

/// Closes what logger_file_open opened. Lines lost until now are told on stderr.
void logger_file_close(struct logger_file *file);

#endif
