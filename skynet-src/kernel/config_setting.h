/* The list of settings inside a struct skynet_config: adding, finding, copying. No threads: a
 * config belongs to whoever fills it.
 */
#ifndef SKYNET_CONFIG_SETTING_H
#define SKYNET_CONFIG_SETTING_H

#include "base/error.h"
#include "skynet_node.h"

/// Appends a setting; the three texts are copied (`origin` may be NULL). The key must be new.
void config_setting_add(
	struct skynet_config *config, const char *key, const char *value, const char *origin);

/// The setting of that key, or NULL. Valid until the next change of `config`.
const struct skynet_setting *config_setting_find(
	const struct skynet_config *config, const char *key);

/// Sorts the settings by key, adds the defaults that services can read, checks every known key and
/// fills the typed fields. Call once, after the last config_setting_add.
/// Returns 0, or SKYNET_ECONFIG with "<origin>: <reason>"; the path of the config file, `path`,
/// replaces the origin "default".
int config_setting_finish(
	struct skynet_config *config, const char *path, struct skynet_error *error);

/// Makes `copy` a deep copy of `config`. End with skynet_config_clear.
void config_copy(struct skynet_config *copy, const struct skynet_config *config);

#endif
