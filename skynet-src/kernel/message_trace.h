/* The message log of one service: while it is on, each message that the service handles is written
 * to a file as one line.
 */
#ifndef SKYNET_MESSAGE_TRACE_H
#define SKYNET_MESSAGE_TRACE_H

#include "base/error.h"
#include "data/message.h"

struct skynet_context;

/// Starts the log of `context` in the directory that the setting `logpath` names; no effect when
/// it is on already. Any thread that holds a reference. Returns 0, SKYNET_ENOTFOUND when `logpath`
/// is not set, or SKYNET_ESYSTEM when the file cannot be opened.
int message_trace_open(struct skynet_context *context);

/// Writes one message. Only the thread that is running the service.
void message_trace_write(struct skynet_context *context, const struct skynet_message *message);

/// Ends the log. Any thread; no effect when it is off.
void message_trace_close(struct skynet_context *context);

/// Ends the log and frees it. Called when the last reference to the context has been dropped.
void message_trace_destroy(struct skynet_context *context);

#endif
