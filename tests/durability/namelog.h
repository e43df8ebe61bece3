/*
 * What a program does to the files of one folder, written down below the C library's
 * calls (linked with
 * --wrap, see meson.build), and folders made as a crash at any moment could leave them.
 * The calls themselves are made as well.
 *
 * What is safe: a file's bytes after fsync or fdatasync of it, its attributes after
 * fsync, the names in the folder after fsync of the folder. What is not, a crash leaves
 * or not, each for itself; writes are torn at sectors. Moments are as in crashlog.h.
 *
 * One thread at a time.
 */
#ifndef USERDRIVE_TESTS_NAMELOG_H
#define USERDRIVE_TESTS_NAMELOG_H

#include "base/compiler.h"

/* From now on what happens in folder is written down; NULL: nothing is. */
void namelog_watch(const char *folder);
/* Forgets everything. */
void namelog_reset(void);
size_t namelog_now(void);

/* Calls that are answered and not made. */
enum namelog_drop { NAMELOG_DROP_NONE, NAMELOG_DROP_FILE_SYNC, NAMELOG_DROP_FOLDER_SYNC };
void namelog_drop(enum namelog_drop drop);
/* False: there are no extended attributes here. */
void namelog_set_xattrs(bool are_there);

/* luck: percent of what is not safe that stays. folder is there and empty. */
void namelog_crash(size_t moment, unsigned luck, uint64_t *random, const char *folder);

#endif
