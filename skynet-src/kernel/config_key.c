#include "kernel/config_key.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/parse.h"
#include "skynet_node.h"
#include "skynet_socket.h"

#define THREAD_MAX   1024
#define DAY_MS       (24 * 3600 * 1000)
#define HINT_MINIMUM 4 /* shorter names are one edit away from too much */

static const struct config_key KEYS[] = {
	{.name = "thread",
		.type = CONFIG_INTEGER,
		.min = 1,
		.max = THREAD_MAX,
		.written = true,
		.meaning = "worker threads; by default the processors that this process may use"},
	{.name = "harbor",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = 255,
		.fallback = "1",
		.written = true,
		.meaning = "id in the harbor network, 1 to 255; 0: no such network"},
	{.name = "cpath",
		.type = CONFIG_PATTERN,
		.fallback = "./cservice/?.so",
		.written = true,
		.meaning = "where C services are"},
	{.name = "bootstrap",
		.type = CONFIG_NONEMPTY,
		.fallback = "snlua bootstrap",
		.written = true,
		.meaning = "first service: module and arguments"},
	{.name = "start",
		.type = CONFIG_NONEMPTY,
		.fallback = "main",
		.meaning = "your first service: script and arguments"},
	{.name = "logger",
		.type = CONFIG_TEXT,
		.false_is_absent = true,
		.meaning = "argument of the log service: a file to append to; absent: stdout"},
	{.name = "logservice",
		.type = CONFIG_NONEMPTY,
		.fallback = "logger",
		.written = true,
		.meaning = "module of the log service"},
	{.name = "logger_timestamp",
		.type = CONFIG_SWITCH,
		.fallback = "false",
		.meaning = "lines on stdout begin with the time, as those in a file do"},
	{.name = "logpath",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "folder for the message logs of single services (LOGON)"},
	{.name = "daemon",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "pid file; present: the process detaches from its terminal"},
	{.name = "profile",
		.type = CONFIG_SWITCH,
		.fallback = "true",
		.written = true,
		.meaning = "count the CPU time of each service"},
	{.name = "standalone",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "this node hosts the master, which listens here (host:port)"},
	{.name = "master",
		.type = CONFIG_TEXT,
		.false_is_absent = true,
		.meaning = "where the master of the harbor network is (host:port)"},
	{.name = "address",
		.type = CONFIG_TEXT,
		.false_is_absent = true,
		.meaning =
			"where this node listens for the other nodes of its harbor network (host:port)"},
	{.name = "harbor_heartbeat",
		.type = CONFIG_INTEGER,
		.min = 1,
		.max = 3600,
		.fallback = "5",
		.meaning =
			"seconds between signs of life of other nodes; three missing end a link"},
	{.name = "auth_secret",
		.type = CONFIG_NONEMPTY,
		.secret = true,
		.withheld = true,
		.false_is_absent = true,
		.meaning = "shared secret by which nodes know each other; better in a file"},
	{.name = "auth_secret_file",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "file with shared secrets: the first is ours, each is accepted"},
	{.name = "tls_cert",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "certificate for TLS between nodes (PEM)"},
	{.name = "tls_key",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "private key of tls_cert (PEM)"},
	{.name = "tls_ca",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "certificates that those of other nodes must come from (PEM)"},
	{.name = "tls_name",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning = "name that the certificates of other nodes must have"},
	{.name = "auth_allow",
		.type = CONFIG_NONEMPTY,
		.false_is_absent = true,
		.meaning =
			"addresses of nodes that are let in, and dialled, without authentication"},
	{.name = "auth_timeout",
		.type = CONFIG_SECONDS,
		.min = 100,
		.max = 60000,
		.fallback = "5",
		.meaning = "seconds that the authentication of a connection may take"},
	{.name = "require_auth",
		.type = CONFIG_CHOICE,
		.choices = "false|true",
		.fallback = "false",
		.meaning = "true: do not listen for nodes where others reach it without "
			   "authentication"},
	{.name = "cluster", .type = CONFIG_TEXT, .meaning = "file with the names of cluster nodes"},
	{.name = "cluster_heartbeat",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = 3600,
		.fallback = "5",
		.meaning = "seconds between signs of life of cluster nodes; three missing end a "
			   "link; 0: none"},
	{.name = "cluster_patience",
		.type = CONFIG_INTEGER,
		.min = 1,
		.max = 3600,
		.fallback = "2",
		.meaning =
			"seconds for which a service with a full mailbox (policy block) holds up "
			"connections of cluster nodes"},
	{.name = "cluster_buffer_limit",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = INT64_MAX,
		.fallback = "67108864",
		.meaning = "bytes that may wait for one cluster node; 0: any number"},
	{.name = "cluster_buffer_policy",
		.type = CONFIG_CHOICE,
		.choices = "block|reject|drop",
		.fallback = "block",
		.meaning = "at cluster_buffer_limit: senders wait, get an error, or the oldest "
			   "message goes"},
	{.name = "luaservice",
		.type = CONFIG_PATTERN,
		.fallback = "./service/?.lua",
		.meaning = "where Lua services are"},
	{.name = "lualoader",
		.type = CONFIG_NONEMPTY,
		.fallback = "./lualib/loader.lua",
		.meaning = "chunk that starts each Lua service"},
	{.name = "lua_path",
		.type = CONFIG_TEXT,
		.fallback = "./lualib/?.lua;./lualib/?/init.lua",
		.meaning = "package.path of Lua services"},
	{.name = "lua_cpath",
		.type = CONFIG_TEXT,
		.fallback = "./luaclib/?.so",
		.meaning = "package.cpath of Lua services"},
	{.name = "preload",
		.type = CONFIG_TEXT,
		.meaning = "script that runs in each Lua service before its own"},
	{.name = "snax", .type = CONFIG_TEXT, .meaning = "where snax services are"},
	{.name = "snax_interface_g",
		.type = CONFIG_TEXT,
		.meaning = "module with extra globals for the loading of snax services"},
	{.name = "snax_loader", .type = CONFIG_TEXT, .meaning = "file that returns a snax loader"},
	{.name = "enablessl",
		.type = CONFIG_SWITCH,
		.fallback = "false",
		.meaning = "initialise the TLS library at boot"},
	{.name = "certfile",
		.type = CONFIG_TEXT,
		.fallback = "./server-cert.pem",
		.meaning = "certificate of HTTPS and WSS servers"},
	{.name = "keyfile",
		.type = CONFIG_TEXT,
		.fallback = "./server-key.pem",
		.meaning = "private key of HTTPS and WSS servers"},
	{.name = "shutdown_timeout",
		.type = CONFIG_SECONDS,
		.min = 0,
		.max = DAY_MS,
		.fallback = "10",
		.meaning = "seconds that an orderly stop may take"},
	{.name = "call_timeout",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = INT_MAX,
		.fallback = "0",
		.meaning = "default deadline of skynet.call in 1/100 s; 0: none"},
	{.name = "mailbox_limit",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = INT64_MAX,
		.fallback = "0",
		.meaning = "messages that may wait for one service; 0: any number"},
	{.name = "mailbox_policy",
		.type = CONFIG_CHOICE,
		.choices = "block|reject|drop",
		.fallback = "block",
		.meaning =
			"at mailbox_limit: the sender waits, gets an error, or the oldest message goes"},
	{.name = "stall_timeout",
		.type = CONFIG_SECONDS,
		.min = 1,
		.max = DAY_MS,
		.fallback = "5",
		.meaning = "seconds in one message after which a service is reported"},
	{.name = "stall_interrupt",
		.type = CONFIG_SECONDS,
		.min = 0,
		.max = DAY_MS,
		.fallback = "0",
		.meaning =
			"seconds in one message after which a Lua service is interrupted; 0: never"},
	{.name = "socket_buffer_limit",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = INT64_MAX,
		.fallback = "268435456",
		.meaning = "bytes that may wait to be sent on one socket; 0: any number"},
	{.name = "socket_buffer_policy",
		.type = CONFIG_CHOICE,
		.choices = "reject|close",
		.fallback = "close",
		.meaning = "at socket_buffer_limit: the send fails, or the connection is closed"},
	{.name = "socket_spin",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = 10000,
		.fallback = "100",
		.meaning =
			"microseconds to look for socket events before sleeping; 0: sleep at once"},
	{.name = "topic_limit",
		.type = CONFIG_INTEGER,
		.min = 0,
		.max = INT64_MAX,
		.fallback = "16777216",
		.written = true,
		.meaning =
			"bytes of topics that may wait for one other node; the oldest messages go"},
	{.name = "console_password",
		.type = CONFIG_NONEMPTY,
		.secret = true,
		.false_is_absent = true,
		.meaning = "what the debug console asks for"},
};

