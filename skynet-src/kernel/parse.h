/* Numbers and handles from text, checked. Any thread; no state. */
#ifndef SKYNET_PARSE_H
#define SKYNET_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/// ":hex" to a handle. Returns false, and stores 0, for anything else, 0 and more than 32 bits
/// included.
bool parse_handle(const char *text, uint32_t *handle);

/// Decimal (base 10) or C notation (base 0), the whole text. Returns false when it is not a number
/// that fits.
bool parse_integer(const char *text, int base, int64_t *value);

#endif
