/*
 * The library's messages: standard error, the system's log, or a function of the program.
 */
#include "api/fuse/api.h"

#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>

/* Set by fuse_log_enable_syslog while other threads log: read once a message. */
static atomic_bool to_syslog;

static void
log_default(enum fuse_log_level level, const char *fmt, va_list ap)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (atomic_load(&to_syslog))
		vsyslog((int)level, fmt, ap);
	else
		vfprintf(stderr, fmt, ap);
#pragma GCC diagnostic pop
}

/* Pairs with the load in fuse_log: a function and its data are seen together. */
static _Atomic(fuse_log_func_t) log_func = log_default;

void
fuse_set_log_func(fuse_log_func_t func)
{
	atomic_store(&log_func, func ? func : log_default);
}

void
fuse_log(enum fuse_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	atomic_load(&log_func)(level, fmt, ap);
	va_end(ap);
}

void
fuse_log_enable_syslog(const char *ident, int option, int facility)
{
	openlog(ident, option, facility);
	atomic_store(&to_syslog, true);
}

void
fuse_log_close_syslog(void)
{
	atomic_store(&to_syslog, false);
	closelog();
}
