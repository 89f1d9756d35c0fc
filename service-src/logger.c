/* The log service: writes each PTYPE_TEXT message as a line to stdout or to the file that its
 * argument names, and opens that file anew on PTYPE_SYSTEM (SIGHUP). Lines in a file begin with the
 * local time, those on stdout when the setting logger_timestamp is on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "logger_file.h"
#include "skynet.h"

#define TIME_SIZE 32

struct logger {
	struct logger_file file;
	bool stamped;           /* lines begin with the time */
	uint32_t start_seconds; /* wall time when skynet_now was 0 */
	int64_t cached_second;  /* the second that `cached` shows */
	char cached[TIME_SIZE]; /* "dd/mm/yy HH:MM:SS" */
};

struct logger *logger_create(void);
int logger_init(struct logger *logger, struct skynet_context *context, const char *param);
void logger_release(struct logger *logger);

struct logger *
logger_create(void) {
	struct logger *logger = skynet_calloc(1, sizeof *logger);
	logger->file.fd = -1;
	logger->cached_second = -1;
	return logger;
}

void
logger_release(struct logger *logger) {
	logger_file_close(&logger->file);
	skynet_free(logger);
}

static unsigned
two_digits(int value) {
	return (unsigned)value % 100;
}

static void
format_time(struct logger *logger, char *text, size_t size) {
	text[0] = '\0';
	if (!logger->stamped)
		return;
	uint64_t now_cs = skynet_now();
	int64_t second = (int64_t)(now_cs / 100) + logger->start_seconds;
	if (second != logger->cached_second) {
		time_t when = (time_t)second;
		struct tm parts;
		localtime_r(&when, &parts);
		snprintf(logger->cached, sizeof logger->cached, "%02u/%02u/%02u %02u:%02u:%02u",
			two_digits(parts.tm_mday), two_digits(parts.tm_mon + 1),
			two_digits(parts.tm_year), two_digits(parts.tm_hour),
			two_digits(parts.tm_min), two_digits(parts.tm_sec));
		logger->cached_second = second;
	}
	snprintf(text, size, "%s.%02d ", logger->cached, (int)(now_cs % 100));
}

static void
write_text(struct logger *logger, uint32_t source, const char *text, size_t size) {
	char time[TIME_SIZE + 8];
	format_time(logger, time, sizeof time);
	logger_file_write(&logger->file, time, source, text, size);
}

static void
reopen(struct logger *logger) {
	if (logger_file_reopen(&logger->file) == 0)
		return;
	char text[256];
	int size = snprintf(text, sizeof text, "error: cannot open log file '%.160s' again: %s",
		logger->file.path, strerror(errno));
	write_text(logger, 0, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context;
	struct logger *logger = ud;
	if (type == PTYPE_TEXT)
		write_text(logger, source, size > 0 ? message : "", size);
	else if (type == PTYPE_SYSTEM && session == 0)
		reopen(logger);
	return 0;
}

static bool
setting_is_on(struct skynet_context *context, const char *key) {
	const char *value = skynet_setting_get(context, key);
	return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

int
logger_init(struct logger *logger, struct skynet_context *context, const char *param) {
	const char *path = param != NULL && param[0] != '\0' ? param : NULL;
	if (logger_file_open(&logger->file, path) != 0) {
		char reason[256];
		snprintf(reason, sizeof reason, "cannot open log file '%.160s': %s", path,
			strerror(errno));
		/* There is no log to write it to. */
		skynet_node_abort(context, 1, reason);
		return 1;
	}
	logger->stamped = path != NULL || setting_is_on(context, "logger_timestamp");
	logger->start_seconds = skynet_context_starttime(context);
	skynet_callback(context, logger, dispatch);
	return 0;
}