static_assert(SKYNET_MAILBOX_BLOCK == 0 && SKYNET_MAILBOX_REJECT == 1 && SKYNET_MAILBOX_DROP == 2,
	"the words of mailbox_policy stand in the order of the enum");
static_assert(SKYNET_SOCKET_REJECT == 0 && SKYNET_SOCKET_CLOSE == 1,
	"the words of socket_buffer_policy stand in the order of the enum");

#define KEY_COUNT (sizeof KEYS / sizeof KEYS[0])

const struct config_key *
config_key_at(size_t index) {
	return index < KEY_COUNT ? &KEYS[index] : NULL;
}

const struct config_key *
config_key_find(const char *name) {
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(KEYS[i].name, name) == 0)
			return &KEYS[i];
	}
	return NULL;
}

/* One edit apart: what is left of both behind their common start and end tells which one. */
static bool
one_edit(const char *a, const char *b) {
	size_t a_size = strlen(a), b_size = strlen(b), same = 0;
	while (a[same] != '\0' && a[same] == b[same])
		same++;
	while (a_size > same && b_size > same && a[a_size - 1] == b[b_size - 1]) {
		a_size--;
		b_size--;
	}
	size_t a_rest = a_size - same, b_rest = b_size - same;
	if (a_rest == 2 && b_rest == 2)
		return a[same] == b[same + 1] && a[same + 1] == b[same];
	return a_rest <= 1 && b_rest <= 1 && a_rest + b_rest > 0;
}

