/* Watches one file through a descriptor that is readable after a change: inotify on its folder, or
 * a kqueue of its own, so that a file that is replaced or does not exist yet is seen too; with
 * inotify also a folder that is replaced. The path may be a link, also to a link in the same
 * folder; of links further away changes are not seen. One thread at a time.
 */
#ifndef SKYNET_FILE_WATCH_H
#define SKYNET_FILE_WATCH_H

#include <stdbool.h>

#include "base/error.h"

struct file_watch;

/// Begins to watch the file at `path`, which is copied; its folder must exist. Gives a watch, ended
/// by file_watch_destroy, or NULL with `error`.
struct file_watch *file_watch_create(const char *path, struct skynet_error *error);

/// The descriptor that becomes readable when something has changed. It belongs to the watch.
int file_watch_fd(const struct file_watch *watch);

/// Reads the changes that have been noticed. Returns true when one of them concerns the file.
bool file_watch_changed(struct file_watch *watch);

/// Ends the watch. Takes `watch`, which may be NULL.
void file_watch_destroy(struct file_watch *watch);

#endif
