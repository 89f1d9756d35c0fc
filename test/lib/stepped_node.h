/* A node without threads for unit tests: its messages are run by hand, under a clock that the test
 * moves. Its services are in the test.
 */
#ifndef STEPPED_NODE_H
#define STEPPED_NODE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "skynet_node.h"

#define STEPPED_START_S 1700000000 /* when the clock begins, seconds since the epoch */

struct stepped_node {
	struct clock clock;
	struct skynet_runtime *runtime;
	struct skynet_node *node;
};

/// A config for node 1 with these services, two of which are started with it. Borrows all, until
/// the node ends.
static inline struct skynet_config
stepped_config(const char *log, const char *bootstrap, const struct skynet_builtin *builtins,
	int builtin_count) {
	return (struct skynet_config){
		.thread = 1,
		.harbor = 1,
		.profile = true,
		.logservice = log,
		.bootstrap = bootstrap,
		.cpath = "/nonexistent/?.so",
		.shutdown_timeout_ms = 1000,
		.builtins = builtins,
		.builtin_count = builtin_count,
	};
}

/// Brings the node up; the test fails when it cannot. Ended by stepped_end.
static inline void
stepped_start(struct stepped_node *stepped, const struct skynet_config *config) {
	struct skynet_error error;
	clock_init_manual(&stepped->clock, (uint64_t)STEPPED_START_S * 1000000000);
	struct skynet_runtime_config runtime = {.workers = 0, .clock = &stepped->clock};
	stepped->runtime = skynet_runtime_create(&runtime, &error);
	assert_non_null(stepped->runtime);
	stepped->node = skynet_node_create(stepped->runtime, config, &error);
	assert_non_null(stepped->node);
}

static inline void
stepped_end(struct stepped_node *stepped) {
	skynet_runtime_destroy(stepped->runtime);
}

/// Runs messages until there are none.
static inline void
stepped_run(struct stepped_node *stepped) {
	while (skynet_runtime_step(stepped->runtime, 0))
		;
}

#endif