const struct config_key *
config_key_near(const char *name) {
	if (strlen(name) < HINT_MINIMUM || config_key_find(name) != NULL)
		return NULL;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (one_edit(name, KEYS[i].name))
			return &KEYS[i];
	}
	return NULL;
}

static bool
parse_milliseconds(const char *text, int64_t *value) {
	char *end;
	double seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(seconds) || fabs(seconds) > 1e9)
		return false;
	*value = llround(seconds * 1000);
	return true;
}

/* Number of the word `text` in "a|b|c", or -1. */
static int
choice_index(const char *choices, const char *text) {
	size_t size = strlen(text);
	for (int index = 0;; index++) {
		size_t word = strcspn(choices, "|");
		if (word == size && memcmp(choices, text, size) == 0)
			return index;
		if (choices[word] == '\0')
			return -1;
		choices += word + 1;
	}
}

static int
check_integer(const struct config_key *key, const char *text, int64_t *value,
	struct skynet_error *error) {
	bool number = parse_whole(text, value);
	/* This text is older than this program, and people look for it. */
	if (strcmp(key->name, "thread") == 0 && (!number || *value < key->min || *value > key->max))
		return error_set(error, SKYNET_ECONFIG, "Invalid thread %lld , should be in [1,%d]",
			number ? (long long)*value : 0LL, THREAD_MAX);
	if (!number)
		return error_set(error, SKYNET_ECONFIG, "'%s' must be a whole number, not '%.64s'",
			key->name, text);
	if (*value < key->min || *value > key->max)
		return error_set(error, SKYNET_ECONFIG, "'%s' must be %lld to %lld, not %lld",
			key->name, (long long)key->min, (long long)key->max, (long long)*value);
	return 0;
}

