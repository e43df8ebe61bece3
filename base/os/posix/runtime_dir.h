/*
 * Directories that live as long as the machine is up.
 *
 *                   runtime_dir                     drives_dir
 *   root            /run/userdrive                  /run/drives
 *   others          $XDG_RUNTIME_DIR/userdrive      $XDG_RUNTIME_DIR/drives
 *   no XDG dir      /tmp/userdrive-UID              /tmp/userdrive-UID/drives
 *
 * $USERDRIVE_RUNTIME_DIR, when set, takes the place of the first and holds the second as
 * "drives". A directory that belongs to somebody else, is a symbolic link, or could be
 * written (others but root: entered) by somebody else is refused with -EPERM: /tmp is
 * everyone's.
 */
#ifndef USERDRIVE_BASE_OS_POSIX_RUNTIME_DIR_H
#define USERDRIVE_BASE_OS_POSIX_RUNTIME_DIR_H

#include "base/compiler.h"

/* Creates the directory and writes its path; 0 or -errno. */
NODISCARD int runtime_dir(char *dst, size_t cap);
NODISCARD int drives_dir(char *dst, size_t cap);
/* A private (0700) directory inside the runtime directory. */
NODISCARD int runtime_subdir(const char *name, char *dst, size_t cap);

#endif
