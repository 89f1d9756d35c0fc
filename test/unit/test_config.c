/* Configs: what a file means, where each setting comes from, and how each kind of bad file is told.
 * Each test writes its files into a folder of its own.
 */
// wrap: read fstat lua_newstate
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/config_key.h"
#include "kernel/config_setting.h"
#include "skynet_node.h"
#include "skynet_socket.h"

struct fixture {
	char folder[64];
	char path[96]; /* <folder>/config */
	struct skynet_config config;
	struct skynet_error error;
};

static int fail_read;  /* errno for the next read, 0: none */
static int fail_fstat; /* errno of each fstat, 0: none */
static int fail_newstate;

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
int __real_fstat(int fd, struct stat *info);
int __wrap_fstat(int fd, struct stat *info);
void *__real_lua_newstate(void *alloc, void *ud);
void *__wrap_lua_newstate(void *alloc, void *ud);

ssize_t
__wrap_read(int fd, void *buffer, size_t size) {
	if (fail_read == 0)
		return __real_read(fd, buffer, size);
	errno = fail_read;
	fail_read = 0;
	return -1;
}

int
__wrap_fstat(int fd, struct stat *info) {
	if (fail_fstat == 0)
		return __real_fstat(fd, info);
	errno = fail_fstat;
	return -1;
}

void *
__wrap_lua_newstate(void *alloc, void *ud) {
	return fail_newstate ? NULL : __real_lua_newstate(alloc, ud);
}

static int
setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof *fixture);
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_config.XXXXXX");
	if (mkdtemp(fixture->folder) == NULL)
		return -1;
	snprintf(fixture->path, sizeof fixture->path, "%s/config", fixture->folder);
	*state = fixture;
	return 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	char command[128];
	skynet_config_clear(&fixture->config);
	snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
	int status = system(command);
	free(fixture);
	fail_read = 0;
	fail_fstat = 0;
	fail_newstate = 0;
	return status;
}

