/* Payload of PTYPE_ERROR and texts of failed calls. See the header. */
#include "lua_error.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "skynet_handle.h"
#include "skynet_malloc.h"

#define CALL_FAILED     "call failed"
#define INVALID_ADDRESS "call to invalid address"

struct kind_words {
	const char *word;   /* in the payload, and the answer of skynet.error_kind */
	const char *phrase; /* in the error text */
};

static const struct kind_words kinds[] = {
	[FAILURE_TIMEOUT] = {"timeout", "timeout"},
	[FAILURE_DEAD_SERVICE] = {"dead_service", "dead service"},
	[FAILURE_DEAD_NODE] = {"dead_node", "dead node"},
	[FAILURE_OVERLOADED] = {"overloaded", "overloaded"},
	[FAILURE_REMOTE] = {"remote", "remote error"},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

void
call_failure_parse(struct call_failure *failure, uint32_t source, const void *data, size_t size) {
	const char *text = data;
	*failure = (struct call_failure){FAILURE_UNKNOWN, source, NULL};
	if (data == NULL)
		return;
	for (size_t i = FAILURE_TIMEOUT; i < KIND_COUNT; i++) {
		size_t length = strlen(kinds[i].word);
		if (size < length || memcmp(text, kinds[i].word, length) != 0)
			continue;
		if (size > length && text[length] != ':')
			continue;
		failure->kind = (enum call_failure_kind)i;
		/* Behind the word: ": text", or nothing. */
		if (size > length + 2) {
			text += length + 2;
			size -= length + 2;
			size = strnlen(
				text, size < CALL_FAILURE_TEXT_MAX ? size : CALL_FAILURE_TEXT_MAX);
			failure->text = skynet_malloc(size + 1);
			memcpy(failure->text, text, size);
			failure->text[size] = '\0';
		}
		return;
	}
}

void
call_failure_clear(struct call_failure *failure) {
	skynet_free(failure->text);
	*failure = (struct call_failure){FAILURE_NONE, 0, NULL};
}

char *
call_failure_pack(enum call_failure_kind kind, const char *text, size_t text_size, size_t *size) {
	const char *word = kinds[kind].word;
	size_t length = strlen(word);
	if (text != NULL) {
		/* The first line says it. */
		const char *end = memchr(text, '\n', text_size);
		if (end != NULL)
			text_size = (size_t)(end - text);
		if (text_size > CALL_FAILURE_TEXT_MAX)
			text_size = CALL_FAILURE_TEXT_MAX;
	}
	size_t total = length + (text != NULL && text_size > 0 ? 2 + text_size : 0);
	char *block = skynet_malloc(total + 1);
	memcpy(block, word, length);
	if (total > length) {
		memcpy(block + length, ": ", 2);
		memcpy(block + length + 2, text, text_size);
	}
	block[total] = '\0';
	*size = total;
	return block;
}

void
call_failure_push(lua_State *L, int level, struct call_failure *failure) {
	luaL_where(L, level);
	if (failure->kind < FAILURE_TIMEOUT) {
		lua_pushliteral(L, CALL_FAILED);
	} else if (failure->text != NULL) {
		const char *joint = failure->kind == FAILURE_REMOTE ? ": " : " ";
		lua_pushfstring(L, CALL_FAILED ": %s%s%s", kinds[failure->kind].phrase, joint,
			failure->text);
	} else if (failure->source != 0 &&
		   (failure->kind == FAILURE_DEAD_SERVICE || failure->kind == FAILURE_OVERLOADED)) {
		char handle[16];
		snprintf(handle, sizeof handle, ":%08" PRIx32, failure->source);
		lua_pushfstring(L, CALL_FAILED ": %s %s", kinds[failure->kind].phrase, handle);
	} else if (failure->source != 0 && failure->kind == FAILURE_DEAD_NODE) {
		lua_pushfstring(L, CALL_FAILED ": %s %d", kinds[failure->kind].phrase,
			(int)(failure->source >> HANDLE_REMOTE_SHIFT));
	} else {
		lua_pushfstring(L, CALL_FAILED ": %s", kinds[failure->kind].phrase);
	}
	lua_concat(L, 2);
	call_failure_clear(failure);
}

int
call_failure_lua_kind(lua_State *L) {
	const char *text = lua_tostring(L, 1);
	lua_pushnil(L);
	if (text == NULL)
		return 1;
	const char *failed = strstr(text, CALL_FAILED ": ");
	const char *invalid = strstr(text, INVALID_ADDRESS);
	if (invalid != NULL && (failed == NULL || invalid < failed)) {
		lua_pushstring(L, kinds[FAILURE_DEAD_SERVICE].word);
		return 1;
	}
	if (failed == NULL)
		return 1;
	failed += strlen(CALL_FAILED ": ");
	for (size_t i = FAILURE_TIMEOUT; i < KIND_COUNT; i++) {
		if (strncmp(failed, kinds[i].phrase, strlen(kinds[i].phrase)) == 0) {
			lua_pushstring(L, kinds[i].word);
			return 1;
		}
	}
	return 1;
}
