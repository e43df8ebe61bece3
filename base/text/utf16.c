/* Case rule, comparison and wildcards of NT names: everything here is per 16-bit unit. */
#include "base/text/names.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

/* Written once under upcase_once, read-only afterwards. */
static uint16_t upcase_table[0x10000];
static pthread_once_t upcase_once = PTHREAD_ONCE_INIT;

/*
 * NT upper-cases a unit only when lower-casing leads back. So dotless i is not I, long s
 * is not S, final sigma is not sigma: two names that NT keeps apart must not become one.
 * Sharp s has no simple upper case (utf8proc offers the capital of 2008, NT does not take
 * it).
 */
static uint16_t
upcase_by_unicode(uint16_t c)
{
	utf8proc_int32_t upper;

	if ((c & 0xf800) == 0xd800 || c == 0xdf)
		return c;
	upper = utf8proc_toupper(c);
	if (upper < 0 || upper > 0xffff || utf8proc_tolower(upper) != c)
		return c;
	return (uint16_t)upper;
}

static void
upcase_init(void)
{
	for (uint32_t c = 0; c < ARRAY_SIZE(upcase_table); c++)
		upcase_table[c] = upcase_by_unicode((uint16_t)c);
}

size_t
utf16_len(const uint16_t *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

uint16_t
utf16_upcase(uint16_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z' ? (uint16_t)(c - ('a' - 'A')) : c;
	pthread_once(&upcase_once, upcase_init);
	return upcase_table[c];
}

void
utf16_upcase_n(uint16_t *s, size_t n_units)
{
	for (size_t i = 0; i < n_units; i++)
		s[i] = utf16_upcase(s[i]);
}

static int
compare_folded(const uint16_t *a, const uint16_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] == b[i])
			continue;
		int order = utf16_upcase(a[i]) - utf16_upcase(b[i]);
		if (order != 0)
			return order;
	}
	return 0;
}

static int
compare_exact(const uint16_t *a, const uint16_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return a[i] - b[i];
	return 0;
}

int
utf16_compare(const uint16_t *a, size_t na, const uint16_t *b, size_t nb, bool fold_case)
{
	size_t n = MIN(na, nb);
	int order = fold_case ? compare_folded(a, b, n) : compare_exact(a, b, n);

	if (order != 0 || na == nb)
		return order;
	return na < nb ? -1 : 1;
}

uint32_t
utf16_hash(const uint16_t *s, size_t n_units, bool fold_case)
{
	uint32_t hash = 2166136261u; /* FNV-1a, by unit */

	for (size_t i = 0; i < n_units; i++)
		hash = (hash ^ (fold_case ? utf16_upcase(s[i]) : s[i])) * 16777619u;
	/* The tables take low bits; a multiplication only carries upwards. */
	hash ^= hash >> 16;
	hash *= 0x7feb352du;
	return hash ^ hash >> 15;
}

bool
utf16_has_wildcards(const uint16_t *s, size_t n_units)
{
	for (size_t i = 0; i < n_units; i++)
		if (s[i] < 0x80 && s[i] != 0 && strchr("*?<>\"", s[i]))
			return true;
	return false;
}

/*
 * Matching follows all ways through the pattern at once: after k pattern units,
 * reached[i] says that they can match the first i units of the name. Cost is at most
 * pattern x name; there is no backtracking to blow up. (Greedy matching is not enough:
 * DOS_STAR cannot cross the last period, so a later start may get further than an earlier
 * one.)
 */
enum { MATCH_MAX_UNITS = 1023 }; /* four times the longest component */

struct matcher {
	const uint16_t *name;
	size_t n;
	size_t last_dot;  /* n when there is none */
	size_t low, high; /* every reached position is in low..high */
	bool fold_case;
	bool reached[MATCH_MAX_UNITS + 1];
};

enum step { STEP_FAIL, STEP_STAY, STEP_TAKE };

/* How one pattern unit, not a star, goes on from position i of the name. */
static enum step
match_one(const struct matcher *m, uint16_t p, size_t i)
{
	bool at_end = i == m->n;
	uint16_t c = at_end ? 0 : m->name[i];

	switch (p) {
	case '?':
		return at_end ? STEP_FAIL : STEP_TAKE;
	case '>': /* DOS_QM */
		return at_end || c == '.' ? STEP_STAY : STEP_TAKE;
	case '"': /* DOS_DOT */
		return at_end ? STEP_STAY : c == '.' ? STEP_TAKE : STEP_FAIL;
	default:
		if (at_end)
			return STEP_FAIL;
		return (m->fold_case ? utf16_upcase(c) : c) == p ? STEP_TAKE : STEP_FAIL;
	}
}

static void
match_step(struct matcher *m, uint16_t p)
{
	size_t low = m->n + 1, high = 0;

	/* Downwards, so that a way that goes on to i + 1 is not met again. */
	for (size_t i = m->high + 1; i-- > m->low;) {
		if (!m->reached[i])
			continue;
		enum step step = match_one(m, p, i);
		size_t to = i + (step == STEP_TAKE);
		m->reached[i] = false;
		if (step == STEP_FAIL)
			continue;
		m->reached[to] = true;
		low = to;
		high = MAX(high, to);
	}
	m->low = low;
	m->high = high;
}

/* From the first reached position in from..to, every position up to `to` is reached. */
static void
match_spread(struct matcher *m, size_t from, size_t to)
{
	while (from <= to && !m->reached[from])
		from++;
	if (from > to)
		return;
	memset(m->reached + from, true, to - from + 1);
	m->high = MAX(m->high, to);
}

bool
utf16_match(const uint16_t *pattern, size_t n_pattern, const uint16_t *name,
	    size_t n_name, bool fold_case)
{
	struct matcher m = {
		.name = name, .n = n_name, .last_dot = n_name, .fold_case = fold_case};

	if (n_pattern == 0 || n_name == 0)
		return n_pattern == n_name;
	if (n_pattern == 1 && pattern[0] == '*')
		return true;
	if (n_name > MATCH_MAX_UNITS)
		return false;
	for (size_t i = 0; i < n_name; i++)
		if (name[i] == '.')
			m.last_dot = i;
	m.reached[0] = true;
	for (size_t k = 0; k < n_pattern && m.low <= m.high; k++) {
		if (pattern[k] == '*')
			match_spread(&m, m.low, n_name);
		else if (pattern[k] == '<') { /* DOS_STAR */
			match_spread(&m, m.low, m.last_dot);
			match_spread(&m, MAX(m.low, m.last_dot + 1), n_name);
		} else
			match_step(&m, pattern[k]);
	}
	return m.low <= m.high && m.reached[n_name];
}
