#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum { MAX_DEBUG_MODULES = 16, LINE_BYTES = 1024 };

atomic_bool log_any_debug;

/* May change while others log: a program turns to the system's log after its volume has started. */
static struct {
	const char *_Atomic ident;
	_Atomic enum log_sink sink;
	_Atomic enum log_level level;
	char modules[MAX_DEBUG_MODULES][16];
	_Atomic size_t n_modules; /* release by who adds pairs with acquire by who looks */
} log_state = {.ident = "userdrive", .level = LOG_LEVEL_INFO};

void
log_open(const char *ident, enum log_sink sink)
{
	atomic_store(&log_state.ident, ident);
	if (sink == LOG_SINK_SYSTEM)
		openlog(ident, LOG_PID, LOG_DAEMON);
	atomic_store(&log_state.sink, sink);
}

void
log_set_level(enum log_level level)
{
	atomic_store(&log_state.level, level);
}

void
log_enable_debug(const char *module)
{
	size_t n = atomic_load(&log_state.n_modules);

	if (n == MAX_DEBUG_MODULES)
		return;
	snprintf(log_state.modules[n], sizeof(log_state.modules[0]), "%s", module);
	atomic_store_explicit(&log_state.n_modules, n + 1, memory_order_release);
	atomic_store(&log_any_debug, true);
}

bool
log_debug_enabled(const char *module)
{
	size_t n = atomic_load_explicit(&log_state.n_modules, memory_order_acquire);

	for (size_t i = 0; i < n; i++)
		if (strcmp(log_state.modules[i], module) == 0 ||
		    strcmp(log_state.modules[i], "all") == 0)
			return true;
	return false;
}

/* A peer's bytes must not forge log lines or drive a terminal. */
static void
make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

void
log_msg(enum log_level level, const char *module, const char *fmt, ...)
{
	static const int syslog_level[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
	char text[LINE_BYTES], line[LINE_BYTES + 64];
	va_list ap;

	if (level > atomic_load(&log_state.level) && level != LOG_LEVEL_DEBUG)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_printable(text);
	if (atomic_load(&log_state.sink) == LOG_SINK_SYSTEM) {
		syslog(syslog_level[level], "%s%s: %s", names[level], module, text);
		return;
	}
	int n = snprintf(line, sizeof(line), "%s: %s%s: %s\n", atomic_load(&log_state.ident),
			 names[level], module, text);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	/* One write per line, so that lines of several threads do not mix. */
	ssize_t done = write(STDERR_FILENO, line, (size_t)n);
	(void)done;
}
