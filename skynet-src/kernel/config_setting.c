#include "kernel/config_setting.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "kernel/config_key.h"
#include "skynet_malloc.h"

#define WORKERS_MAX 1024

static char *
copy_text(const char *text) {
	return text == NULL ? NULL : skynet_strdup(text);
}

void
config_setting_add(
	struct skynet_config *config, const char *key, const char *value, const char *origin) {
	int count = config->setting_count;
	/* Capacity is not kept: it is the power of two at or above the count. */
	if ((count & (count - 1)) == 0) {
		size_t capacity = count == 0 ? 1 : (size_t)count * 2;
		config->settings =
			skynet_realloc(config->settings, capacity * sizeof *config->settings);
	}
	config->settings[config->setting_count++] = (struct skynet_setting){
		.key = copy_text(key), .value = copy_text(value), .origin = copy_text(origin)};
}

const struct skynet_setting *
config_setting_find(const struct skynet_config *config, const char *key) {
	for (int i = 0; i < config->setting_count; i++) {
		if (strcmp(config->settings[i].key, key) == 0)
			return &config->settings[i];
	}
	return NULL;
}

static int
compare_keys(const void *left, const void *right) {
	const struct skynet_setting *a = left, *b = right;
	return strcmp(a->key, b->key);
}

static int
default_thread(void) {
	int count = thread_processor_count();
	return count > WORKERS_MAX ? WORKERS_MAX : count;
}

static void
add_defaults(struct skynet_config *config) {
	char processors[16];
	snprintf(processors, sizeof processors, "%d", default_thread());
	const struct config_key *key;
	for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
		if (!key->written || config_setting_find(config, key->name) != NULL)
			continue;
		const char *value = key->fallback != NULL ? key->fallback : processors;
		config_setting_add(config, key->name, value, "default");
	}
	qsort(config->settings, (size_t)config->setting_count, sizeof *config->settings,
		compare_keys);
}

/* Typed fields from the settings, and from the table for keys that are absent. */
static int
store_fields(struct skynet_config *config, const char *path, struct skynet_error *error) {
	const struct config_key *key;
	for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
		const struct skynet_setting *setting = config_setting_find(config, key->name);
		const char *text = setting != NULL ? setting->value : key->fallback;
		if (text == NULL)
			continue;
		int result = config_key_store(key, text, config, error);
		if (result == 0)
			continue;
		bool placed = setting != NULL && setting->origin != NULL &&
			      strcmp(setting->origin, "default") != 0;
		error_prefix(error, "%s", placed ? setting->origin : path);
		return result;
	}
	return 0;
}

int
config_setting_finish(struct skynet_config *config, const char *path, struct skynet_error *error) {
	add_defaults(config);
	return store_fields(config, path, error);
}

void
skynet_config_clear(struct skynet_config *config) {
	for (int i = 0; i < config->setting_count; i++) {
		skynet_free(config->settings[i].key);
		skynet_free(config->settings[i].value);
		skynet_free(config->settings[i].origin);
	}
	skynet_free(config->settings);
	*config = (struct skynet_config){0};
}

void
config_copy(struct skynet_config *copy, const struct skynet_config *config) {
	*copy = *config;
	copy->settings = NULL;
	copy->setting_count = 0;
	for (int i = 0; i < config->setting_count; i++) {
		const struct skynet_setting *setting = &config->settings[i];
		config_setting_add(copy, setting->key, setting->value, setting->origin);
	}
	/* The text fields still point into the original; a config that someone filled by hand may
	 * hold them without settings, so each is looked up, and kept as a setting of its own if it
	 * is not there. */
	const char **fields[] = {&copy->cpath, &copy->bootstrap, &copy->logger, &copy->logservice,
		&copy->logpath, &copy->daemon};
	static const char *const NAMES[] = {
		"cpath", "bootstrap", "logger", "logservice", "logpath", "daemon"};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (*fields[i] == NULL)
			continue;
		if (config_setting_find(copy, NAMES[i]) == NULL)
			config_setting_add(copy, NAMES[i], *fields[i], NULL);
		*fields[i] = config_setting_find(copy, NAMES[i])->value;
	}
}
