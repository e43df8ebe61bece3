/* Text in, text out: descriptors of the security tests are written as SDDL. */
#ifndef USERDRIVE_TESTS_UNIT_SECURITY_UTIL_H
#define USERDRIVE_TESTS_UNIT_SECURITY_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/security/sd.h"

enum { SD_ALL = SD_OWNER | SD_GROUP | SD_DACL | SD_SACL };

/* The caller frees. */
static inline void *
sd_of(const char *text)
{
	void *sd = NULL;
	size_t size = 0, bad = 0;
	NTSTATUS st = sddl_parse(text, &sd, &size, &bad);

	if (!NT_SUCCESS(st))
		fail_msg("%s: status %x at %zu", text, (unsigned)st, bad);
	assert_true(sd_valid(sd, size));
	assert_int_equal(sd_length(sd), size);
	return sd;
}

/* Checks the text of a descriptor and frees the descriptor. */
static inline void
assert_sd_text(void *sd, const char *expected)
{
	char *text = NULL;

	assert_int_equal(sddl_format(sd, SD_ALL, &text), STATUS_SUCCESS);
	assert_string_equal(text, expected);
	free(text);
	free(sd);
}

static inline struct sid
sid_of(const char *text)
{
	struct sid sid;
	const char *end = text;

	assert_true(sid_parse(text, &sid, &end));
	assert_int_equal(*end, 0);
	return sid;
}

#endif
