/* The text commands of skynet_command: the only place that knows their words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/env_table.h"
#include "data/module_table.h"
#include "kernel/log.h"
#include "kernel/message_trace.h"
#include "kernel/node.h"
#include "kernel/parse.h"
#include "kernel/runtime.h"
#include "kernel/service.h"
#include "kernel/timeout.h"

#ifndef SKYNET_VERSION
#define SKYNET_VERSION "development"
#endif

typedef const char *(*command_fn)(struct skynet_context *context, const char *param);

static const char *
answer_integer(struct skynet_context *context, int64_t value) {
	snprintf(context->result, sizeof context->result, "%" PRId64, value);
	return context->result;
}

static const char *
answer_seconds(struct skynet_context *context, int64_t ns) {
	snprintf(context->result, sizeof context->result, "%lf", (double)ns / 1e9);
	return context->result;
}

static const char *
answer_handle(struct skynet_context *context, uint32_t handle) {
	if (handle == 0)
		return NULL;
	snprintf(context->result, sizeof context->result, ":%x", handle);
	return context->result;
}

/* The handle that ":hex" or ".name" stands for. Returns 0, and logs a line, for anything else. */
static uint32_t
address_of(struct skynet_context *context, const char *param) {
	uint32_t handle = 0;
	if (param[0] == '.' && param[1] != '\0')
		handle = handle_table_find_name(context->node->handles, param + 1);
	else if (!parse_handle(param, &handle))
		log_line(context->node, service_handle(context),
			"error: Can't convert %s to handle", param);
	return handle;
}

static const char *
command_timeout(struct skynet_context *context, const char *param) {
	int64_t delay_cs = strtoll(param, NULL, 10);
	if (delay_cs > INT32_MAX)
		delay_cs = INT32_MAX;
	int session = skynet_context_newsession(context);
	timeout_start(context->node, service_handle(context), delay_cs * 10, session);
	return answer_integer(context, session);
}

static const char *
command_reg(struct skynet_context *context, const char *param) {
	if (param[0] == '\0')
		return answer_handle(context, service_handle(context));
	if (param[0] == '.' && param[1] != '\0')
		return handle_table_name(
			context->node->handles, param + 1, service_handle(context));
	log_line(context->node, service_handle(context),
		"error: Can't register global name %s in C", param);
	return NULL;
}

static const char *
command_query(struct skynet_context *context, const char *param) {
	if (param[0] != '.')
		return NULL;
	return answer_handle(context, handle_table_find_name(context->node->handles, param + 1));
}

static const char *
command_name(struct skynet_context *context, const char *param) {
	size_t size = strcspn(param, " ");
	const char *address = param + size + strspn(param + size, " ");
	uint32_t handle;
	if (size == 0 || !parse_handle(address, &handle))
		return NULL;
	char *name = skynet_malloc(size + 1);
	memcpy(name, param, size);
	name[size] = '\0';
	const char *result = NULL;
	if (name[0] == '.' && name[1] != '\0')
		result = handle_table_name(context->node->handles, name + 1, handle);
	else
		log_line(context->node, service_handle(context),
			"error: Can't set global name %s in C", name);
	skynet_free(name);
	return result;
}

static const char *
command_exit(struct skynet_context *context, const char *param) {
	(void)param;
	service_kill(context->node, 0, service_handle(context));
	return NULL;
}

static const char *
command_kill(struct skynet_context *context, const char *param) {
	uint32_t handle = address_of(context, param);
	if (handle != 0)
		service_kill(context->node, service_handle(context), handle);
	return NULL;
}

static const char *
command_launch(struct skynet_context *context, const char *param) {
	size_t size = strcspn(param, " \t\r\n");
	const char *rest = param + size;
	if (*rest != '\0')
		rest++;
	char *module = skynet_malloc(size + 1);
	memcpy(module, param, size);
	module[size] = '\0';
	uint32_t handle = size != 0 ? service_launch(context->node, module, rest, NULL) : 0;
	skynet_free(module);
	if (handle == 0)
		return NULL;
	snprintf(context->result, sizeof context->result, ":%08X", handle);
	return context->result;
}

static const char *
command_getenv(struct skynet_context *context, const char *param) {
	return env_table_get(context->node->settings, param);
}

static const char *
command_setenv(struct skynet_context *context, const char *param) {
	const char *space = strchr(param, ' ');
	if (space == NULL)
		return NULL;
	size_t size = (size_t)(space - param);
	char *key = skynet_malloc(size + 1);
	memcpy(key, param, size);
	key[size] = '\0';
	if (!env_table_set(context->node->settings, key, space + 1))
		log_line(context->node, service_handle(context),
			"error: the setting '%s' exists and keeps its value", key);
	skynet_free(key);
	return NULL;
}

