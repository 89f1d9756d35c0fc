/* Settings of the node of the calling thread. See also skynet_setting_get in skynet.h. */
#ifndef SKYNET_ENV_H
#define SKYNET_ENV_H

#include "skynet.h"

/// Value of `key`, NULL when absent. Valid as long as the node.
SKYNET_API const char *skynet_getenv(const char *key);

/// Adds a setting; borrows both. Settings are written once: one that exists stays as it is, and the
/// attempt is logged.
SKYNET_API void skynet_setenv(const char *key, const char *value);

#endif
