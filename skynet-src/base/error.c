/* Error codes to text, and composing the text of one failure. No state; any thread. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct error_entry {
	int code;
	const char *name;
	const char *text;
} error_table[] = {
#define ERROR_ENTRY(number, name, text) {-(number), #name, text},
	SKYNET_ERROR_LIST(ERROR_ENTRY)
#undef ERROR_ENTRY
};

static const struct error_entry *
find_entry(int code) {
	for (size_t i = 0; i < sizeof(error_table) / sizeof(error_table[0]); i++) {
		if (error_table[i].code == code)
			return &error_table[i];
	}
	return NULL;
}

const char *
error_name(int code) {
	if (code == SKYNET_OK)
		return "OK";
	const struct error_entry *entry = find_entry(code);
	return entry ? entry->name : "unknown";
}

const char *
error_text(int code) {
	if (code == SKYNET_OK)
		return "no error";
	const struct error_entry *entry = find_entry(code);
	return entry ? entry->text : "unknown";
}

/* There are two versions of strerror_r, and the headers decide which one this is: that of GNU
 * returns the text, that of POSIX a status. */
static inline const char *
text_of_pointer(const char *text, const char *buffer) {
	(void)buffer;
	return text;
}

static inline const char *
text_of_status(int status, const char *buffer) {
	return status == 0 ? buffer : "unknown error";
}

#define SYSTEM_TEXT(number, buffer, size)              \
	_Generic(strerror_r(number, buffer, size), int \
		 : text_of_status, default             \
		 : text_of_pointer)(strerror_r(number, buffer, size), buffer)

/* Writes formatted text behind the first `used` bytes. Returns the new length. What does not fit is
 * cut off. */
static size_t __attribute__((format(printf, 3, 0)))
append_formatted(struct skynet_error *error, size_t used, const char *format, va_list arguments) {
	size_t room = sizeof(error->text) - used;
	int length = vsnprintf(error->text + used, room, format, arguments);
	if (length < 0)
		length = 0;
	return (size_t)length < room ? used + (size_t)length : sizeof(error->text) - 1;
}

static size_t
append_text(struct skynet_error *error, size_t used, const char *text) {
	size_t room = sizeof(error->text) - 1 - used;
	size_t length = strlen(text);
	if (length > room)
		length = room;
	memcpy(error->text + used, text, length);
	error->text[used + length] = '\0';
	return used + length;
}

int
error_set(struct skynet_error *error, int code, const char *format, ...) {
	if (error == NULL)
		return code;
	va_list arguments;
	va_start(arguments, format);
	error->code = code;
	error->text[0] = '\0';
	append_formatted(error, 0, format, arguments);
	va_end(arguments);
	return code;
}

int
error_set_errno(struct skynet_error *error, int code, int system_errno, const char *format, ...) {
	if (error == NULL)
		return code;
	char buffer[128];
	buffer[0] = '\0';
	va_list arguments;
	va_start(arguments, format);
	error->code = code;
	error->text[0] = '\0';
	size_t used = append_formatted(error, 0, format, arguments);
	va_end(arguments);
	used = append_text(error, used, ": ");
	append_text(error, used, SYSTEM_TEXT(system_errno, buffer, sizeof(buffer)));
	return code;
}

void
error_prefix(struct skynet_error *error, const char *format, ...) {
	if (error == NULL)
		return;
	char reason[SKYNET_ERROR_TEXT_SIZE];
	memcpy(reason, error->text, sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	va_list arguments;
	va_start(arguments, format);
	size_t used = append_formatted(error, 0, format, arguments);
	va_end(arguments);
	used = append_text(error, used, ": ");
	append_text(error, used, reason);
}
