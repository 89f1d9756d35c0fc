/* What TLS needs of a credential: version 1.3 alone, certificates of both sides, one CA. */
#ifndef SKYNET_GUARD_TLS_H
#define SKYNET_GUARD_TLS_H

#include "guard/guard_credential.h"

/// Reads certificate, key and CA into `credential`. Returns 0, or SKYNET_ECONFIG with an error that
/// names the setting.
int guard_tls_setup(struct guard_credential *credential, const struct guard_config *config,
	struct skynet_error *error);

/// Frees what setup has made, also after it has failed.
void guard_tls_teardown(struct guard_credential *credential);

#endif