static int
check_seconds(const struct config_key *key, const char *text, int64_t *value,
	struct skynet_error *error) {
	if (!parse_milliseconds(text, value))
		return error_set(error, SKYNET_ECONFIG,
			"'%s' must be a number of seconds, not '%.64s'", key->name, text);
	if (*value < key->min || *value > key->max)
		return error_set(error, SKYNET_ECONFIG, "'%s' must be %g to %g seconds, not %.64s",
			key->name, (double)key->min / 1000, (double)key->max / 1000, text);
	return 0;
}

static int
check_pattern(const struct config_key *key, const char *text, struct skynet_error *error) {
	const char *part = text;
	for (;;) {
		size_t size = strcspn(part, ";");
		bool skipped = size == 0 && text[0] != '\0';
		if (!skipped && memchr(part, '?', size) == NULL)
			return error_set(error, SKYNET_ECONFIG,
				"Invalid %s path: '%.*s' in '%s' has no '?' for the name of the service",
				strcmp(key->name, "cpath") == 0 ? "C service" : "service",
				(int)(size > 64 ? 64 : size), part, key->name);
		if (part[size] == '\0')
			return 0;
		part += size + 1;
	}
}

/* The fields of struct skynet_config, by the name of their key. */
static void
store_text(struct skynet_config *config, const char *name, const char *text) {
	if (strcmp(name, "cpath") == 0)
		config->cpath = text;
	else if (strcmp(name, "bootstrap") == 0)
		config->bootstrap = text;
	else if (strcmp(name, "logger") == 0)
		config->logger = text;
	else if (strcmp(name, "logservice") == 0)
		config->logservice = text;
	else if (strcmp(name, "logpath") == 0)
		config->logpath = text;
	else if (strcmp(name, "daemon") == 0)
		config->daemon = text;
}

static void
store_number(struct skynet_config *config, const char *name, int64_t value) {
	if (strcmp(name, "thread") == 0)
		config->thread = (int)value;
	else if (strcmp(name, "harbor") == 0)
		config->harbor = (int)value;
	else if (strcmp(name, "profile") == 0)
		config->profile = value != 0;
	else if (strcmp(name, "shutdown_timeout") == 0)
		config->shutdown_timeout_ms = (int)value;
	else if (strcmp(name, "mailbox_limit") == 0)
		config->mailbox_limit = value;
	else if (strcmp(name, "mailbox_policy") == 0)
		config->mailbox_policy = (int)value;
	else if (strcmp(name, "require_auth") == 0)
		config->require_auth = value != 0;
	else if (strcmp(name, "auth_timeout") == 0)
		config->auth_timeout_ms = (int)value;
	else if (strcmp(name, "stall_timeout") == 0)
		config->stall_timeout_ms = (int)value;
	else if (strcmp(name, "stall_interrupt") == 0)
		config->stall_interrupt_ms = (int)value;
	else if (strcmp(name, "socket_buffer_limit") == 0)
		config->socket_buffer_limit = value;
	else if (strcmp(name, "socket_buffer_policy") == 0)
		config->socket_buffer_policy = (int)value;
	else if (strcmp(name, "socket_spin") == 0)
		config->socket_spin_us = (int)value;
}

int
config_key_store(const struct config_key *key, const char *text, struct skynet_config *config,
	struct skynet_error *error) {
	int64_t value = 0;
	int result = 0;
	switch (key->type) {
	case CONFIG_NONEMPTY:
		if (text[0] == '\0')
			return error_set(error, SKYNET_ECONFIG,
				"'%s' is empty: give it a value or remove the line", key->name);
		break;
	case CONFIG_TEXT:
		break;
	case CONFIG_PATTERN:
		result = check_pattern(key, text, error);
		break;
	case CONFIG_INTEGER:
		result = check_integer(key, text, &value, error);
		break;
	case CONFIG_SECONDS:
		result = check_seconds(key, text, &value, error);
		break;
	case CONFIG_SWITCH:
		value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
		break;
	case CONFIG_CHOICE:
		value = choice_index(key->choices, text);
		if (value < 0)
			return error_set(error, SKYNET_ECONFIG,
				"'%s' must be one of %s, not '%.64s'", key->name, key->choices,
				text);
		break;
	}
	if (result != 0)
		return result;
	store_text(config, key->name, text);
	store_number(config, key->name, value);
	return 0;
}
