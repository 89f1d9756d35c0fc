/* Why a call failed: the payload of PTYPE_ERROR, and the text of the Lua error made from it.
 *
 * The payload is empty, or one of the words below, or "word: text". The reference sends an empty
 * one and ignores what it receives, so services written for it may send anything: unknown payloads
 * count as empty.
 *     timeout          the deadline of the call is over (made by the caller, never sent)
 *     dead_service     the service that was called does not exist any more
 *     dead_node        the node that was called is lost; text: which
 *     overloaded       the mailbox of the service was full
 *     remote           the handler raised; text: its error
 */
#ifndef SKYNET_LUA_ERROR_H
#define SKYNET_LUA_ERROR_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_FAILURE_TEXT_MAX 1024 /* longer texts are cut */

enum call_failure_kind {
	FAILURE_NONE,
	FAILURE_UNKNOWN, /* failed without a reason */
	FAILURE_TIMEOUT,
	FAILURE_DEAD_SERVICE,
	FAILURE_DEAD_NODE,
	FAILURE_OVERLOADED,
	FAILURE_REMOTE,
};

struct call_failure {
	enum call_failure_kind kind;
	uint32_t source; /* service that reported it; 0: not to be in the error text */
	char *text;      /* skynet_malloc, may be NULL */
};

/// Reads a payload into `failure` (see call_failure_clear). Borrows `data`.
void call_failure_parse(
	struct call_failure *failure, uint32_t source, const void *data, size_t size);

/// Frees the text and forgets the failure.
void call_failure_clear(struct call_failure *failure);

/// Makes a payload: skynet_malloc'd block, `*size` bytes. Borrows `text`, which may be NULL.
char *call_failure_pack(
	enum call_failure_kind kind, const char *text, size_t text_size, size_t *size);

/// Pushes "<position>call failed[: reason]" for the caller at `level` and clears `failure`.
void call_failure_push(lua_State *L, int level, struct call_failure *failure);

/// The Lua function skynet.error_kind(err) -> kind word or nil.
int call_failure_lua_kind(lua_State *L);

#endif
