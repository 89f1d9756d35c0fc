/* Sends lines to the log service of a node. Any thread. */
#ifndef SKYNET_KERNEL_LOG_H
#define SKYNET_KERNEL_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct skynet_node;

/// Logs a formatted line as coming from the service `source` (0: the kernel). The line is lost when
/// the log service does not exist yet.
void log_line(struct skynet_node *node, uint32_t source, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/// As log_line with a va_list, which it copies: the caller may use it again.
void log_line_v(struct skynet_node *node, uint32_t source, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/// Logs `size` bytes without formatting them. Borrows `text`.
void log_bytes(struct skynet_node *node, uint32_t source, const char *text, size_t size);

#endif
