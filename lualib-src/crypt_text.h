/* Bytes as text: hexadecimal and base64. Pure functions; any thread. */
#ifndef SKYNET_CRYPT_TEXT_H
#define SKYNET_CRYPT_TEXT_H

#include <stddef.h>

/// Bytes that the base64 text of `size` bytes has.
size_t base64_size(size_t size);

/// Writes base64_size(size) bytes of text to `out`. Borrows `data`.
void base64_encode(const unsigned char *data, size_t size, char *out);

/// Reads text: foreign characters are skipped, "=" at the end may be missing, several texts may
/// stand one behind the other. `out` needs size / 4 * 3 + 3 bytes. Returns the bytes written, or
/// -1.
ptrdiff_t base64_decode(const char *text, size_t size, unsigned char *out);

/// Writes 2 * size lower-case digits.
void hex_encode(const unsigned char *data, size_t size, char *out);

/// Reads digits of either case into size / 2 bytes. Returns 0, or -1 for another character.
int hex_decode(const char *text, size_t size, unsigned char *out);

#endif
