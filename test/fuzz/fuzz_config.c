/* Feeds the config loader with files. Whatever a file says, loading it ends, and gives either
 * settings that are in order and typed fields in their ranges, or an error with a text.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/config_setting.h"
#include "skynet_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first input opens the file, the end of the process removes it. */
static char path[64];

static void
remove_file(void) {
	unlink(path);
}

static void
write_file(const uint8_t *data, size_t size) {
	int fd;
	if (path[0] == '\0') {
		snprintf(path, sizeof path, "/tmp/fuzz_config.XXXXXX");
		fd = mkstemp(path);
		atexit(remove_file);
	} else
		fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void
expect(int condition) {
	if (!condition)
		abort();
}

static void
check_config(const struct skynet_config *config) {
	expect(config->thread >= 1 && config->thread <= 1024);
	expect(config->harbor >= 0 && config->harbor <= 255);
	expect(config->mailbox_limit >= 0 && config->shutdown_timeout_ms >= 0);
	expect(strchr(config->cpath, '?') != NULL && config->bootstrap[0] != '\0');
	for (int i = 0; i < config->setting_count; i++) {
		expect(config->settings[i].origin != NULL);
		expect(i == 0 || strcmp(config->settings[i - 1].key, config->settings[i].key) < 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const char *const overrides[] = {"thread=2", "root=/"};
	struct skynet_config config, copy;
	struct skynet_error error = {0};
	write_file(data, size);
	if (skynet_config_load(&config, path, overrides, (int)(size % 3), &error) != 0) {
		expect(error.code != 0 && error.text[0] != '\0' && config.setting_count == 0);
		return 0;
	}
	check_config(&config);
	config_copy(&copy, &config);
	skynet_config_clear(&config);
	check_config(&copy);
	skynet_config_clear(&copy);
	return 0;
}
