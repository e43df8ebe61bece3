/*
 * Clients of a drive that misbehaves (evilfs.h says how, by names). A case is one behaviour; it
 * runs in a process of its own, and while it runs a neighbour works on other files of the same
 * drive. Shared by the files of this program.
 */
#ifndef TESTS_FAULT_FAULTS_H
#define TESTS_FAULT_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { CASE_MAX_S = 40 };

/* Ends the case as failed, with a line. */
_Noreturn void fail_case(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define EXPECT(condition, ...)                                                           \
	do {                                                                             \
		if (!(condition))                                                        \
			fail_case(__FILE__, __LINE__, __VA_ARGS__);                      \
	} while (0)

struct fault_case {
	const char *group, *name;
	void (*run)(const char *name);
	/* What hangs works by name, and a rename waits for that: the neighbour's may time out. */
	bool holds_names;
};
extern const struct fault_case answer_cases[], hang_cases[];
extern const size_t n_answer_cases, n_hang_cases;

/* A new file of that name with some bytes; unlinked first if it was there. */
enum { CONTENT_SIZE = 10 };
extern const char content[CONTENT_SIZE + 1];
void make_file(const char *name);
void make_directory(const char *name);

/* result is -1 and errno what is wanted (0: any but EINTR and a broken connection). */
void expect_error(const char *what, long result, int wanted);
/* The connection still stands: result is not -1, or errno is that of one request. */
void expect_alive(const char *what, long result);
/* The file's content, by a fresh open. */
void expect_content(const char *name);

uint64_t now_ms(void);

#endif
