/*
 * A drive that misbehaves on purpose: memfs, with what a file's name asks for done to it. Shared by
 * evilfs's own files.
 *
 *	evil-hang-OP          OP does not return until "release" is opened (or HANG_MAX_S passed)
 *	evil-slow-OP          OP takes SLOW_MS
 *	evil-status-OP-XXXXXXXX   OP answers that NTSTATUS
 *	evil-crash-OP         OP ends the process with a fault
 *	evil-abort-OP         … with abort()
 *	evil-exit-OP          … with _exit(0)
 *	evil-never-OP         OP answers STATUS_PENDING and never completes
 *	evil-later-OP         OP is completed by another thread, in the middle of stray responses
 *	evil-early-OP         OP is completed before it has said STATUS_PENDING
 *	evil-badsize-OP       OP is completed by a response whose Size is impossible
 *	evil-garbage-OP       OP succeeds; every byte behind the response's header is FFh
 *	evil-huge-OP          OP succeeds; the response's Size is larger than any message
 *	evil-WHAT             garbage of the operation itself: evil-answers.c lists them
 *	edquot-*, enospc-*    their creation fails so
 *
 * OP: create open overwrite cleanup close read write getinfo setinfo getea setea flush readdir
 * fsctl getsecurity setsecurity streams stat. "create" is the creation of that name, "open" an open
 * for data, "stat" information by name.
 */
#ifndef TESTS_FAULT_EVILFS_H
#define TESTS_FAULT_EVILFS_H

#include "examples/memfs/memfs.h"

enum { EVIL_NAME_MAX = 63, SLOW_MS = 300, HANG_MAX_S = 30 };

/* The last component of a path, in ASCII; "" when it is not evil. */
void evil_name_of_path(PCWSTR path, char ret_name[EVIL_NAME_MAX + 1]);
/* The name under which a context was opened last; "" when it is not evil. */
void evil_name_of_context(PVOID context, char ret_name[EVIL_NAME_MAX + 1]);

/* What the name asks of an operation that has no request of its own (see OP); the status to answer,
 * or STATUS_SUCCESS to go on. */
NTSTATUS evil_before(const char *name, const char *operation);

/* evil-answers.c: operations that lie. base is what an honest drive would do. */
void evil_answers_install(const FSP_FILE_SYSTEM_INTERFACE *base,
			  FSP_FILE_SYSTEM_INTERFACE *interface);

#endif
