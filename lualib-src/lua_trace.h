/* Traces: a tag is sent with a request from service to service, and each step logs a line with it.
 */
#ifndef SKYNET_LUA_TRACE_H
#define SKYNET_LUA_TRACE_H

#include "lua_task.h"

/// Logs "<TRACE tag> time event". Never raises.
void trace_log(struct lua_service *service, const char *tag, const char *event);

/// As trace_log, with up to three Lua frames of `co`, from `level` on. Never raises.
void trace_log_frames(
	struct lua_service *service, lua_State *co, int level, const char *tag, const char *event);

/// Sends the tag of a traced task ahead of its request to `to`.
void trace_send(struct lua_service *service, struct address to, const char *tag);

/// Keeps the tag that `source` has sent ahead of its next request; the oldest one goes when there
/// are too many. Borrows `tag`.
void trace_note_add(struct lua_service *service, uint32_t source, const void *tag, size_t size);

/// Gives the tag that `source` has sent ahead, and forgets it; end with skynet_free. NULL: none.
char *trace_note_take(struct lua_service *service, uint32_t source);

/// Called before `task` handles a request: gives it the tag that the sender sent ahead, or a new
/// one. `flag` is the field `trace` of the protocol: 1 always trace, 0 never, -1 only with a tag
/// from the sender.
void trace_begin_request(struct lua_service *service, struct task *task, int flag);

/// The Lua function skynet.tracelog and core.trace: (tag, text [, co] [, level]).
int trace_lua_log(lua_State *L);

#endif
