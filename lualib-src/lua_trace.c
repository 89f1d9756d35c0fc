/* Trace tags and their log lines. See the header. */
#include "lua_trace.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "skynet_malloc.h"

#define NOTES_MAX  256  /* tags that wait for their requests */
#define TAG_MAX    1023 /* bytes of one that another service has sent */
#define FRAME_MAX  3
#define LINE_MAX_  512
#define LOOK_DEPTH 16 /* frames looked at to find FRAME_MAX that are Lua */

void
trace_log(struct lua_service *service, const char *tag, const char *event) {
	skynet_error(service->context, "<TRACE %s> %" PRIu64 " %s", tag,
		skynet_clock_ns(service->context), event);
}

void
trace_log_frames(
	struct lua_service *service, lua_State *co, int level, const char *tag, const char *event) {
	char line[LINE_MAX_];
	size_t used = 0;
	lua_Debug frame;
	int found = 0;
	line[0] = '\0';
	for (int depth = 0; depth < LOOK_DEPTH && found < FRAME_MAX; depth++) {
		if (!lua_getstack(co, level + depth, &frame))
			break;
		lua_getinfo(co, "Sl", &frame);
		if (frame.currentline < 0)
			continue;
		int count = snprintf(line + used, sizeof line - used, "%s%.150s:%d",
			found == 0 ? " : " : " ", frame.source, frame.currentline);
		if (count < 0 || (size_t)count >= sizeof line - used)
			break;
		used += (size_t)count;
		found++;
	}
	skynet_error(service->context, "<TRACE %s> %" PRIu64 " %s%s", tag,
		skynet_clock_ns(service->context), event, line);
}

void
trace_send(struct lua_service *service, struct address to, const char *tag) {
	service_send(service, to, 0, PTYPE_RESERVED_TRACE, 0, (void *)tag, strlen(tag));
}

/* Drops the oldest tags behind the first `kept`: their requests have been lost, or a peer sends
 * tags alone. */
static void
drop_notes(struct lua_service *service, int kept) {
	struct trace_note **at = &service->traces;
	while (*at != NULL && kept-- > 0)
		at = &(*at)->next;
	while (*at != NULL) {
		struct trace_note *note = *at;
		*at = note->next;
		skynet_free(note);
	}
}

void
trace_note_add(struct lua_service *service, uint32_t source, const void *tag, size_t size) {
	skynet_free(trace_note_take(service, source));
	drop_notes(service, NOTES_MAX - 1);
	size = size < TAG_MAX ? size : TAG_MAX;
	struct trace_note *note = skynet_malloc(sizeof *note + size + 1);
	note->next = service->traces;
	note->source = source;
	/* It is logged, and another node may have sent it: it must not look like another line. */
	for (size_t i = 0; i < size; i++) {
		char byte = ((const char *)tag)[i];
		note->tag[i] = (char)(iscntrl((unsigned char)byte) ? '?' : byte);
	}
	note->tag[size] = '\0';
	service->traces = note;
}

char *
trace_note_take(struct lua_service *service, uint32_t source) {
	for (struct trace_note **at = &service->traces; *at != NULL; at = &(*at)->next) {
		struct trace_note *note = *at;
		if (note->source != source)
			continue;
		char *tag = skynet_strdup(note->tag);
		*at = note->next;
		skynet_free(note);
		return tag;
	}
	return NULL;
}

/// Gives `task` a new tag of this service.
static void
new_tag(struct lua_service *service, struct task *task) {
	char tag[32];
	snprintf(tag, sizeof tag, ":%08" PRIx32 "-%" PRIu32, service->handle, ++service->serial);
	skynet_free(task->trace);
	task->trace = skynet_strdup(tag);
}

void
trace_begin_request(struct lua_service *service, struct task *task, int flag) {
	char *tag = service->traces != NULL ? trace_note_take(service, task->request_source) : NULL;
	if (flag == 0) {
		task->trace_off = true;
		skynet_free(tag);
	} else if (tag != NULL) {
		task->trace = tag;
		trace_log(service, tag, "request");
	} else if (flag == 1) {
		new_tag(service, task);
		trace_log(service, task->trace, "trace");
	}
}

/// trace([info]): starts a trace in the running task
static int
trace(lua_State *L) {
	struct lua_service *service = service_of(L);
	const char *info = luaL_optstring(L, 1, NULL);
	struct task *task = service->current;
	if (task == NULL || task->trace_off)
		return 0;
	new_tag(service, task);
	if (info == NULL) {
		trace_log(service, task->trace, "trace");
		return 0;
	}
	trace_log(service, task->trace, lua_pushfstring(L, "trace %s", info));
	return 0;
}

/// tracetag() -> tag or nil
static int
tracetag(lua_State *L) {
	const struct task *task = service_of(L)->current;
	if (task == NULL || task->trace == NULL)
		return 0;
	lua_pushstring(L, task->trace);
	return 1;
}

/// trace(tag, text [, co] [, level]) of skynet.core, tracelog of skynet: one trace line
int
trace_lua_log(lua_State *L) {
	struct lua_service *service = service_of(L);
	const char *tag = luaL_checkstring(L, 1);
	const char *text = luaL_checkstring(L, 2);
	lua_State *co = lua_isthread(L, 3) ? lua_tothread(L, 3) : L;
	int level_index = lua_isthread(L, 3) ? 4 : 3;
	if (lua_isnoneornil(L, level_index) && co == L)
		trace_log(service, tag, text);
	else
		trace_log_frames(service, co, (int)luaL_optinteger(L, level_index, co == L ? 1 : 0),
			tag, text);
	return 0;
}

/// traceproto(protocol, flag): true traces every request, false none, nil those that are announced
static int
traceproto(lua_State *L) {
	struct lua_service *service = service_of(L);
	const struct protocol *protocol = protocol_find(L, service, 1);
	if (protocol == NULL)
		return luaL_error(L, "assertion failed!");
	lua_settop(L, 2);
	protocol_push(L, protocol);
	lua_pushvalue(L, 2);
	lua_setfield(L, 3, "trace");
	service->trace_used = true;
	return 0;
}

const luaL_Reg trace_functions[] = {
	{"trace", trace},
	{"tracetag", tracetag},
	{"tracelog", trace_lua_log},
	{"traceproto", traceproto},
	{NULL, NULL},
};
