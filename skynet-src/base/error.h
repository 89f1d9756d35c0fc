/* Error codes of the kernel and the text that goes with one failure. Any thread; no state. */
#ifndef SKYNET_ERROR_H
#define SKYNET_ERROR_H

#define SKYNET_ERROR_LIST(X)                  \
	X(1, ENOMEM, "out of memory")         \
	X(2, EINVALID, "invalid argument")    \
	X(3, ENOTFOUND, "not found")          \
	X(4, EEXIST, "exists already")        \
	X(5, ETOOLARGE, "too large")          \
	X(6, EOVERLOAD, "overloaded")         \
	X(7, ECLOSED, "closed")               \
	X(8, ETIMEOUT, "timeout")             \
	X(9, ESYSTEM, "system call failed")   \
	X(10, ECONFIG, "bad configuration")   \
	X(11, EMODULE, "bad module")          \
	X(12, EINIT, "initialisation failed") \
	X(13, EADDRESS, "bad address")        \
	X(14, EPERMISSION, "not permitted")

enum skynet_error_code {
	SKYNET_OK = 0,
#define SKYNET_ERROR_ENUM(number, name, text) SKYNET_##name = -(number),
	SKYNET_ERROR_LIST(SKYNET_ERROR_ENUM)
#undef SKYNET_ERROR_ENUM
};

#define SKYNET_ERROR_TEXT_SIZE 512

/* Filled by a function that fails for a reason worth telling; the caller owns the struct. */
struct skynet_error {
	int code;                          /* one of enum skynet_error_code */
	char text[SKYNET_ERROR_TEXT_SIZE]; /* lower case, subject in single quotes, no full stop */
};

/// Stores code and formatted text (cut if need be). `error` may be NULL. Returns `code`.
int error_set(struct skynet_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/// As error_set, with ": " and the system's text for `system_errno` behind it.
int error_set_errno(struct skynet_error *error, int code, int system_errno, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/// Puts "<formatted>: " in front of the text. `error` may be NULL.
void error_prefix(struct skynet_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/// Name ("ENOTFOUND") and text of a code; "unknown" for others. Static strings.
const char *error_name(int code);
const char *error_text(int code);

#endif
