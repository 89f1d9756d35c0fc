/* Runs a fuzz target without a fuzzer: feeds it each file of test/fuzz/corpus/<codec>/, where
 * <codec> is the program's name without "fuzz_", each once more cut short at every length up to a
 * limit, and prints TAP. A crash or a sanitizer's report ends the program, which the harness sees.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS_ROOT   "test/fuzz/corpus"
#define FILE_SIZE_MAX ((size_t)1 << 20)
#define CUT_SIZE_MAX  512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly `size` bytes: an address sanitizer sees any step past its end. */
static void
feed(const uint8_t *data, size_t size) {
	uint8_t *copy = malloc(size > 0 ? size : 1);
	if (copy == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int
feed_file(const char *path) {
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return -1;
	uint8_t *data = malloc(FILE_SIZE_MAX);
	if (data == NULL)
		abort();
	size_t size = fread(data, 1, FILE_SIZE_MAX, file);
	fclose(file);
	feed(data, size);
	for (size_t cut = 0; cut < size && cut < CUT_SIZE_MAX; cut++)
		feed(data, cut);
	free(data);
	return 0;
}

static int
visible(const struct dirent *entry) {
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv) {
	const char *name = strrchr(argv[0], '/');
	name = name != NULL ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	char folder[512];
	if (argc > 1)
		snprintf(folder, sizeof(folder), "%s", argv[1]);
	else
		snprintf(folder, sizeof(folder), "%s/%s", CORPUS_ROOT, name);

	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, visible, alphasort);
	printf("1..%d\n", (count > 0 ? count : 0) + 1);
	feed((const uint8_t *)"", 0);
	printf("ok 1 - survives_empty_input\n");
	for (int i = 0; i < count; i++) {
		char path[1024];
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		int failed = feed_file(path);
		printf("%s %d - survives_%s\n", failed ? "not ok" : "ok", i + 2,
			entries[i]->d_name);
		fflush(stdout);
		free(entries[i]);
	}
	free(entries);
	return 0;
}
