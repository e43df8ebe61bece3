/*
 * fuse_log.h: where the library's own messages go.
 */
#ifndef FUSE_LOG_H_
#define FUSE_LOG_H_

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers of syslog(3). */
enum fuse_log_level {
	FUSE_LOG_EMERG,
	FUSE_LOG_ALERT,
	FUSE_LOG_CRIT,
	FUSE_LOG_ERR,
	FUSE_LOG_WARNING,
	FUSE_LOG_NOTICE,
	FUSE_LOG_INFO,
	FUSE_LOG_DEBUG
};

/* May be called from any thread, several at once. fmt ends with a newline where a line ends. */
typedef void (*fuse_log_func_t)(enum fuse_log_level level, const char *fmt, va_list ap);

/* Replaces the destination; NULL: back to standard error. Call it before other threads log. */
void fuse_set_log_func(fuse_log_func_t func);

/* One message. Any thread. */
void fuse_log(enum fuse_log_level level, const char *fmt, ...);

/* Sends messages to the system's log instead of standard error; the arguments are those of
 * openlog(3), and ident must stay valid. A function set by fuse_set_log_func goes first. */
void fuse_log_enable_syslog(const char *ident, int option, int facility);

/* Closes the connection to the system's log. */
void fuse_log_close_syslog(void);

#ifdef __cplusplus
}
#endif

#endif
