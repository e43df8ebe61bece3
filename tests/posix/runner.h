/*
 * Between the runner and the harness: how a case tells its outcome. The text lies in
 * memory shared by the runner, the case and the case's helper processes.
 */
#ifndef TESTS_POSIX_RUNNER_H
#define TESTS_POSIX_RUNNER_H

#include <stddef.h>
#include <stdio.h>

#include "harness.h"

enum outcome {
	OUTCOME_PASSED = 0,
	OUTCOME_FAILED = 1,
	OUTCOME_SKIPPED = 77,
	OUTCOME_EXPECTED = 78, /* failed as the expectation file says */
};

#define OUTCOME_TEXT_SIZE 1024
extern char *outcome_text;

void helper_errno_set(int error);
int helper_errno(void);

/* ---- registry ---- */

void registry_build(void);
size_t registry_count(void);
const struct posix_case *registry_get(size_t i);
/* "call:ERRNO:name" of a case. */
void case_id(const struct posix_case *c, char *ret_id, size_t size);
void case_print(FILE *out, const struct posix_case *c);
/* pattern: CALL[:ERRNO[:CASE]], each a shell pattern. */
bool case_matches(const struct posix_case *c, const char *pattern);

/* ---- expectations ---- */

/* 0, or -errno; complaints go to stderr. */
int expect_load(const char *path);
/* Reason why the case is expected to fail, NULL when it is not; borrowed. */
const char *expect_reason(const struct posix_case *c);

/* ---- running one case ---- */

struct result {
	const struct posix_case *c;
	enum outcome outcome;
	char text[OUTCOME_TEXT_SIZE]; /* reason of a failure or skip */
	unsigned int ms;
};

int runner_init(void);
void runner_fini(void);
/* True once SIGINT or SIGTERM came; the case that ran then was ended. */
bool runner_interrupted(void);
void runner_run(const struct posix_case *c, struct result *ret_result);

/* ---- reports ---- */

enum report_format { REPORT_TEXT, REPORT_TAP, REPORT_JSON };

struct report {
	enum report_format format;
	bool verbose;
	size_t passed, failed, skipped, expected;
	size_t n;
};

void report_begin(const struct report *r, size_t n_cases);
void report_case(struct report *r, const struct result *result);
void report_end(const struct report *r);

/* ---- helper modes: posix-suite --helper MODE, exec'd by cases as another program ----
 */
int helper_main(const char *mode);

/* Removes everything below the directory dirfd; -errno of the first that stays. */
int tree_clear(int dirfd);

#endif
