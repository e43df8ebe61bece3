/*
 * Names of every legal kind, all at once in one directory, so that two that a drive
 * confuses meet: single bytes, pairs, UTF-8 of every plane, what is not UTF-8, the
 * private characters U+F0xx in which NT names carry the others, the longest names, case
 * and normalisation twins. Each name is listed back byte for byte, opened, linked,
 * renamed, used for a directory and as a link target, and removed.
 */
#include "tests/stress/common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct names {
	char **v;
	size_t n, cap;
};

static void
names_add(struct names *ns, const void *bytes, size_t n_bytes)
{
	char *name = must_alloc(n_bytes + 1);

	memcpy(name, bytes, n_bytes);
	/* NUL and '/' cannot be in a name at all. */
	for (size_t i = 0; i < n_bytes; i++)
		if (name[i] == '\0' || name[i] == '/')
			name[i] = '_';
	if (n_bytes == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		free(name);
		return;
	}
	if (ns->n == ns->cap) {
		ns->cap = ns->cap ? ns->cap * 2 : 256;
		ns->v = must_grow(ns->v, ns->cap * sizeof(*ns->v));
	}
	ns->v[ns->n++] = name;
}

static int
name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
names_sort_unique(struct names *ns)
{
	size_t n = 0;

	qsort(ns->v, ns->n, sizeof(*ns->v), name_compare);
	for (size_t i = 0; i < ns->n; i++) {
		if (n > 0 && strcmp(ns->v[n - 1], ns->v[i]) == 0)
			free(ns->v[i]);
		else
			ns->v[n++] = ns->v[i];
	}
	ns->n = n;
}

static void
names_free(struct names *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		free(ns->v[i]);
	free(ns->v);
}

/* ---- kinds of names ---- */