static const char *
command_starttime(struct skynet_context *context, const char *param) {
	(void)param;
	return answer_integer(context, skynet_context_starttime(context));
}

/* Not in the reference. */
static const char *
command_version(struct skynet_context *context, const char *param) {
	(void)context;
	(void)param;
	return SKYNET_VERSION;
}

/* Not in the reference. The argument is "<exit code> <reason>". */
static const char *
command_abort(struct skynet_context *context, const char *param) {
	char *reason;
	long code = strtol(param, &reason, 10);
	reason += strspn(reason, " ");
	node_abort_by(
		context, code > 0 && code < 256 ? (int)code : 0, reason[0] != '\0' ? reason : NULL);
	return NULL;
}

static const char *
command_stop(struct skynet_context *context, const char *param) {
	long code = strtol(param, NULL, 10);
	node_stop(context->node, code > 0 && code < 256 ? (int)code : 0);
	return NULL;
}

static const char *
command_monitor(struct skynet_context *context, const char *param) {
	if (param[0] == '\0')
		return answer_handle(context,
			atomic_load_explicit(&context->node->monitor, memory_order_relaxed));
	uint32_t handle = address_of(context, param);
	if (handle != 0)
		atomic_store_explicit(&context->node->monitor, handle, memory_order_relaxed);
	return NULL;
}

static const char *
command_stat(struct skynet_context *context, const char *param) {
	static const struct {
		const char *word;
		enum skynet_stat stat;
		bool is_time;
	} words[] = {
		{"mqlen", SKYNET_STAT_MAILBOX, false},
		{"endless", SKYNET_STAT_ENDLESS, false},
		{"cpu", SKYNET_STAT_CPU_NS, true},
		{"time", SKYNET_STAT_TIME_NS, true},
		{"message", SKYNET_STAT_MESSAGE, false},
		{"mqlimit", SKYNET_STAT_LIMIT, false},
		{"rejected", SKYNET_STAT_REJECTED, false},
		{"dropped", SKYNET_STAT_DROPPED, false},
		{"blocked", SKYNET_STAT_BLOCKED, false},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(param, words[i].word) != 0)
			continue;
		int64_t value = skynet_stat_get(context, 0, words[i].stat);
		return words[i].is_time ? answer_seconds(context, value)
					: answer_integer(context, value);
	}
	return "";
}

static const char *
command_logon(struct skynet_context *context, const char *param) {
	uint32_t handle = address_of(context, param);
	struct skynet_context *target = handle != 0 ? service_grab(context->node, handle) : NULL;
	if (target != NULL) {
		message_trace_open(target);
		service_drop(target);
	}
	return NULL;
}

static const char *
command_logoff(struct skynet_context *context, const char *param) {
	uint32_t handle = address_of(context, param);
	struct skynet_context *target = handle != 0 ? service_grab(context->node, handle) : NULL;
	if (target != NULL) {
		message_trace_close(target);
		service_drop(target);
	}
	return NULL;
}

static const char *
command_signal(struct skynet_context *context, const char *param) {
	char address[64];
	size_t size = strcspn(param, " ");
	if (size == 0 || size >= sizeof address)
		return NULL;
	memcpy(address, param, size);
	address[size] = '\0';
	int64_t number = 0;
	if (param[size] != '\0' && !parse_integer(param + size + 1, 0, &number))
		return NULL;
	uint32_t handle = address_of(context, address);
	struct skynet_context *target = handle != 0 ? service_grab(context->node, handle) : NULL;
	if (target != NULL) {
		module_signal(target->module, target->instance, (int)number);
		service_drop(target);
	}
	return NULL;
}

static const struct {
	const char *word;
	command_fn run;
	bool needs_param;
} commands[] = {
	{"TIMEOUT", command_timeout, true},
	{"REG", command_reg, false},
	{"QUERY", command_query, true},
	{"NAME", command_name, true},
	{"EXIT", command_exit, false},
	{"KILL", command_kill, true},
	{"LAUNCH", command_launch, true},
	{"GETENV", command_getenv, true},
	{"SETENV", command_setenv, true},
	{"STARTTIME", command_starttime, false},
	{"VERSION", command_version, false},
	{"ABORT", command_abort, false},
	{"STOP", command_stop, false},
	{"MONITOR", command_monitor, false},
	{"STAT", command_stat, true},
	{"LOGON", command_logon, true},
	{"LOGOFF", command_logoff, true},
	{"SIGNAL", command_signal, true},
};

const char *
skynet_command(struct skynet_context *context, const char *command, const char *param) {
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(command, commands[i].word) != 0)
			continue;
		if (param == NULL && commands[i].needs_param) {
			log_line(context->node, service_handle(context),
				"error: command %s needs a parameter", command);
			return NULL;
		}
		return commands[i].run(context, param != NULL ? param : "");
	}
	return NULL;
}
