/*
 * The debug log of the native APIs: lines on a descriptor that the program chooses, standard error
 * at first. Any thread.
 */
#ifndef USERDRIVE_API_COMMON_TRACE_H
#define USERDRIVE_API_COMMON_TRACE_H

#include <stdarg.h>
#include "base/buf.h"

void trace_set_fd(int fd);
void trace_vprintf(const char *format, va_list ap) PRINTF_LIKE(1, 0);
/* One write per line, so that lines of several threads do not mix. */
void trace_buf(const struct buf *b);
/* "NAME[TID=xxxx]: HINT: >>Kind"; kind NULL: INVALID. */
void trace_begin(struct buf *b, uint64_t hint, const char *arrow, const char *kind);

#endif
