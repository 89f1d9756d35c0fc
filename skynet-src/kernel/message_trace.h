/* The message log of one service: a file that gets a line per message while it is on. */
#ifndef SKYNET_MESSAGE_TRACE_H
#define SKYNET_MESSAGE_TRACE_H

#include "base/error.h"
#include "data/message.h"

struct skynet_context;

/// Starts the log of `context` in the directory `logpath`; no effect when it is on. Any thread that
/// holds a reference. Returns 0, SKYNET_ENOTFOUND without a logpath, or SKYNET_ESYSTEM.
int message_trace_open(struct skynet_context *context);

/// Writes one message. The service's own turn.
void message_trace_write(struct skynet_context *context, const struct skynet_message *message);

/// Ends the log. Any thread; no effect when it is off.
void message_trace_close(struct skynet_context *context);

/// Ends the log and frees it. The last reference to the context is gone.
void message_trace_destroy(struct skynet_context *context);

#endif
