/* What the suite prints: text for people, TAP and JSON for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static const char *
outcome_word(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_PASSED:
		return "passed";
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_SKIPPED:
		return "skipped";
	case OUTCOME_EXPECTED:
		return "expected";
	}
	return "unknown";
}

static void
print_json_string(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			printf("\\u%04x", *p);
		else
			putchar(*p);
	}
	putchar('"');
}

void
report_begin(const struct report *r, size_t n_cases)
{
	if (r->format == REPORT_TAP)
		printf("TAP version 13\n1..%zu\n", n_cases);
	else if (r->format == REPORT_JSON)
		printf("{\"cases\": [");
	fflush(stdout);
}

static void
print_text(const struct report *r, const struct result *result, const char *id)
{
	bool quiet = result->outcome == OUTCOME_PASSED ||
		     result->outcome == OUTCOME_SKIPPED ||
		     result->outcome == OUTCOME_EXPECTED;

	if (quiet && !r->verbose)
		return;
	printf("%s: %s%s%s\n", outcome_word(result->outcome), id,
	       result->text[0] ? ": " : "", result->text);
	if (result->outcome == OUTCOME_FAILED)
		printf("\t%s\n", result->c->text);
}

static void
print_tap(const struct report *r, const struct result *result, const char *id)
{
	bool ok = result->outcome == OUTCOME_PASSED || result->outcome == OUTCOME_SKIPPED;
	const char *mark =
		result->outcome == OUTCOME_SKIPPED ? " # SKIP "
		: result->outcome == OUTCOME_EXPECTED
			? " # TO"
			  "DO " /* the directive of TAP 13 for known failures */
			: "";

	printf("%s %zu - %s%s%s\n", ok ? "ok" : "not ok", r->n, id, mark,
	       *mark ? result->text : "");
	if (result->outcome == OUTCOME_FAILED)
		printf("# %s\n", result->text);
}

static void
print_json(const struct report *r, const struct result *result)
{
	const struct posix_case *c = result->c;

	printf("%s\n{\"call\": \"%s\", \"errno\": \"%s\", \"case\": \"%s\", ",
	       r->n > 1 ? "," : "", c->call, error_name(c->error), c->name);
	printf("\"result\": \"%s\", \"ms\": %u, \"reason\": ",
	       outcome_word(result->outcome), result->ms);
	print_json_string(result->text);
	putchar('}');
}

void
report_case(struct report *r, const struct result *result)
{
	char id[256];

	r->n++;
	r->passed += result->outcome == OUTCOME_PASSED;
	r->failed += result->outcome == OUTCOME_FAILED;
	r->skipped += result->outcome == OUTCOME_SKIPPED;
	r->expected += result->outcome == OUTCOME_EXPECTED;
	case_id(result->c, id, sizeof(id));
	if (r->format == REPORT_TEXT)
		print_text(r, result, id);
	else if (r->format == REPORT_TAP)
		print_tap(r, result, id);
	else
		print_json(r, result);
	fflush(stdout);
}

void
report_end(const struct report *r)
{
	if (r->format == REPORT_JSON) {
		printf("],\n\"passed\": %zu, \"failed\": %zu, \"skipped\": %zu, "
		       "\"expected_failures\": %zu}\n",
		       r->passed, r->failed, r->skipped, r->expected);
		return;
	}
	printf("%s%zu passed, %zu failed, %zu skipped, %zu expected failures\n",
	       r->format == REPORT_TAP ? "# " : "", r->passed, r->failed, r->skipped,
	       r->expected);
}
