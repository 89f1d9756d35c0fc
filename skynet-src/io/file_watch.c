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

#if defined(__linux__) && !defined(SOCKET_KQUEUE_HEADER)
#include <sys/inotify.h>

#define CHANGES     (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define BUFFER_SIZE 4096

struct file_watch {
	int fd;
	char *folder;
	const char *name; /* points into path */
	char path[];
};

struct file_watch *
file_watch_create(const char *path, struct skynet_error *error) {
	size_t size = strlen(path) + 1;
	struct file_watch *watch = skynet_malloc(sizeof(*watch) + size);
	memcpy(watch->path, path, size);
	watch->folder = split_path(watch->path, &watch->name);
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0 ||
		inotify_add_watch(watch->fd, watch->folder, CHANGES | IN_ONLYDIR) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot watch '%.256s'", path);
		file_watch_destroy(watch);
		return NULL;
	}
	return watch;
}

bool
file_watch_changed(struct file_watch *watch) {
	_Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
	bool changed = false;
	ssize_t size;
	while ((size = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			if ((event->mask & IN_Q_OVERFLOW) ||
				(event->len > 0 && strcmp(event->name, watch->name) == 0))
				changed = true;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return changed;
}

static void
close_all(struct file_watch *watch) {
	if (watch->fd >= 0)
		close(watch->fd);
}

#else
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#ifdef SOCKET_KQUEUE_HEADER /* a stand-in, on systems without kqueue */
#include SOCKET_KQUEUE_HEADER
#else
#include <sys/event.h>
#endif

#define FOLDER_CHANGES (NOTE_WRITE | NOTE_DELETE | NOTE_RENAME)
#define FILE_CHANGES   (NOTE_WRITE | NOTE_EXTEND | NOTE_DELETE | NOTE_RENAME)
#define EVENTS_MAX     8

#ifndef O_EVTONLY
#define O_EVTONLY O_RDONLY
#endif

struct file_watch {
	int fd;        /* the queue */
	int folder_fd; /* of the following two, -1: is not there */
	int file_fd;
	struct stat seen; /* of the file; all 0 when it is not there */
	char *folder;
	const char *name; /* points into path */
	char path[];
};

/* A descriptor whose changes the queue tells, or -1. */
static int
watch_path(int queue, const char *path, int flags, unsigned changes) {
	struct kevent change;
	int fd = open(path, O_EVTONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return -1;
	EV_SET(&change, (uintptr_t)fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, changes, 0, NULL);
	if (kevent(queue, &change, 1, NULL, 0, NULL) == 0)
		return fd;
	int failed = errno;
	close(fd);
	errno = failed;
	return -1;
}

static void
close_fd(int *fd) {
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Watches what stands at the path now. What changes later is told; what changed before is seen. */
static void
watch_file(struct file_watch *watch) {
	close_fd(&watch->file_fd);
	watch->file_fd = watch_path(watch->fd, watch->path, 0, FILE_CHANGES);
	if (stat(watch->path, &watch->seen) < 0)
		memset(&watch->seen, 0, sizeof(watch->seen));
}

struct file_watch *
file_watch_create(const char *path, struct skynet_error *error) {
	size_t size = strlen(path) + 1;
	struct file_watch *watch = skynet_calloc(1, sizeof(*watch) + size);
	memcpy(watch->path, path, size);
	watch->folder = split_path(watch->path, &watch->name);
	watch->folder_fd = watch->file_fd = -1;
	watch->fd = kqueue();
	if (watch->fd >= 0 && fcntl(watch->fd, F_SETFD, FD_CLOEXEC) == 0)
		watch->folder_fd =
			watch_path(watch->fd, watch->folder, O_DIRECTORY, FOLDER_CHANGES);
	if (watch->folder_fd < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot watch '%.256s'", path);
		file_watch_destroy(watch);
		return NULL;
	}
	watch_file(watch);
	return watch;
}

bool
file_watch_changed(struct file_watch *watch) {
	struct kevent events[EVENTS_MAX];
	struct timespec now = {0};
	bool any = false, changed = false, moved = false;
	int count;
	while ((count = kevent(watch->fd, NULL, 0, events, EVENTS_MAX, &now)) > 0) {
		any = true;
		for (int i = 0; i < count; i++) {
			bool folder = (int)events[i].ident == watch->folder_fd;
			changed = changed || !folder;
			moved = moved || (folder && events[i].fflags & (NOTE_DELETE | NOTE_RENAME));
		}
	}
	if (!any)
		return false;
	if (moved) {
		close_fd(&watch->folder_fd);
		watch->folder_fd =
			watch_path(watch->fd, watch->folder, O_DIRECTORY, FOLDER_CHANGES);
	}
	/* A change of the folder may concern another file. */
	struct stat before = watch->seen;
	watch_file(watch);
	return changed || before.st_ino != watch->seen.st_ino ||
	       before.st_dev != watch->seen.st_dev || before.st_size != watch->seen.st_size ||
	       before.st_mtime != watch->seen.st_mtime;
}

static void
close_all(struct file_watch *watch) {
	close_fd(&watch->file_fd);
	close_fd(&watch->folder_fd);
	close_fd(&watch->fd);
}
#endif

int
file_watch_fd(const struct file_watch *watch) {
	return watch->fd;
}

void
file_watch_destroy(struct file_watch *watch) {
	if (watch == NULL)
		return;
	close_all(watch);
	skynet_free(watch->folder);
	skynet_free(watch);
}
