#include "io/file_watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "skynet_malloc.h"

/* The folder of `path`, to be freed, and in `*name` what the file is called in it. */
static char *
split_path(const char *path, const char **name) {
	const char *slash = strrchr(path, '/');
	*name = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		return skynet_strdup(".");
	if (slash == path)
		return skynet_strdup("/");
	char *folder = skynet_strdup(path);
	folder[slash - path] = '\0';
	return folder;
}

#ifdef __linux__
#include <sys/inotify.h>

#define CHANGES     (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define BUFFER_SIZE 4096

int
file_watch_open(const char *path, struct skynet_error *error) {
	const char *name;
	char *folder = split_path(path, &name);
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0 || inotify_add_watch(fd, folder, CHANGES | IN_ONLYDIR) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot watch '%.256s'", path);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	skynet_free(folder);
	return fd;
}

bool
file_watch_changed(int fd, const char *path) {
	_Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	bool changed = false;
	ssize_t size;
	while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			if ((event->mask & IN_Q_OVERFLOW) ||
				(event->len > 0 && strcmp(event->name, name) == 0))
				changed = true;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return changed;
}

#else
#include <fcntl.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/types.h>
#include <time.h>

#define FOLDER_CHANGES (NOTE_WRITE | NOTE_DELETE | NOTE_RENAME)
#define FILE_CHANGES   (NOTE_WRITE | NOTE_EXTEND | NOTE_DELETE | NOTE_RENAME)

#ifndef O_EVTONLY
#define O_EVTONLY O_RDONLY
#endif

/* The descriptors of folder and file are named by the events, so that they can be closed. Closing
 * the queue leaves the folder's one open: it is opened again with each change, and few files are
 * watched. */
static int
watch_path(int queue, const char *path, unsigned changes) {
	struct kevent change;
	int fd = open(path, O_EVTONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	EV_SET(&change, (uintptr_t)fd, EVFILT_VNODE, EV_ADD | EV_ONESHOT, changes, 0, NULL);
	if (kevent(queue, &change, 1, NULL, 0, NULL) == 0)
		return 0;
	close(fd);
	return -1;
}

int
file_watch_open(const char *path, struct skynet_error *error) {
	const char *name;
	char *folder = split_path(path, &name);
	int queue = kqueue();
	if (queue < 0 || fcntl(queue, F_SETFD, FD_CLOEXEC) < 0 ||
		watch_path(queue, folder, FOLDER_CHANGES) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot watch '%.256s'", path);
		if (queue >= 0)
			close(queue);
		queue = -1;
	} else
		watch_path(queue, path, FILE_CHANGES); /* it need not exist */
	skynet_free(folder);
	return queue;
}

bool
file_watch_changed(int fd, const char *path) {
	struct kevent events[8];
	struct timespec now = {0};
	int count = kevent(fd, NULL, 0, events, 8, &now);
	if (count <= 0)
		return false;
	for (int i = 0; i < count; i++)
		close((int)events[i].ident);
	const char *name;
	char *folder = split_path(path, &name);
	watch_path(fd, folder, FOLDER_CHANGES);
	watch_path(fd, path, FILE_CHANGES);
	skynet_free(folder);
	/* A change of the folder may concern another file: telling too often is harmless. */
	return true;
}
#endif
