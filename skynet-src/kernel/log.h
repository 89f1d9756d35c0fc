/* Lines for the log service of a node. Any thread. */
#ifndef SKYNET_KERNEL_LOG_H
#define SKYNET_KERNEL_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct skynet_node;

/// Logs a formatted line with `source` (0: the kernel). Lost before the log service exists.
void log_line(struct skynet_node *node, uint32_t source, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/// The same from a va_list, of which it uses a copy.
void log_line_v(struct skynet_node *node, uint32_t source, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/// Logs `size` bytes as they are. Borrows `text`.
void log_bytes(struct skynet_node *node, uint32_t source, const char *text, size_t size);

#endif
