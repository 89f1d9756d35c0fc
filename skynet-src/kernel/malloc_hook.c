/* The part of malloc_hook.h that is about the allocator; what concerns services is in their
 * modules. */
#include "malloc_hook.h"

#include <errno.h>

#include "base/memory.h"
#include "skynet.h"

/* jemalloc, when it is linked. */
extern int mallctl(const char *name, void *old_value, size_t *old_size, void *new_value,
	size_t new_size) __attribute__((weak));

size_t
malloc_used_memory(void) {
	return memory_total();
}

size_t
malloc_memory_block(void) {
	return memory_blocks();
}

void
memory_info_dump(const char *options) {
	if (memory_dump(options, NULL, NULL) != 0)
		skynet_error(NULL, "No jemalloc");
}

/* Reads and writes one value of `size` bytes. Returns 0 or an errno value. */
static int
exchange(const char *what, const char *name, void *old_value, const void *new_value, size_t size) {
	if (mallctl == NULL) {
		skynet_error(NULL, "No jemalloc : %s %s.", what, name);
		return ENOENT;
	}
	size_t old_size = size;
	/* mallctl does not write through its fourth argument. */
	return mallctl(name, old_value, old_value != NULL ? &old_size : NULL, (void *)new_value,
		new_value != NULL ? size : 0);
}

size_t
mallctl_int64(const char *name, size_t *value) {
	size_t before = 0;
	/* Some numbers are narrower; they are read only. */
	if (value == NULL && memory_has_statistics())
		return memory_stat(name, &before) == 0 ? before : 0;
	exchange("mallctl_int64", name, &before, value, sizeof(before));
	return before;
}

int
mallctl_opt(const char *name, int *value) {
	int before = 0;
	int status = exchange("mallctl_opt", name, &before, value, sizeof(before));
	return status == 0 ? before : 0;
}

bool
mallctl_bool(const char *name, bool *value) {
	bool before = false;
	int status = exchange("mallctl_bool", name, &before, value, sizeof(before));
	return status == 0 && before;
}

int
mallctl_cmd(const char *name) {
	return exchange("mallctl_cmd", name, NULL, NULL, 0);
}
