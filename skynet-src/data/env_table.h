/* Settings of a node: text keys to text values, each written once. Reading takes no lock; values
 * live as long as the table. Any thread may read and write at the same time.
 */
#ifndef SKYNET_ENV_TABLE_H
#define SKYNET_ENV_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct env_table;

/// Gives an empty table. End with env_table_destroy. Never fails.
struct env_table *env_table_create(void);

/// Frees the table; all values become invalid. No other thread may be in it.
void env_table_destroy(struct env_table *table);

/// Value of `key` (borrowed), valid as long as the table; NULL when absent. Any thread; no lock.
const char *env_table_get(const struct env_table *table, const char *key);

/// Adds a setting; borrows and copies both. Any thread. Returns false, and changes nothing, when
/// the key exists.
bool env_table_set(struct env_table *table, const char *key, const char *value);

/// Number of settings. Any thread.
size_t env_table_count(const struct env_table *table);

/// Called for one setting; return false to stop. Texts are valid as long as the table.
typedef bool (*env_visit_fn)(const char *key, const char *value, void *ud);

/// Visits all settings in the order in which they were set. Any thread; no lock, so `visit` may use
/// the table; what is set meanwhile may or may not be visited.
void env_table_visit(const struct env_table *table, env_visit_fn visit, void *ud);

#endif
