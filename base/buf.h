/*
 * A growing string. A failed allocation sticks: later calls do nothing, and buf_error tells once
 * at the end. The owner of the struct owns the bytes; one thread at a time.
 */
#ifndef USERDRIVE_BASE_BUF_H
#define USERDRIVE_BASE_BUF_H

#include "base/compiler.h"

struct buf {
	char *s; /* NUL-terminated; NULL while nothing was added */
	size_t n, cap;
	bool failed;
};

#define BUF_INIT                                                                         \
	{                                                                                \
		0                                                                        \
	}

/* Also for CLEANUP(buf_fini). */
void buf_fini(struct buf *b);
/* Empties it, keeps the memory and forgets a failure. */
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const char *bytes, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The bytes as a JSON string with its quotes; each byte that is not UTF-8 becomes U+FFFD. */
void buf_json_bytes(struct buf *b, const char *bytes, size_t n);
void buf_json_string(struct buf *b, const char *s);
/* "" while empty; valid until the next change. */
const char *buf_str(const struct buf *b);
/* 0 or -ENOMEM. */
NODISCARD int buf_error(const struct buf *b);

#endif