static void
write_bytes(struct fixture *fixture, const char *name, const char *bytes, size_t size) {
	char path[128];
	snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void
write_file(struct fixture *fixture, const char *name, const char *text) {
	write_bytes(fixture, name, text, strlen(text));
}

static int
load_with(struct fixture *fixture, const char *text, const char *const *overrides, int count) {
	skynet_config_clear(&fixture->config);
	write_file(fixture, "config", text);
	return skynet_config_load(
		&fixture->config, fixture->path, overrides, count, &fixture->error);
}

static int
load(struct fixture *fixture, const char *text) {
	return load_with(fixture, text, NULL, 0);
}

static void
load_ok(struct fixture *fixture, const char *text) {
	if (load(fixture, text) != 0)
		fail_msg("does not load: %s", fixture->error.text);
}

static const char *
value(struct fixture *fixture, const char *key) {
	const struct skynet_setting *setting = config_setting_find(&fixture->config, key);
	return setting == NULL ? NULL : setting->value;
}

static const char *
origin(struct fixture *fixture, const char *key) {
	const struct skynet_setting *setting = config_setting_find(&fixture->config, key);
	return setting == NULL ? NULL : setting->origin;
}

/* The load fails with "<path><rest>", `rest` being a beginning. */
static void
expect_error(struct fixture *fixture, const char *text, const char *rest) {
	char expected[256];
	snprintf(expected, sizeof expected, "%s%s", fixture->path, rest);
	assert_int_equal(load(fixture, text), SKYNET_ECONFIG);
	assert_int_equal(fixture->error.code, SKYNET_ECONFIG);
	if (strncmp(fixture->error.text, expected, strlen(expected)) != 0)
		fail_msg("expected: %s\n   found: %s", expected, fixture->error.text);
	assert_int_equal(fixture->config.setting_count, 0);
	assert_null(fixture->config.settings);
}

static void
converts_values_by_the_rules_of_lua(void **state) {
	struct fixture *fixture = *state;
	load_ok(fixture, "a = 3\nb = 3.0\nc = 1e100\nd = true\ne = false\nf = 'text'\ng = ''\n"
			 "h = 'cut\\0here'\ni = 1\ni = nil\nj = -7\n");
	assert_string_equal(value(fixture, "a"), "3");
	assert_string_equal(value(fixture, "b"), "3.0");
	assert_string_equal(value(fixture, "c"), "1e+100");
	assert_string_equal(value(fixture, "d"), "true");
	assert_string_equal(value(fixture, "e"), "false");
	assert_string_equal(value(fixture, "f"), "text");
	assert_string_equal(value(fixture, "g"), "");
	assert_string_equal(value(fixture, "h"), "cut");
	assert_null(value(fixture, "i"));
	assert_string_equal(value(fixture, "j"), "-7");
	assert_null(value(fixture, "include"));
}

static void
writes_defaults_back(void **state) {
	struct fixture *fixture = *state;
	load_ok(fixture, "");
	assert_string_equal(value(fixture, "harbor"), "1");
	assert_string_equal(value(fixture, "cpath"), "./cservice/?.so");
	assert_string_equal(value(fixture, "bootstrap"), "snlua bootstrap");
	assert_string_equal(value(fixture, "logservice"), "logger");
	assert_string_equal(value(fixture, "profile"), "true");
	assert_string_equal(origin(fixture, "harbor"), "default");
	assert_int_equal(fixture->config.thread, atoi(value(fixture, "thread")));
	assert_in_range(fixture->config.thread, 1, 1024);
	/* Those that only a service reads stay absent. */
	assert_null(value(fixture, "luaservice"));
	assert_null(value(fixture, "start"));
	assert_null(value(fixture, "shutdown_timeout"));
	assert_int_equal(fixture->config.shutdown_timeout_ms, 10000);
	assert_int_equal(fixture->config.stall_timeout_ms, 5000);
	assert_int_equal(fixture->config.stall_interrupt_ms, 0);
	assert_int_equal(fixture->config.mailbox_limit, 0);
	assert_int_equal(fixture->config.mailbox_policy, SKYNET_MAILBOX_BLOCK);
	assert_true(fixture->config.socket_buffer_limit == (int64_t)256 << 20);
	assert_int_equal(fixture->config.socket_buffer_policy, SKYNET_SOCKET_CLOSE);
	assert_true(fixture->config.profile);
	assert_null(fixture->config.daemon);
	assert_null(fixture->config.logger);
	assert_null(fixture->config.logpath);
}

static void
fills_the_typed_fields(void **state) {
	struct fixture *fixture = *state;
	load_ok(fixture,
		"thread = 4.0\nharbor = '255'\nprofile = false\nlogger = 'x.log'\n"
		"logservice = 'snlua'\nlogpath = 'logs'\ndaemon = './skynet.pid'\n"
		"cpath = 'a/?.so;b/?.so;'\nbootstrap = 'snlua boot'\nshutdown_timeout = 0.5\n"
		"mailbox_limit = 1000000\nmailbox_policy = 'drop'\nstall_timeout = 2\n"
		"stall_interrupt = '30'\nsocket_buffer_limit = 5000000000\n"
		"socket_buffer_policy = 'reject'\n");
	const struct skynet_config *config = &fixture->config;
	assert_int_equal(config->thread, 4);
	assert_int_equal(config->harbor, 255);
	assert_false(config->profile);
	assert_string_equal(config->logger, "x.log");
	assert_string_equal(config->logservice, "snlua");
	assert_string_equal(config->logpath, "logs");
	assert_string_equal(config->daemon, "./skynet.pid");
	assert_string_equal(config->cpath, "a/?.so;b/?.so;");
	assert_string_equal(config->bootstrap, "snlua boot");
	assert_int_equal(config->shutdown_timeout_ms, 500);
	assert_int_equal(config->mailbox_limit, 1000000);
	assert_int_equal(config->mailbox_policy, SKYNET_MAILBOX_DROP);
	assert_int_equal(config->stall_timeout_ms, 2000);
	assert_int_equal(config->stall_interrupt_ms, 30000);
	assert_true(config->socket_buffer_limit == 5000000000);
	assert_int_equal(config->socket_buffer_policy, SKYNET_SOCKET_REJECT);
}

static void
takes_false_as_absent_where_it_once_counted_as_set(void **state) {
	struct fixture *fixture = *state;
	load_ok(fixture, "daemon = false\nstandalone = false\nlogger = false\n");
	assert_null(value(fixture, "daemon"));
	assert_null(fixture->config.daemon);
	assert_null(value(fixture, "standalone"));
	assert_null(fixture->config.logger);
	load_ok(fixture, "profile = 1");
	assert_true(fixture->config.profile);
}

static void
replaces_environment_variables_in_the_raw_text(void **state) {
	struct fixture *fixture = *state;
	setenv("TEST_CONFIG_A", "12", 1);
	setenv("TEST_CONFIG_B", "x\"y", 1);
	load_ok(fixture, "a = $TEST_CONFIG_A\nb = '$TEST_CONFIG_B'\n-- $TEST_CONFIG_A\n"
			 "c = '${TEST_CONFIG_A}$'\nd = '$TEST_CONFIG_A-$TEST_CONFIG_A'\n");
	assert_string_equal(value(fixture, "a"), "12");
	assert_string_equal(value(fixture, "b"), "x\"y");
	assert_string_equal(value(fixture, "c"), "${TEST_CONFIG_A}$");
	assert_string_equal(value(fixture, "d"), "12-12");
	unsetenv("TEST_CONFIG_A");
	expect_error(fixture, "a = 1\n\n-- see $TEST_CONFIG_A\n",
		":3: os.getenv() failed: TEST_CONFIG_A");
}

static void
reports_an_endless_variable_name(void **state) {
	struct fixture *fixture = *state;
	char text[1002];
	memset(text, 'A', sizeof text - 1);
	text[0] = '$';
	text[sizeof text - 1] = '\0';
	expect_error(fixture, text, ":1: os.getenv() failed: AAA");
}

static void
shows_a_file_nothing_but_include_and_string_methods(void **state) {
	struct fixture *fixture = *state;
	load_ok(fixture,
		"a = os == nil and io == nil and print == nil and require == nil\n"
		"b = load == nil and string == nil and pcall == nil and _G == nil\n"
		"c = ('x'):rep(3) .. ('a b'):gsub(' ', '-')\nd = ('k=v'):match('=(.*)$')\n");
	assert_string_equal(value(fixture, "a"), "true");
	assert_string_equal(value(fixture, "b"), "true");
	assert_string_equal(value(fixture, "c"), "xxxa-b");
	assert_string_equal(value(fixture, "d"), "v");
}

static void
includes_files_relative_to_the_including_one(void **state) {
	struct fixture *fixture = *state;
	char command[256];
	snprintf(command, sizeof command, "mkdir -p %s/sub/deeper", fixture->folder);
	assert_int_equal(system(command), 0);
	write_file(fixture, "sub/one", "one = top .. '1'\ninclude 'deeper/two'\nafter = two\n");
	write_file(fixture, "sub/deeper/two", "\n\ntwo = one .. '2'\ninclude '../three'\n");
	write_file(fixture, "sub/three", "three = 3");
	load_ok(fixture, "top = 't'\ninclude 'sub/one'\nback = after .. three\n");
	assert_string_equal(value(fixture, "back"), "t123");
	char expected[128];
	snprintf(expected, sizeof expected, "%s/sub/deeper/two:3", fixture->folder);
	assert_string_equal(origin(fixture, "two"), expected);
	snprintf(expected, sizeof expected, "%s:3", fixture->path);
	assert_string_equal(origin(fixture, "back"), expected);
}

static void
includes_absolute_paths_and_the_same_file_twice(void **state) {
	struct fixture *fixture = *state;
	char text[256];
	write_file(fixture, "other", "count = (count or 0) + 1");
	snprintf(text, sizeof text, "include '%s/other'\ninclude 'other'", fixture->folder);
	load_ok(fixture, text);
	assert_string_equal(value(fixture, "count"), "2");
}

static void
ends_include_cycles_and_depth(void **state) {
	struct fixture *fixture = *state;
	expect_error(fixture, "include 'config'", ":1: include 'config': this file is being");
	write_file(fixture, "a", "include './a'");
	assert_int_equal(load(fixture, "include './././a'"), SKYNET_ECONFIG);
	assert_non_null(strstr(fixture->error.text, "/a:1: include './a': this file is being"));
	for (int i = 1; i < 40; i++) {
		char name[16], text[32];
		snprintf(name, sizeof name, "f%d", i);
		snprintf(text, sizeof text, "include 'f%d'", i + 1);
		write_file(fixture, name, text);
	}
	assert_int_equal(load(fixture, "include 'f1'"), SKYNET_ECONFIG);
	assert_non_null(
		strstr(fixture->error.text, "/f31:1: include 'f32': more than 32 files deep"));
	write_file(fixture, "empty", "");
	expect_error(
		fixture, "for i = 1, 100000 do include 'empty' end", ":1: include 'empty': more");
}

static void
notes_the_line_of_the_last_assignment(void **state) {
	struct fixture *fixture = *state;
	char expected[128];
	load_ok(fixture, "a = 1\nlocal function set()\n  a = 2\nend\nset()\n");
	snprintf(expected, sizeof expected, "%s:3", fixture->path);
	assert_string_equal(origin(fixture, "a"), expected);
	assert_string_equal(value(fixture, "a"), "2");
}

static void
lets_the_command_line_win(void **state) {
	struct fixture *fixture = *state;
	const char *const overrides[] = {"root=/opt/", "thread=3", "new=a=b", "daemon=false",
		"thread=5", "flag=true", "version=1e3", "empty="};
	int result = load_with(fixture,
		"root = './'\ndaemon = 'pid'\nluaservice = root .. '?.lua'\nthread = 2\n"
		"twice = thread * 2\nisflag = flag == true\n",
		overrides, 8);
	assert_int_equal(result, 0);
	assert_string_equal(value(fixture, "root"), "/opt/");
	assert_string_equal(value(fixture, "luaservice"), "/opt/?.lua");
	assert_string_equal(origin(fixture, "root"), "command line");
	assert_string_equal(value(fixture, "new"), "a=b");
	assert_string_equal(value(fixture, "empty"), "");
	assert_string_equal(value(fixture, "twice"), "10");
	assert_string_equal(value(fixture, "isflag"), "true");
	assert_string_equal(value(fixture, "version"), "1e3");
	assert_int_equal(fixture->config.thread, 5);
	assert_null(value(fixture, "daemon"));
}

static void
refuses_overrides_of_another_form(void **state) {
	struct fixture *fixture = *state;
	const char *const overrides[] = {"thread"}, *const no_key[] = {"=1"},
			  *const blank[] = {" a=1"}, *const bad[] = {"thread=many"};
	assert_int_equal(load_with(fixture, "", overrides, 1), SKYNET_ECONFIG);
	assert_non_null(strstr(fixture->error.text, "'-D thread' is not of the form key=value"));
	assert_int_equal(load_with(fixture, "", no_key, 1), SKYNET_ECONFIG);
	assert_int_equal(load_with(fixture, "", blank, 1), SKYNET_ECONFIG);
	assert_int_equal(load_with(fixture, "", bad, 1), SKYNET_ECONFIG);
	assert_string_equal(
		fixture->error.text, "command line: Invalid thread 0 , should be in [1,1024]");
}

static void
places_bad_values(void **state) {
	struct fixture *fixture = *state;
	static const struct {
		const char *text, *rest;
	} CASES[] = {
		{"thread = 0", ":1: Invalid thread 0 , should be in [1,1024]"},
		{"\nthread = 1025", ":2: Invalid thread 1025 , should be in [1,1024]"},
		{"thread = 'eight'", ":1: Invalid thread 0 , should be in [1,1024]"},
		{"thread = -1", ":1: Invalid thread -1 , should be in [1,1024]"},
		{"thread = 99999999999999999999", ":1: Invalid thread 0 , should be"},
		{"harbor = 256", ":1: 'harbor' must be 0 to 255, not 256"},
		{"harbor = 'one'", ":1: 'harbor' must be a whole number, not 'one'"},
		{"harbor = 1.5", ":1: 'harbor' must be a whole number, not '1.5'"},
		{"harbor = true", ":1: 'harbor' must be a whole number, not 'true'"},
		{"cpath = './cservice'",
			":1: Invalid C service path: './cservice' in 'cpath' has no"},
		{"cpath = 'a/?.so;b'", ":1: Invalid C service path: 'b' in 'cpath' has no '?'"},
		{"cpath = ''", ":1: Invalid C service path"},
		{"luaservice = 'x'", ":1: Invalid service path: 'x' in 'luaservice' has no '?'"},
		{"bootstrap = ''", ":1: 'bootstrap' is empty: give it a value or remove the line"},
		{"daemon = ''", ":1: 'daemon' is empty"},
		{"shutdown_timeout = 'soon'", ":1: 'shutdown_timeout' must be a number of seconds"},
		{"shutdown_timeout = -1",
			":1: 'shutdown_timeout' must be 0 to 86400 seconds, not -1"},
		{"shutdown_timeout = 0/0", ":1: 'shutdown_timeout' must be a number of seconds"},
		{"mailbox_limit = -1",
			":1: 'mailbox_limit' must be 0 to 9223372036854775807, not -1"},
		{"mailbox_policy = 'rej'",
			":1: 'mailbox_policy' must be one of block|reject|drop, not 'rej'"},
		{"mailbox_policy = ''", ":1: 'mailbox_policy' must be one of"},
		{"call_timeout = {}", ":1: Invalid config table key = call_timeout (a table"},
		{"\nt = {}\n", ":2: Invalid config table key = t (a table; values are"},
		{"function f() end", ":1: Invalid config table key = f (a function"},
		{"_ENV[1] = 2", ":1: Invalid config table: a key is a number"},
		{"_ENV[''] = 2", ":1: Invalid config table key = "},
		{"_ENV['a\\0b'] = 2", ": Invalid config table: the key 'a' has a zero byte"},
		{"a = = 1", ":1: unexpected symbol near '='"},
		{"a = 1\nb = undefined.field\n", ":2: attempt to index a nil value"},
		{"print 'x'", ":1: attempt to call a nil value (global 'print')"},
		{"include 'nowhere'", ":1: cannot open "},
		{"include '/dev/zero'", ":1: '/dev/zero' is no regular file"},
		{"include '/tmp'", ":1: '/tmp' is no regular file"},
		{"include(nil)", ":1: bad argument #1 to 'include'"},
		{"\x1bLua", ": attempt to load a binary chunk"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
		expect_error(fixture, CASES[i].text, CASES[i].rest);
}

static void
shows_no_secret_in_a_syntax_error(void **state) {
	struct fixture *fixture = *state;
	static const char *const CASES[] = {
		"auth_secret = 'my-53cr3t-word",
		"auth_secret = \"my-53cr3t-word\n",
		"auth_secret = [[my-53cr3t-word",
		"auth_secret = 'my' 'my-53cr3t-word'",
		"auth_secret = 'my' [[my-53cr3t-word]]",
		"auth_secret = 53cr3t",
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		expect_error(fixture, CASES[i], ":1: ");
		assert_null(strstr(fixture->error.text, "53cr3t"));
	}
}

static void
names_the_included_file_in_errors(void **state) {
	struct fixture *fixture = *state;
	char expected[128];
	write_file(fixture, "part", "\nthread = 'x'");
	assert_int_equal(load(fixture, "include 'part'"), SKYNET_ECONFIG);
	snprintf(expected, sizeof expected, "%s/part:2: Invalid thread 0", fixture->folder);
	assert_memory_equal(fixture->error.text, expected, strlen(expected));
	write_file(fixture, "part", "\n\nx = = 1");
	assert_int_equal(load(fixture, "include 'part'"), SKYNET_ECONFIG);
	snprintf(expected, sizeof expected, "%s/part:3: unexpected symbol", fixture->folder);
	assert_memory_equal(fixture->error.text, expected, strlen(expected));
}

static void
reports_files_that_cannot_be_read(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(skynet_config_load(
				 &fixture->config, "/nonexistent/config", NULL, 0, &fixture->error),
		SKYNET_ECONFIG);
	assert_string_equal(fixture->error.text,
		"/nonexistent/config: cannot open "
		"'/nonexistent/config': No such file or directory");
	assert_int_equal(skynet_config_load(&fixture->config, "/tmp", NULL, 0, &fixture->error),
		SKYNET_ECONFIG);
	assert_string_equal(fixture->error.text, "/tmp: cannot read '/tmp': Is a directory");
	fail_read = EIO;
	expect_error(fixture, "a = 1", ": cannot read ");
	fail_read = EINTR;
	load_ok(fixture, "a = 1");
	fail_fstat = EIO; /* only an included file is asked what it is */
	load_ok(fixture, "a = 1");
	write_file(fixture, "part", "b = 1");
	expect_error(fixture, "a = 1\ninclude 'part'", ":2: cannot read '");
	fail_fstat = 0;
	load_ok(fixture, "a = 1\ninclude 'part'");
	skynet_config_clear(&fixture->config);
	assert_int_equal(
		skynet_config_load(&fixture->config, "/dev/zero", NULL, 0, &fixture->error),
		SKYNET_ECONFIG);
	assert_non_null(strstr(fixture->error.text, "is larger than"));
}

static void
reports_that_lua_cannot_start(void **state) {
	struct fixture *fixture = *state;
	fail_newstate = 1;
	assert_int_equal(load(fixture, ""), SKYNET_ENOMEM);
}

static void
survives_configs_that_do_not_end(void **state) {
	struct fixture *fixture = *state;
	static const char *const ENDLESS = "the config does not end";
	static const char *const TEXTS[] = {"while true do end", "::a:: goto a",
		"local function f() return f() end f()", "for i = 1, 1e18 do a = i end"};
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		assert_int_equal(load(fixture, TEXTS[i]), SKYNET_ECONFIG);
		assert_non_null(strstr(fixture->error.text, ENDLESS));
	}
	expect_error(fixture, "a = ('x'):rep(40):find(('x?'):rep(40) .. ('x'):rep(40))",
		":1: pattern 'x?x?");
	expect_error(fixture, "local function f() return 1 + f() end f()", ":");
}

static void
survives_configs_that_eat_memory(void **state) {
	struct fixture *fixture = *state;
	static const char *const TEXTS[] = {"a = ('x'):rep(1 << 40)",
		"a = 'x' while true do a = a .. a end",
		"local t = {} for i = 1, 1e9 do t[i] = {} end"};
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		assert_int_equal(load(fixture, TEXTS[i]), SKYNET_ECONFIG);
		if (strstr(fixture->error.text, "not enough memory") == NULL &&
			strstr(fixture->error.text, "resulting string too large") == NULL)
			fail_msg("found: %s", fixture->error.text);
	}
	assert_int_equal(load(fixture, "local x = ('x'):rep(1 << 20)\n"
				       "for i = 1, 10000 do _ENV['k' .. i] = x end"),
		SKYNET_ECONFIG);
	assert_non_null(strstr(fixture->error.text, "all settings together exceed"));
}

static void
accepts_many_settings(void **state) {
	struct fixture *fixture = *state;
	load_ok(fixture, "for i = 1, 3000 do _ENV['key' .. i] = i end");
	assert_string_equal(value(fixture, "key3000"), "3000");
	for (int i = 1; i < fixture->config.setting_count; i++)
		assert_true(strcmp(fixture->config.settings[i - 1].key,
				    fixture->config.settings[i].key) < 0);
}

static void
hints_at_keys_one_edit_away(void **state) {
	(void)state;
	static const struct {
		const char *name, *near;
	} CASES[] = {{"thred", "thread"}, {"threads", "thread"}, {"thraed", "thread"},
		{"thresd", "thread"}, {"xthread", "thread"}, {"lua_paht", "lua_path"},
		{"standalon", "standalone"}, {"dameon", "daemon"},
		{"mailbox_limits", "mailbox_limit"}, {"thread", NULL}, {"thredd2", NULL},
		{"root", NULL}, {"", NULL}, {"snx", NULL}, {"mqueue", NULL}, {"lua_path", NULL}};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		const struct config_key *near = config_key_near(CASES[i].name);
		if (CASES[i].near == NULL)
			assert_null(near);
		else {
			assert_non_null(near);
			assert_string_equal(near->name, CASES[i].near);
		}
	}
}

