/* Watches one file through a descriptor that is readable after a change: inotify on its folder, or
 * a kqueue of its own, so that a file that is replaced or does not exist yet is seen too. No state.
 */
#ifndef SKYNET_FILE_WATCH_H
#define SKYNET_FILE_WATCH_H

#include <stdbool.h>

#include "base/error.h"

/// Begins to watch the file at `path`. Returns a descriptor, ended by close, or -1 with `error`.
int file_watch_open(const char *path, struct skynet_error *error);

/// Takes the changes that have been noticed. True when one of them concerns the file.
bool file_watch_changed(int fd, const char *path);

#endif
