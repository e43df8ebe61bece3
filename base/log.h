/*
 * One line per event: "module: text key=value …". error: an operator must act; warn: odd but
 * survived; info: life cycle; debug: per module, off by default (costs one branch).
 * Sinks: stderr in the foreground, the journal or syslog in the background. Thread-safe.
 */
#ifndef USERDRIVE_BASE_LOG_H
#define USERDRIVE_BASE_LOG_H

#include <stdatomic.h>
#include "base/compiler.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_sink { LOG_SINK_STDERR, LOG_SINK_SYSTEM };

/* ident: program name, borrowed for the life of the process. */
void log_open(const char *ident, enum log_sink sink);
/* Highest level that is printed; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);
/* "fuse", "mount", "all"…: turns on the debug lines of a module; up to 16 modules. By one thread
 * at a time. */
void log_enable_debug(const char *module);
bool log_debug_enabled(const char *module);

void log_msg(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(module, ...) log_msg(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...) log_msg(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define log_info(module, ...) log_msg(LOG_LEVEL_INFO, module, __VA_ARGS__)
extern atomic_bool log_any_debug;
#define log_debug(module, ...)                                                           \
	do {                                                                             \
		if (unlikely(atomic_load_explicit(&log_any_debug,                        \
						  memory_order_relaxed)) &&              \
		    log_debug_enabled(module))                                           \
			log_msg(LOG_LEVEL_DEBUG, module, __VA_ARGS__);                   \
	} while (0)

#endif
