/* From the config of a node to its guard policy: how nodes authenticate to each other. */
#ifndef SKYNET_NODE_GUARD_H
#define SKYNET_NODE_GUARD_H

#include "base/error.h"
#include "skynet_node.h"

struct guard_policy;

/// Gives the policy that the config asks for in `*policy` (end with guard_policy_drop), or NULL
/// when it asks for none. Returns 0, or SKYNET_ECONFIG with an error that names file, line and
/// setting; also when `require_auth` is set and an address in the config allows no authentication.
int node_guard_create(const struct skynet_config *config, struct guard_policy **policy,
	struct skynet_error *error);

/// Replaces secrets, certificates and `auth_allow` of `policy` (NULL when the node has none) by
/// what `config` and the files say now; new connections use them. Any thread. Returns 0, or
/// SKYNET_ECONFIG with an error and nothing changed, also when `config` asks for another kind of
/// authentication than before.
int node_guard_renew(const struct skynet_config *config, struct guard_policy *policy,
	struct skynet_error *error);

/// The setting whose file holds a secret or a key that every user of this machine can read or
/// write, or NULL. Borrowed from `config`.
const struct skynet_setting *node_guard_exposed(const struct skynet_config *config);

#endif