/* Generalised UTF-8 of any number below 2^21, also of surrogates and beyond U+10FFFF. */
static size_t
utf8_put(char *out, uint32_t c)
{
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
	unsigned n_more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	for (unsigned i = n_more; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(lead[n_more] | c);
	return n_more + 1;
}

static void
add_single_bytes(struct names *ns, struct rng *r)
{
	char name[2];

	for (unsigned b = 1; b < 256; b++) {
		name[0] = (char)b;
		names_add(ns, name, 1);
	}
	/* All pairs would be 65,000: a sample, with each byte in each place at least
	 * once. */
	for (unsigned i = 0; i < 1500; i++) {
		name[0] = (char)(i < 255 ? i + 1 : rng_below(r, 255) + 1);
		name[1] = (char)(i >= 255 && i < 510 ? i - 254 : rng_below(r, 255) + 1);
		names_add(ns, name, 2);
	}
}

static void
add_random_utf8(struct names *ns, struct rng *r)
{
	char name[64];

	for (uint32_t plane = 0; plane <= 16; plane++) {
		for (unsigned i = 0; i < 60; i++) {
			size_t n = 0, n_chars = 1 + rng_below(r, 6);

			while (n_chars-- > 0) {
				uint32_t c =
					plane << 16 | (uint32_t)rng_below(r, 0x10000);

				if (c >= 0xd800 && c < 0xe000)
					c -= 0x800;
				n += utf8_put(name + n, c);
			}
			names_add(ns, name, n);
		}
	}
}

static void
add_invalid_utf8(struct names *ns, struct rng *r)
{
	static const char *const fixed[] = {
		"\x80",
		"\xbf",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc0\xaf",
		"\xc1\xbf",
		"\xe0\x80\xaf",
		"\xf0\x80\x80\xaf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xed\xa0\xbd\xed\xb8\x80",
		"\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xff\xff",
		"a\xffz",
		"\xc3\xc3\xa4",
		"\xe2\x82\xe2\x82\xac",
		"\xf0\x9f\xf0\x9f\x98\x80",
	};
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		names_add(ns, fixed[i], strlen(fixed[i]));
	for (unsigned i = 0; i < 64; i++) /* lone surrogates of both halves */
		names_add(ns, name, utf8_put(name, 0xd800 + i * 32));
	for (unsigned i = 0; i < 800; i++) {
		size_t n = 0;

		while (n < 1 + i % 12)
			n += utf8_put(name + n, (uint32_t)rng_below(r, 0x110000));
		/* Truncated, or with a byte broken. */
		if (i % 2)
			n -= n > 1;
		else
			name[rng_below(r, n)] = (char)(0x80 + rng_below(r, 0x80));
		names_add(ns, name, n);
	}
}

/* The characters that stand for bytes in NT names, alone and beside what they stand for.
 */
static void
add_private_characters(struct names *ns, struct rng *r)
{
	char name[32];

	for (uint32_t c = 0xf000; c <= 0xf0ff; c++) {
		size_t n = utf8_put(name, c);

		names_add(ns, name, n);
		name[n++] = (char)(c & 0xff);
		names_add(ns, name, n);
		names_add(ns, name + 1, n - 1); /* its tail: truncated from the left */
	}
	(void)r;
}

static void
add_reserved(struct names *ns, struct rng *r)
{
	static const char *const fixed[] = {
		"a\\b",
		"\\",
		"a:b",
		"a:b:$DATA",
		"*",
		"*.*",
		"?",
		"a?b",
		"\"q\"",
		"<",
		">",
		"|",
		"a|b",
		"CON",
		"con",
		"NUL",
		"nul.txt",
		"COM1",
		"LPT1.x",
		"AUX",
		"PRN",
		"CONIN$",
		"a ",
		"a  ",
		"a.",
		"a..",
		"a. .",
		" a",
		"...",
		". .",
		" ",
		"\t",
		"\n",
		"\r\n",
		"\x01",
		"\x1f",
		"\x7f",
		"~1",
		"PROGRA~1",
		"$MFT",
		"$Extend",
		"desktop.ini",
		".fuse_hidden0000000100000001",
		"-rf",
		"%41",
		"%2F",
		"&amp;",
		"'",
		"`x`",
		"$(x)",
		";",
		"#",
		"[",
		"]",
		"{",
		"}",
		"^",
		"!",
		"=",
		",",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		names_add(ns, fixed[i], strlen(fixed[i]));
	(void)r;
}

/* Distinct files on a case-sensitive drive that does not normalise. */
static void
add_twins(struct names *ns, struct rng *r)
{
	static const char *const fixed[] = {
		"readme",
		"README",
		"ReadMe",
		"readMe",
		"\xc3\xa9",
		"e\xcc\x81",
		"\xc3\x89",
		"E\xcc\x81", /* e acute */
		"\xe2\x84\xab",
		"\xc3\x85",
		"A\xcc\x8a", /* angstrom */
		"\xef\xac\x81",
		"fi",
		"FI", /* ligature */
		"\xc4\xb0",
		"\xc4\xb1",
		"i",
		"I", /* Turkish i */
		"\xc3\x9f",
		"ss",
		"SS",
		"\xe1\xba\x9e", /* sharp s */
		"\xcf\x83",
		"\xcf\x82",
		"\xce\xa3", /* sigma */
		"\xe2\x84\xaa",
		"k",
		"K", /* kelvin */
		"\xf0\x90\x90\x80",
		"\xf0\x90\x90\xa8", /* deseret */
		"\xea\xb0\x80",
		"\xe1\x84\x80\xe1\x85\xa1", /* hangul */
		"\xe2\x80\x8b",
		"\xe2\x80\x8d",
		"\xef\xbb\xbf",
		"\xef\xbb\xbf\x61", /* invisible */
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		names_add(ns, fixed[i], strlen(fixed[i]));
	(void)r;
}

/* Names of 250 to 255 bytes, made of one kind of piece each. */
static void
add_long(struct names *ns, struct rng *r)
{
	static const char *const pieces[] = {
		"x",
		"\xc3\xa4",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
		"\xff",
		"\xed\xa0\x80",
		"\xef\x80\xaa",
		"\\",
		":",
		" ",
		"\x01",
	};
	char name[NAME_MAX + 8];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		for (size_t want = NAME_MAX - 5; want <= NAME_MAX; want++) {
			size_t n = 0, len = strlen(pieces[i]);

			while (n + len <= want) {
				memcpy(name + n, pieces[i], len);
				n += len;
			}
			while (n < want)
				name[n++] = (char)('a' + rng_below(r, 26));
			names_add(ns, name, n);
		}
	}
	for (unsigned i = 0; i < 64; i++) {
		for (size_t k = 0; k < NAME_MAX; k++)
			name[k] = (char)(1 + rng_below(r, 255));
		names_add(ns, name, NAME_MAX);
	}
}

static void (*const kinds[])(struct names *ns, struct rng *r) = {
	add_single_bytes, add_random_utf8, add_invalid_utf8, add_private_characters,
	add_reserved,	  add_twins,	   add_long,
};

/* ---- what is done with them ---- */

static void
file_create(int dir_fd, const char *name, size_t number)
{
	uint64_t content = number;
	int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	check_call(fd, "create %s", escape_name(name));
	write_all(fd, &content, sizeof(content), 0, "content");
	check_call(close(fd), "close");
}

static void
file_check(int dir_fd, const char *name, size_t number)
{
	uint64_t content;
	struct stat st;
	int fd;

	check_call(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), "stat %s",
		   escape_name(name));
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	check_call(fd, "open %s", escape_name(name));
	read_all(fd, &content, sizeof(content), 0, "content");
	check(content == number, "%s opens another file", escape_name(name));
	close(fd);
}

/* The directory lists exactly these names, which are sorted. */
static void
listing_check(int dir_fd, const struct names *ns, const char *where)
{
	struct listing l;

	listing_must_read(dir_fd, &l, where);
	for (size_t i = 0, k = 0; i < ns->n || k < l.n;) {
		int order = i == ns->n ? 1 : k == l.n ? -1 : strcmp(ns->v[i], l.names[k]);

		check(order >= 0, "%s: %s is not listed", where, escape_name(ns->v[i]));
		check(order <= 0, "%s: %s is listed, but was never made", where,
		      escape_name(l.names[k]));
		i++;
		k++;
	}
	listing_free(&l);
}

static bool no_links, no_symlinks;

static void
link_check(int dir_fd, int other_fd, const char *name, size_t number)
{
	if (no_links)
		return;
	check_call(linkat(dir_fd, name, other_fd, name, 0), "link %s", escape_name(name));
	file_check(other_fd, name, number);
	check_call(unlinkat(other_fd, name, 0), "unlink %s", escape_name(name));
}

static void
symlink_check(int other_fd, const char *name)
{
	char target[NAME_MAX + 8];
	ssize_t n;

	if (no_symlinks)
		return;
	check_call(symlinkat(name, other_fd, "link"), "symlink to %s", escape_name(name));
	n = readlinkat(other_fd, "link", target, sizeof(target));
	check(n == (ssize_t)strlen(name) && memcmp(target, name, (size_t)n) == 0,
	      "a link to %s leads to %s", escape_name(name),
	      escape(target, (size_t)MAX(n, 0)));
	check_call(unlinkat(other_fd, "link", 0), "unlink link");
}

static void
directory_check(int other_fd, const char *name)
{
	check_call(mkdirat(other_fd, name, 0755), "mkdir %s", escape_name(name));
	check_call(unlinkat(other_fd, name, AT_REMOVEDIR), "rmdir %s", escape_name(name));
}

/* Plain to odd, odd to odd in another directory, and back. */
static void
rename_check(int dir_fd, int other_fd, const char *name, const char *odd, size_t number)
{
	check_call(renameat(dir_fd, name, other_fd, "plain"), "rename %s",
		   escape_name(name));
	check_call(renameat(other_fd, "plain", other_fd, odd), "rename to %s",
		   escape_name(odd));
	file_check(other_fd, odd, number);
	check_errno(faccessat(dir_fd, name, F_OK, 0), ENOENT, "%s after its rename",
		    escape_name(name));
	check_call(renameat(other_fd, odd, dir_fd, name), "rename %s to %s",
		   escape_name(odd), escape_name(name));
	file_check(dir_fd, name, number);
}

static void
all_uses(const struct workdir *w, const struct names *ns)
{
	int dir_fd, other_fd;

	check_call(mkdirat(w->fd, "all", 0755), "mkdir");
	check_call(mkdirat(w->fd, "other", 0755), "mkdir");
	dir_fd = openat(w->fd, "all", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	other_fd = openat(w->fd, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(dir_fd >= 0 && other_fd >= 0, "open directories: %s", strerror(errno));
	for (size_t i = 0; i < ns->n; i++)
		file_create(dir_fd, ns->v[i], i);
	listing_check(dir_fd, ns, "after creating");
	for (size_t i = 0; i < ns->n; i++) {
		file_check(dir_fd, ns->v[i], i);
		link_check(dir_fd, other_fd, ns->v[i], i);
		symlink_check(other_fd, ns->v[i]);
		directory_check(other_fd, ns->v[i]);
		rename_check(dir_fd, other_fd, ns->v[i], ns->v[(i * 7 + 1) % ns->n], i);
	}
	listing_check(dir_fd, ns, "after renaming");
	for (size_t i = 0; i < ns->n; i++)
		check_call(unlinkat(dir_fd, ns->v[i], 0), "unlink %s",
			   escape_name(ns->v[i]));
	close(dir_fd);
	close(other_fd);
	check_call(unlinkat(w->fd, "all", AT_REMOVEDIR), "rmdir");
	check_call(unlinkat(w->fd, "other", AT_REMOVEDIR), "rmdir");
}

/* Both sides of the limit: 255 bytes always; with a limit in UTF-16, as many units of any
 * size. */
static void
limit_check(const struct workdir *w, uint64_t max_utf16)
{
	char name[4096] = "";

	if (max_utf16 == 0) {
		memset(name, 'x', NAME_MAX + 1);
	} else {
		for (uint64_t i = 0; i < max_utf16; i++)
			strcpy(name + i * 3, "\xe2\x82\xac");
		file_create(w->fd, name, 1);
		file_check(w->fd, name, 1);
		check_call(unlinkat(w->fd, name, 0), "unlink the longest name");
		strcat(name, "x");
	}
	check_errno(mkdirat(w->fd, name, 0755), ENAMETOOLONG, "a name beyond the limit");
	check_errno(faccessat(w->fd, name, F_OK, 0), ENAMETOOLONG,
		    "lookup beyond the limit");
	file_create(w->fd, "plain", 2);
	check_errno(renameat(w->fd, "plain", w->fd, name), ENAMETOOLONG,
		    "rename beyond the limit");
	file_check(w->fd, "plain", 2);
	check_call(unlinkat(w->fd, "plain", 0), "unlink plain");
}

int
main(int argc, char **argv)
{
	uint64_t seed = seed_from_clock(), max_utf16 = 0;
	const char *dir = NULL;
	const struct opt opts[] = {
		{"DIR", OPT_ARG, &dir, "where to work"},
		{"seed", OPT_U64, &seed,
		 "of the random names; from the clock when absent"},
		{"max-utf16", OPT_U64, &max_utf16,
		 "the drive's limit is N units, not 255 bytes"},
	};
	struct names ns = {0};
	struct workdir work;
	struct rng rng;

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	check(max_utf16 < 1300, "--max-utf16 out of range");
	printf("names: seed %llu\n", (unsigned long long)seed);
	rng.state = seed;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		kinds[i](&ns, &rng);
	names_sort_unique(&ns);
	workdir_create(&work, dir, "names");
	all_uses(&work, &ns);
	limit_check(&work, max_utf16);
	workdir_remove_empty(&work);
	printf("names: %zu names kept their bytes\n", ns.n);
	names_free(&ns);
	return TEST_PASS;
}
