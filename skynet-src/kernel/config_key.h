/* The config keys that mean something to this executable: name, type, range, default, what for.
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
	CONFIG_SWITCH,   /* "true" or "1" is on, all else is off, as services have always read it */
	CONFIG_CHOICE,   /* one of the words in `choices` */
};

struct config_key {
	const char *name;
	enum config_type type;
	int64_t min, max;     /* of CONFIG_INTEGER and CONFIG_SECONDS */
	const char *choices;  /* of CONFIG_CHOICE: words joined by '|', numbered from 0 */
	const char *fallback; /* value when absent; NULL: none, or found out at run time (thread) */
	bool written;         /* the default becomes a setting that services can read */
	bool false_is_absent; /* `key = false` is the same as no line at all */
	bool secret;          /* not to be printed */
	bool withheld;        /* services do not see it */
	const char *meaning;  /* one line */
};

/// Entry number `index`, counted from 0, in the order of the docs; NULL behind the last one.
const struct config_key *config_key_at(size_t index);

/// Entry of that name, or NULL. Borrows `name`.
const struct config_key *config_key_find(const char *name);

/// The known key that `name` becomes by one insertion, deletion, replacement or swap of
/// neighbours, or NULL. Keys that are known themselves, and names under four bytes, have none.
const struct config_key *config_key_near(const char *name);

/// Checks `text` against the entry, and stores it in that field of `config` which belongs to the
/// key (most keys have none). Text fields point to `text` from then on: the caller keeps it alive.
/// Returns 0, or SKYNET_ECONFIG with a reason that does not name the place.
int config_key_store(const struct config_key *key, const char *text, struct skynet_config *config,
	struct skynet_error *error);

#endif
