/* Numbers and handles from text, checked. Any thread; no state. */
#ifndef SKYNET_PARSE_H
#define SKYNET_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/// Reads a handle written as ":hex". Returns false, and stores 0, for any other text, for handle 0
/// and for more than 32 bits.
bool parse_handle(const char *text, uint32_t *handle);

/// Reads a number, which must be the whole text: decimal with base 10, in the notation of C with
/// base 0. Returns false when it is no number or does not fit.
bool parse_integer(const char *text, int base, int64_t *value);

/// Reads a decimal number as it stands in a setting: also in the form "4.0", which Lua gives to
/// floats, and with blanks behind it. Returns false for anything else.
bool parse_whole(const char *text, int64_t *value);

#endif
