/*
 * Going into the background with a verdict: the command a person typed returns when the daemon
 * works, or fails with the daemon's exit code.
 *
 *   struct daemonize d;
 *   err = daemonize_begin(&d);      only the child returns; call before threads exist
 *   … set up, messages still reach the terminal …
 *   daemonize_ready(&d) or daemonize_failed(&d, 3)
 *
 * A child that dies before its verdict makes the parent report it and exit with 1. A program
 * that stays in the foreground uses DAEMONIZE_NONE and the same two calls, which then do nothing.
 */
#ifndef USERDRIVE_BASE_OS_POSIX_DAEMONIZE_H
#define USERDRIVE_BASE_OS_POSIX_DAEMONIZE_H

#include "base/compiler.h"

struct daemonize {
	int verdict_fd; /* -1: in the foreground, or the verdict was given */
};

#define DAEMONIZE_NONE                                                                   \
	{                                                                                \
		-1                                                                       \
	}

/* Forks. 0 in the child, which leads a new session; the parent never returns. -errno when
 * there is no child. */
NODISCARD int daemonize_begin(struct daemonize *d);
/* Leaves the terminal (standard streams to /dev/null), goes to / and releases the parent.
 * -EPIPE when the parent was interrupted: nobody waits for this daemon any more. */
NODISCARD int daemonize_ready(struct daemonize *d);
/* The parent exits with exit_code (1..255; others become 1). The child is to exit by itself. */
void daemonize_failed(struct daemonize *d, int exit_code);

#endif
