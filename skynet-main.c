/* The executable: arguments, configs, daemon mode, signals, start and stop of the nodes, exit
 * status.
 *
 * Each CONFIG is one node; all of them share the threads of one runtime. This is the one file that
 * prints and decides the exit status. Signal handlers only write the number of the signal into a
 * pipe; a thread of its own reads it, so that everything else runs outside of handlers. The pipe
 * and the handlers exist from before the first thread until after the last, so that a second signal
 * removes the pid file whatever the process is at.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/daemonize.h"
#include "base/error.h"
#include "kernel/config_key.h"
#include "kernel/config_setting.h"
#include "kernel/node_guard.h"
#include "skynet_node.h"

#ifndef SKYNET_VERSION
#define SKYNET_VERSION "development"
#endif

#define BOOT_MS          30000 /* a daemon that boots longer than this counts as up */
#define BOOT_STEP_MS     10
#define EXIT_SIGNAL_BASE 128 /* plus the signal's number, as shells have it */

struct options {
	const char **paths;
	int path_count;
	const char **overrides;
	int override_count;
	bool check;
};

struct program {
	const struct options *options;
	struct skynet_config *configs;
	struct skynet_node **nodes;
	int node_count; /* configs loaded */
	struct skynet_runtime *runtime;
	struct daemonize daemon;
	pthread_t signal_thread;
	bool serves_signals;  /* the thread has been started */
	pthread_mutex_t lock; /* held while a signal is passed to the runtime */
	bool ending;          /* the nodes have ended: no signal reaches the runtime any more */
};

/* Where handlers write. The one mutable variable of the program: a handler has no argument. */
static int signal_pipe[2] = {-1, -1};

static void
complain(const char *text) {
	fprintf(stderr, "skynet: %s\n", text);
}

static void
print_usage(FILE *file) {
	fputs("usage: skynet [-D key=value]... CONFIG [CONFIG...]\n"
	      "       skynet --check CONFIG... | --version | --help\n",
		file);
}

static void
print_help(void) {
	print_usage(stdout);
	fputs("\nRuns a node for each config, all in this process.\n\n"
	      "  -D key=value  a setting that wins over the configs\n"
	      "  --check       load the configs, print each setting and where it comes from\n"
	      "  --version     print the version\n"
	      "  --help        print this\n\n"
	      "Signals: SIGHUP reopens logs and re-reads cluster names, secrets, certificates and\n"
	      "auth_allow; SIGTERM and SIGINT stop in order, and at once when sent twice.\n\n"
	      "Settings with a meaning here:\n\n",
		stdout);
	const struct config_key *key;
	for (size_t i = 0; (key = config_key_at(i)) != NULL; i++)
		printf("  %-20s %s%s%s%s\n", key->name, key->meaning,
			key->fallback != NULL ? " [" : "",
			key->fallback != NULL ? key->fallback : "",
			key->fallback != NULL ? "]" : "");
}

/* ---- Arguments ---- */

/* Returns true to go on, false to end with `*status`. */
static bool
parse_arguments(struct options *options, int argc, char **argv, int *status) {
	bool only_paths = false;
	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i];
		if (only_paths || argument[0] != '-' || argument[1] == '\0')
			options->paths[options->path_count++] = argument;
		else if (strcmp(argument, "--") == 0)
			only_paths = true;
		else if (strcmp(argument, "--check") == 0)
			options->check = true;
		else if (strcmp(argument, "--version") == 0) {
			printf("skynet %s\n", SKYNET_VERSION);
			return false;
		} else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			print_help();
			return false;
		} else if (strncmp(argument, "-D", 2) == 0 && (argument[2] != '\0' || i + 1 < argc))
			options->overrides[options->override_count++] =
				argument[2] != '\0' ? argument + 2 : argv[++i];
		else {
			fprintf(stderr, "skynet: unknown option '%s', see skynet --help\n",
				argument);
			*status = EXIT_FAILURE;
			return false;
		}
	}
	if (options->path_count > 0)
		return true;
	print_usage(stderr);
	*status = EXIT_FAILURE;
	return false;
}

/* ---- --check ---- */

static void
print_value(const char *value) {
	for (; *value != '\0'; value++) {
		unsigned char byte = (unsigned char)*value;
		if (byte < ' ' || byte == 0x7f)
			printf("\\x%02x", byte);
		else
			putchar(byte);
	}
}

static void
print_setting(const struct skynet_setting *setting, bool exposed) {
	const struct config_key *key = config_key_find(setting->key);
	const struct config_key *near = config_key_near(setting->key);
	printf("  %s = ", setting->key);
	if ((key != NULL && key->secret) || (near != NULL && near->secret))
		fputs("(hidden)", stdout);
	else
		print_value(setting->value);
	printf("\t-- %s", setting->origin);
	if (near != NULL)
		printf("; hint: did you mean '%s'?", near->name);
	if (exposed)
		fputs("; hint: every user of this machine can read or write it, chmod 600", stdout);
	putchar('\n');
}

