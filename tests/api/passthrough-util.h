/* What tests of passthrough's operations share: a drive without a mount, over a fresh
 * directory. */
#ifndef TESTS_API_PASSTHROUGH_UTIL_H
#define TESTS_API_PASSTHROUGH_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "examples/passthrough/passthrough.h"

struct drive {
	FSP_FILE_SYSTEM fs;
	struct pt pt;
	char top[64];	  /* holds what follows, and what must never be reached */
	char source[80];  /* the drive's directory */
	char outside[80]; /* a directory beside it */
};

/* For cmocka: *state is a struct drive. */
int drive_setup(void **state);
int drive_teardown(void **state);

/* Path of a name in the source; valid until the fourth call after it. */
const char *in_source(const struct drive *d, const char *name);
void put_file(const char *path, const char *text);
/* Whether path exists; links are not followed. */
bool exists(const char *path);
mode_t mode_of(const char *path);

/* Operations with the arguments that do not matter filled in. */
NTSTATUS open_name(struct drive *d, PCWSTR name, UINT32 granted,
		   struct pt_file **ret_file);
struct pt_file *must_open(struct drive *d, PCWSTR name, UINT32 granted);
NTSTATUS create_name(struct drive *d, PCWSTR name, UINT32 options, UINT32 mode,
		     struct pt_file **ret_file);
void shut(struct drive *d, struct pt_file *file);
NTSTATUS by_name(struct drive *d, PCWSTR name, UINT32 *ret_attributes);

#define assert_status(expected, actual) \
	assert_int_equal((UINT32)(expected), (UINT32)(actual))

#endif
