/* For LD_PRELOAD: the process is slow to end. Its first condition that is destroyed, with the
 * runtime, makes the file $LINGER and waits for as long as that is there.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int
pthread_cond_destroy(pthread_cond_t *condition) {
	const char *path = getenv("LINGER");
	int file = path != NULL ? open(path, O_WRONLY | O_CREAT, 0600) : -1;
	(void)condition;
	while (file >= 0 && access(path, F_OK) == 0)
		usleep(10000);
	return 0;
}
