#include "api/common/trace.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int trace_fd = STDERR_FILENO;

void
trace_set_fd(int fd)
{
	atomic_store(&trace_fd, fd);
}

static void
trace_bytes(const char *s, size_t n)
{
	int fd = atomic_load(&trace_fd);

	while (n > 0) {
		ssize_t done = write(fd, s, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		s += done;
		n -= (size_t)done;
	}
}

void
trace_buf(const struct buf *b)
{
	trace_bytes(buf_str(b), strlen(buf_str(b)));
}

void
trace_vprintf(const char *format, va_list ap)
{
	CLEANUP(free_ptr) char *text = NULL;
	int n = vasprintf(&text, format, ap);

	if (n < 0)
		text = NULL;
	else
		trace_bytes(text, (size_t)n);
}

void
trace_begin(struct buf *b, uint64_t hint, const char *arrow, const char *kind)
{
	buf_printf(b, "%s[TID=%04x]: %lx: %s%s", program_invocation_short_name,
		   (unsigned)gettid() & 0xffff, (unsigned long)hint, arrow,
		   kind ? kind : "INVALID");
}
