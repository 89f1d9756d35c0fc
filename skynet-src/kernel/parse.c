#include "kernel/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
parse_handle(const char *text, uint32_t *handle) {
	*handle = 0;
	if (text[0] != ':' || !isxdigit((unsigned char)text[1]))
		return false;
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text + 1, &end, 16);
	if (*end != '\0' || errno != 0 || value == 0 || value > UINT32_MAX)
		return false;
	*handle = (uint32_t)value;
	return true;
}

bool
parse_integer(const char *text, int base, int64_t *value) {
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, base);
	if (end == text || *end != '\0' || errno != 0)
		return false;
	*value = number;
	return true;
}

bool
parse_whole(const char *text, int64_t *value) {
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (end == text || errno != 0)
		return false;
	if (end[0] == '.' && end[1] == '0')
		end += 2 + strspn(end + 2, "0");
	while (isspace((unsigned char)*end))
		end++;
	*value = number;
	return *end == '\0';
}
