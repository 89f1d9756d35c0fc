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
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define FOLDER_GONE (IN_DELETE_SELF | IN_MOVE_SELF)
#define CHANGES                                                                             \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | \
		FOLDER_GONE)
#define BUFFER_SIZE 4096

struct file_watch {
	int fd;
	int folder_wd; /* of the following two, which may be the same; -1: it is gone */
	int real_wd;   /* of the folder where links lead to, -1: none */
	int above_wd;  /* of the nearest folder above that is there while the first is gone, else -1
			*/
	char *folder;
	char *real_path;       /* where links led to, NULL: nowhere yet */
	const char *real_name; /* points into real_path */
	struct stat seen;      /* the file that the path led to; all 0 when it led nowhere */
	const char *name;      /* points into path */
	char path[];
};

static int
watch_folder(const struct file_watch *watch, const char *folder) {
	return inotify_add_watch(watch->fd, folder, CHANGES | IN_ONLYDIR);
}

/* Ends the watch of a folder, if it has no other use. */
static void
unwatch(const struct file_watch *watch, int wd) {
	if (wd >= 0 && wd != watch->folder_wd && wd != watch->real_wd && wd != watch->above_wd)
		inotify_rm_watch(watch->fd, wd);
}

/* Watches the folder that links lead to now. When they lead nowhere it stays the one before: the
 * file may be made again. */
static void
follow_links(struct file_watch *watch) {
	char *path = realpath(watch->path, NULL);
	if (stat(watch->path, &watch->seen) < 0)
		memset(&watch->seen, 0, sizeof(watch->seen));
	if (path == NULL)
		return;
	skynet_free(watch->real_path);
	watch->real_path = skynet_strdup(path);
	free(path); /* the system's, not ours */
	char *folder = split_path(watch->real_path, &watch->real_name);
	int before = watch->real_wd;
	watch->real_wd = watch_folder(watch, folder);
	skynet_free(folder);
	unwatch(watch, before);
}

/* Watches the nearest folder above that is there. Returns -1 when there is none. */
static int
watch_above(const struct file_watch *watch) {
	const char *name;
	char *folder = split_path(watch->folder, &name);
	int wd = watch_folder(watch, folder);
	while (wd < 0 && strcmp(folder, "/") != 0 && strcmp(folder, ".") != 0) {
		char *above = split_path(folder, &name);
		skynet_free(folder);
		folder = above;
		wd = watch_folder(watch, folder);
	}
	skynet_free(folder);
	return wd;
}

/* Watches the folder that the path names now; while there is none, where it will be made. */
static void
find_folder(struct file_watch *watch) {
	int before = watch->folder_wd, above = watch->above_wd;
	watch->above_wd = -1;
	/* The folder was moved away, if it was there: what happens in it does not matter any more.
	 */
	if (before >= 0 && watch->real_wd == before)
		watch->real_wd = -1;
	while ((watch->folder_wd = watch_folder(watch, watch->folder)) < 0) {
		int wd = watch_above(watch);
		if (wd == watch->above_wd)
			break;
		/* The folder may have been made before the one above was watched, so this looks
		 * again. */
		watch->above_wd = wd;
	}
	if (watch->folder_wd >= 0)
		watch->above_wd = -1;
	unwatch(watch, before);
	unwatch(watch, above);
}

struct file_watch *
file_watch_create(const char *path, struct skynet_error *error) {
	size_t size = strlen(path) + 1;
	struct file_watch *watch = skynet_calloc(1, sizeof(*watch) + size);
	memcpy(watch->path, path, size);
	watch->folder = split_path(watch->path, &watch->name);
	watch->real_wd = watch->above_wd = -1;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0 || (watch->folder_wd = watch_folder(watch, watch->folder)) < 0) {
		error_set_errno(error, SKYNET_ESYSTEM, errno, "cannot watch '%.256s'", path);
		file_watch_destroy(watch);
		return NULL;
	}
	follow_links(watch);
	return watch;
}

/* True when the path leads to another file than before. Any change in the folder may cause that,
 * because the path may go through links in it. */
static bool
leads_elsewhere(const struct file_watch *watch) {
	struct stat now;
	return stat(watch->path, &now) == 0 &&
	       (now.st_dev != watch->seen.st_dev || now.st_ino != watch->seen.st_ino);
}

/* True when owner or permissions have changed: this process may be allowed to read the file now. */
static bool
has_other_rights(const struct file_watch *watch) {
	struct stat now;
	return stat(watch->path, &now) == 0 &&
	       (now.st_mode != watch->seen.st_mode || now.st_uid != watch->seen.st_uid ||
		       now.st_gid != watch->seen.st_gid);
}

/* True when what has just been made in the folder is a link, and complete with that. A new file is
 * not: another event tells when it was written. */
static bool
is_link(const char *path) {
	struct stat made;
	return lstat(path, &made) == 0 && (S_ISLNK(made.st_mode) || made.st_nlink > 1);
}

static bool
concerns_file(const struct file_watch *watch, const struct inotify_event *event) {
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	if (event->len == 0)
		return false;
	const char *path = NULL;
	if (event->wd == watch->folder_wd && strcmp(event->name, watch->name) == 0)
		path = watch->path;
	else if (event->wd == watch->real_wd && strcmp(event->name, watch->real_name) == 0)
		path = watch->real_path;
	if (path == NULL)
		return leads_elsewhere(watch);
	if (event->mask & IN_ATTRIB)
		return has_other_rights(watch);
	return (event->mask & IN_CREATE) == 0 || is_link(path);
}

/* Whether the folder of the path has gone, or may have come. */
static bool
concerns_folder(const struct file_watch *watch, const struct inotify_event *event) {
	if (watch->above_wd >= 0 && event->wd == watch->above_wd)
		return true;
	return event->wd == watch->folder_wd && (event->mask & FOLDER_GONE) != 0;
}

bool
file_watch_changed(struct file_watch *watch) {
	_Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
	bool changed = false, moved = false;
	ssize_t size;
	while ((size = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			changed = changed || concerns_file(watch, event);
			moved = moved || concerns_folder(watch, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	if (moved) {
		bool was_there = watch->folder_wd >= 0;
		find_folder(watch);
		/* A file whose folder has gone has changed too. */
		changed = changed || was_there || leads_elsewhere(watch);
	}
	if (changed)
		follow_links(watch);
	return changed;
}

static void
close_all(struct file_watch *watch) {
	if (watch->fd >= 0)
		close(watch->fd);
	skynet_free(watch->real_path);
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
