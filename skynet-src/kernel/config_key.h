/* The config keys that this executable knows: name, type, range, default, purpose.
 * One static table serves the loader, `skynet --check`, its hints, and the test that compares
 * docs/config.md with it. Keys that are not in it are legal: they belong to the user's services.
 */
#ifndef SKYNET_CONFIG_KEY_H
#define SKYNET_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skynet_config;
struct skynet_error;

enum config_type {
	CONFIG_TEXT,     /* any text */
	CONFIG_NONEMPTY, /* any text but the empty one */
	CONFIG_PATTERN,  /* search path: parts with a '?', joined by ';' */
	CONFIG_INTEGER,  /* whole number of min..max */
	CONFIG_SECONDS,  /* number of seconds, min..max milliseconds */
	CONFIG_SWITCH,   /* "true" and "1" mean on, anything else means off, as in the reference */
	CONFIG_CHOICE,   /* one of the words in `choices` */
};

struct config_key {
	const char *name;
	enum config_type type;
	int64_t min, max;     /* of CONFIG_INTEGER and CONFIG_SECONDS */
	const char *choices;  /* of CONFIG_CHOICE: words joined by '|', numbered from 0 */
	const char *fallback; /* default as text; NULL: none, or computed at run time (thread) */
	bool written;         /* services read the default when the key is absent */
	bool false_is_absent; /* `key = false` means the same as an absent key */
	bool secret;          /* its value must not be printed */
	bool withheld;        /* services cannot read it */
	const char *meaning;  /* description in one line */
};

/// Entry number `index`, counted from 0, in the order of the docs; NULL behind the last one.
const struct config_key *config_key_at(size_t index);

/// Entry of that name, or NULL. Borrows `name`.
const struct config_key *config_key_find(const char *name);

/// For a hint about a misspelt key: the known key that differs from `name` by one inserted,
/// deleted, replaced or swapped character, or NULL. A known key and a name of fewer than four bytes
/// have none.
const struct config_key *config_key_near(const char *name);

/// Checks `text` against the entry, and stores its value in the field of `config` that belongs to
/// the key (most keys have none). A text field then points to `text`, which the caller keeps alive.
/// Returns 0, or SKYNET_ECONFIG with a reason to which the caller adds file and line.
int config_key_store(const struct config_key *key, const char *text, struct skynet_config *config,
	struct skynet_error *error);

#endif