static void
copies_share_nothing(void **state) {
	struct fixture *fixture = *state;
	struct skynet_config copy, made = {.thread = 1, .cpath = "a/?.so", .bootstrap = "b"},
				   second;
	load_ok(fixture, "logger = 'x'\nmine = 1");
	config_copy(&copy, &fixture->config);
	skynet_config_clear(&fixture->config);
	assert_string_equal(copy.logger, "x");
	assert_string_equal(copy.cpath, "./cservice/?.so");
	assert_string_equal(config_setting_find(&copy, "mine")->value, "1");
	skynet_config_clear(&copy);
	assert_null(copy.logger);
	config_copy(&second, &made);
	assert_string_equal(second.cpath, "a/?.so");
	assert_ptr_not_equal(second.cpath, made.cpath);
	assert_string_equal(config_setting_find(&second, "bootstrap")->value, "b");
	skynet_config_clear(&second);
}

static void
documents_every_key(void **state) {
	(void)state;
	FILE *file = fopen("docs/config.md", "rb");
	assert_non_null(file);
	static char text[65536];
	size_t size = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[size] = '\0';
	const struct config_key *key;
	for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
		char entry[64];
		snprintf(entry, sizeof entry, "| `%s` |", key->name);
		if (strstr(text, entry) == NULL)
			fail_msg("docs/config.md has no line for %s", key->name);
	}
}

int
main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(converts_values_by_the_rules_of_lua),
		TEST(writes_defaults_back),
		TEST(fills_the_typed_fields),
		TEST(takes_false_as_absent_where_it_once_counted_as_set),
		TEST(replaces_environment_variables_in_the_raw_text),
		TEST(reports_an_endless_variable_name),
		TEST(shows_a_file_nothing_but_include_and_string_methods),
		TEST(includes_files_relative_to_the_including_one),
		TEST(includes_absolute_paths_and_the_same_file_twice),
		TEST(ends_include_cycles_and_depth),
		TEST(notes_the_line_of_the_last_assignment),
		TEST(lets_the_command_line_win),
		TEST(refuses_overrides_of_another_form),
		TEST(places_bad_values),
		TEST(shows_no_secret_in_a_syntax_error),
		TEST(names_the_included_file_in_errors),
		TEST(reports_files_that_cannot_be_read),
		TEST(reports_that_lua_cannot_start),
		TEST(survives_configs_that_do_not_end),
		TEST(survives_configs_that_eat_memory),
		TEST(accepts_many_settings),
		TEST(hints_at_keys_one_edit_away),
		TEST(copies_share_nothing),
		TEST(documents_every_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
