/*
 * What the mains of drive programs have in common: standard streams, signals, and the wait for what
 * ends a program. Signals are blocked before any thread exists and read by the main thread, which
 * also hears of stops from elsewhere; so everything that ends a program happens on one thread.
 */
#ifndef USERDRIVE_API_COMMON_PROGRAM_H
#define USERDRIVE_API_COMMON_PROGRAM_H

#include "base/compiler.h"

struct program_events {
	int signal_fd;
	int stop_fd; /* an event descriptor */
};
#define PROGRAM_EVENTS_NONE                                                              \
	{                                                                                \
		-1, -1                                                                   \
	}

/* mount(8) and the like may start programs with closed standard streams; the first files that are
 * opened would take their place. */
void program_ensure_streams(void);
/* Opens the debug log: NULL or "-" is standard error. 0, or -1 after a line in the log. */
NODISCARD int program_debug_log(const char *file);
/* Blocks TERM, INT and HUP, ignores PIPE. Before threads exist. 0 or -errno; fini in any case. */
NODISCARD int program_events_init(struct program_events *e);
void program_events_fini(struct program_events *e);
/* Ends a wait, this one or the next. Any thread; also from a callback. 0 or -errno. */
int program_events_stop(struct program_events *e);
/* Returns when a signal or a stop has come, which is taken. */
void program_events_wait(struct program_events *e);
/* A second signal ends a program that does not get done with the first. */
void program_signals_unblock(void);

#endif