static int
check_config(const char *path, const struct options *options) {
	struct skynet_config config;
	struct skynet_error error;
	int result = skynet_config_load(
		&config, path, options->overrides, options->override_count, &error);
	if (result != 0) {
		complain(error.text);
		return EXIT_FAILURE;
	}
	if (skynet_config_verify(&config, &error) != 0) {
		complain(error.text);
		skynet_config_clear(&config);
		return EXIT_FAILURE;
	}
	printf("%s:\n", path);
	const struct skynet_setting *exposed = node_guard_exposed(&config);
	for (int i = 0; i < config.setting_count; i++)
		print_setting(&config.settings[i], &config.settings[i] == exposed);
	const struct config_key *key;
	for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
		if (key->fallback != NULL && config_setting_find(&config, key->name) == NULL)
			printf("  %s = %s\t-- default\n", key->name, key->fallback);
	}
	skynet_config_clear(&config);
	return EXIT_SUCCESS;
}

static int
check_configs(const struct options *options) {
	int status = EXIT_SUCCESS;
	for (int i = 0; i < options->path_count; i++) {
		if (check_config(options->paths[i], options) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	}
	return status;
}

/* ---- Signals ---- */

static void
write_signal(int number) {
	int saved = errno;
	unsigned char byte = (unsigned char)number;
	/* A full pipe has signals enough to be read. */
	if (write(signal_pipe[1], &byte, 1) != 1)
		errno = saved;
	errno = saved;
}

static void
set_handler(int number, void (*handler)(int)) {
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void
hang_up(struct program *program) {
	const struct options *options = program->options;
	skynet_runtime_hangup(program->runtime);
	for (int i = 0; i < program->node_count; i++)
		skynet_node_reload(program->nodes[i], options->paths[i], options->overrides,
			options->override_count);
}

static void
stop_nodes(struct program *program) {
	skynet_runtime_stop(program->runtime, true);
}

/* Passes a signal on to the runtime. Returns false when it has ended. */
static bool
pass_signal(struct program *program, void (*act)(struct program *program)) {
	pthread_mutex_lock(&program->lock);
	bool ending = program->ending;
	if (!ending)
		act(program);
	pthread_mutex_unlock(&program->lock);
	return !ending;
}

static void *
serve_signals(void *ud) {
	struct program *program = ud;
	bool stopping = false;
	for (;;) {
		unsigned char number;
		ssize_t size = read(signal_pipe[0], &number, 1);
		if (size < 0 && errno == EINTR)
			continue;
		if (size != 1 || number == 0)
			return NULL;
		if (number == SIGHUP) {
			pass_signal(program, hang_up);
			continue;
		}
		if (stopping || !pass_signal(program, stop_nodes)) {
			daemonize_fini(&program->daemon);
			_exit(EXIT_SIGNAL_BASE + number);
		}
		stopping = true;
	}
}

static int
open_signal_pipe(struct skynet_error *error) {
	if (pipe(signal_pipe) != 0)
		return error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot make a pipe");
	for (int i = 0; i < 2; i++)
		fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
	fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK);
	set_handler(SIGHUP, write_signal);
	set_handler(SIGINT, write_signal);
	set_handler(SIGTERM, write_signal);
	return 0;
}

static int
start_signal_thread(struct program *program, struct skynet_error *error) {
	int failure = pthread_create(&program->signal_thread, NULL, serve_signals, program);
	if (failure != 0)
		return error_set_errno(
			error, SKYNET_ESYSTEM, failure, "Create thread failed: signals");
	program->serves_signals = true;
	return 0;
}

/* The runtime is about to be destroyed: from here on a signal ends the process. */
static void
begin_end(struct program *program) {
	pthread_mutex_lock(&program->lock);
	program->ending = true;
	pthread_mutex_unlock(&program->lock);
}

/* Removes the pid file; behind that, signals have their usual effect. */
static void
leave(struct program *program) {
	set_handler(SIGHUP, SIG_IGN);
	set_handler(SIGINT, SIG_IGN);
	set_handler(SIGTERM, SIG_IGN);
	if (program->serves_signals) {
		fcntl(signal_pipe[1], F_SETFL, 0);
		write_signal(0);
		pthread_join(program->signal_thread, NULL);
	}
	daemonize_fini(&program->daemon);
	set_handler(SIGINT, SIG_DFL);
	set_handler(SIGTERM, SIG_DFL);
}

/* ---- The life of the process ---- */

static int
load_configs(struct program *program, const struct options *options, struct skynet_error *error) {
	program->options = options;
	program->configs = calloc((size_t)options->path_count, sizeof *program->configs);
	program->nodes = calloc((size_t)options->path_count, sizeof *program->nodes);
	for (int i = 0; i < options->path_count; i++) {
		int result = skynet_config_load(&program->configs[i], options->paths[i],
			options->overrides, options->override_count, error);
		if (result != 0)
			return result;
		program->node_count++;
		result = skynet_config_verify(&program->configs[i], error);
		if (result != 0)
			return result;
	}
	return 0;
}

/* Detaches if a config says so. Returns 0 to go on, 1 to end with `*status`. */
static int
detach(struct program *program, int *status, struct skynet_error *error) {
	const char *path = NULL;
	for (int i = 0; i < program->node_count; i++) {
		const char *other = program->configs[i].daemon;
		if (path != NULL && other != NULL && strcmp(path, other) != 0)
			return error_set(error, SKYNET_ECONFIG,
				"%s: 'daemon' is '%s', but '%s' in another config: one process has "
				"one pid file",
				program->options->paths[i], other, path);
		if (other != NULL)
			path = other;
	}
	if (path == NULL)
		return 0;
	return daemonize_init(&program->daemon, path, status, error);
}

static int
largest_thread(const struct program *program) {
	int workers = 1;
	for (int i = 0; i < program->node_count; i++) {
		if (program->configs[i].thread > workers)
			workers = program->configs[i].thread;
	}
	return workers;
}

static int
largest_spin(const struct program *program) {
	int spin_us = 0;
	for (int i = 0; i < program->node_count; i++) {
		if (program->configs[i].socket_spin_us > spin_us)
			spin_us = program->configs[i].socket_spin_us;
	}
	return spin_us;
}

static int
start_nodes(struct program *program, struct skynet_error *error) {
	struct skynet_runtime_config config = {
		.workers = largest_thread(program), .socket_spin_us = largest_spin(program)};
	program->runtime = skynet_runtime_create(&config, error);
	if (program->runtime == NULL)
		return error->code;
	for (int i = 0; i < program->node_count; i++) {
		program->nodes[i] =
			skynet_node_create(program->runtime, &program->configs[i], error);
		if (program->nodes[i] == NULL) {
			error_prefix(error, "%s", program->options->paths[i]);
			return error->code;
		}
	}
	int result = skynet_runtime_start(program->runtime, error);
	return result != 0 ? result : start_signal_thread(program, error);
}

static void
sleep_ms(int milliseconds) {
	struct timespec time = {
		.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
	nanosleep(&time, NULL);
}

/* A daemon is up when its boot is over, or takes so long that whoever started it is told to go. */
static void
report_boot(struct program *program) {
	if (program->daemon.path == NULL)
		return;
	bool booting = true, failed = false;
	for (int waited = 0; booting && waited < BOOT_MS; waited += BOOT_STEP_MS) {
		booting = false;
		for (int i = 0; i < program->node_count; i++) {
			booting = booting || skynet_node_booting(program->nodes[i]);
			failed = failed || skynet_node_exit_code(program->nodes[i]) != 0;
		}
		if (booting)
			sleep_ms(BOOT_STEP_MS);
	}
	if (!failed)
		daemonize_ready(&program->daemon);
}

static int
wait_for_nodes(struct program *program) {
	report_boot(program);
	int status = skynet_runtime_wait(program->runtime);
	begin_end(program);
	for (int i = 0; i < program->node_count; i++) {
		const char *reason = skynet_node_reason(program->nodes[i]);
		if (reason[0] != '\0')
			fprintf(stderr, "skynet: %s: %s\n", program->options->paths[i], reason);
	}
	return status;
}

static int
run_program(struct program *program, const struct options *options) {
	struct skynet_error error;
	int status = EXIT_FAILURE;
	int result = load_configs(program, options, &error);
	if (result == 0)
		result = detach(program, &status, &error);
	if (result == 1)
		return status;
	if (result == 0)
		result = open_signal_pipe(&error);
	if (result == 0)
		result = start_nodes(program, &error);
	if (result != 0) {
		complain(error.text);
		return EXIT_FAILURE;
	}
	status = wait_for_nodes(program);
	if (skynet_runtime_held(program->runtime)) {
		/* A thread does not come back: nothing can be taken down below it. */
		leave(program);
		_exit(status);
	}
	return status;
}

static void
end_program(struct program *program) {
	if (program->runtime != NULL)
		skynet_runtime_destroy(program->runtime);
	leave(program);
	for (int i = 0; i < program->node_count; i++)
		skynet_config_clear(&program->configs[i]);
	free(program->configs);
	free(program->nodes);
}

int
main(int argc, char **argv) {
	struct options options = {.paths = calloc((size_t)argc + 1, sizeof *options.paths),
		.overrides = calloc((size_t)argc + 1, sizeof *options.overrides)};
	int status = EXIT_SUCCESS;
	set_handler(SIGPIPE, SIG_IGN);
	if (parse_arguments(&options, argc, argv, &status)) {
		struct program program = {.daemon = {.pid_fd = -1, .report_fd = -1},
			.lock = PTHREAD_MUTEX_INITIALIZER};
		if (options.check)
			status = check_configs(&options);
		else
			status = run_program(&program, &options);
		end_program(&program);
	}
	free(options.paths);
	free(options.overrides);
	return status;
}
