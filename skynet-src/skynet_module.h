/* Types of the entry points of a C service. Module NAME exports NAME_init and, if it needs them,
 * NAME_create, NAME_release and NAME_signal; the part of its name up to the last dot is left out.
 */
#ifndef SKYNET_MODULE_H
#define SKYNET_MODULE_H

#include "skynet.h"

/// Gives an instance; NULL means failure.
typedef void *(*skynet_dl_create)(void);

/// Starts the service; borrows `param`, which may be NULL. No message is dispatched before it
/// returns. Returns 0 on success.
typedef int (*skynet_dl_init)(void *instance, struct skynet_context *context, const char *param);

/// Takes and ends the instance, also when init failed. Must not send.
typedef void (*skynet_dl_release)(void *instance);

/// The command SIGNAL. Any thread, at any time.
typedef void (*skynet_dl_signal)(void *instance, int signal);

#endif
