#include "tests/stress/common.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void
fail_message(const char *fmt, va_list args, int err)
{
	char line[8192];
	size_t n = 0;

	/* One write per message, so that those of several processes do not mix. */
	n += (size_t)snprintf(line, sizeof(line),
			      "%s: FAIL: ", program_invocation_short_name);
	n += (size_t)vsnprintf(line + n, sizeof(line) - n, fmt, args);
	n = MIN(n, sizeof(line) - 128);
	if (err >= 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n, ": %s",
				      err ? strerror(err) : "succeeded");
	line[n++] = '\n';
	fflush(stdout);
	if (write(STDERR_FILENO, line, n) < 0)
		_exit(TEST_FAIL);
}

void
fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail_message(fmt, args, -1);
	va_end(args);
	/* No exit handlers: a child must not flush or check what belongs to its parent.
	 */
	_exit(TEST_FAIL);
}

void
fail_errno(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	fail_message(fmt, args, err);
	va_end(args);
	_exit(TEST_FAIL);
}

uint64_t
mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint64_t
rng_next(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15ull;
	return mix64(r->state);
}

uint64_t
rng_below(struct rng *r, uint64_t limit)
{
	return rng_next(r) % limit;
}

bool
rng_percent(struct rng *r, unsigned percent)
{
	return rng_below(r, 100) < percent;
}

static unsigned
weight_at(const unsigned *weights, size_t stride, size_t row)
{
	return *(const unsigned *)((const char *)weights + stride * row);
}

size_t
rng_pick(struct rng *r, const unsigned *weights, size_t stride, size_t n_rows)
{
	uint64_t total = 0, at;
	size_t row;

	for (row = 0; row < n_rows; row++)
		total += weight_at(weights, stride, row);
	at = rng_below(r, total);
	for (row = 0; at >= weight_at(weights, stride, row); row++)
		at -= weight_at(weights, stride, row);
	return row;
}

uint64_t
seed_from_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return mix64((uint64_t)ts.tv_sec * 1000000007u + (uint64_t)ts.tv_nsec +
		     (uint64_t)getpid()) %
	       1000000000u;
}

uint64_t
hash_bytes(const void *data, size_t n_bytes, uint64_t start)
{
	const unsigned char *p = data;
	uint64_t h = mix64(start + n_bytes + 1), word;

	for (; n_bytes >= 8; p += 8, n_bytes -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0x9fb21c651e98df25ull;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, p, n_bytes);
	return mix64(h ^ word);
}

void
data_fill(void *buf, size_t n_bytes, uint64_t key, uint64_t offset)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < n_bytes;) {
		uint64_t at = offset + i;
		uint64_t word =
			mix64(key + (at & ~7ull) * 0x9e3779b97f4a7c15ull) >> (at & 7) * 8;
		size_t n = MIN(8 - (size_t)(at & 7), n_bytes - i);

		/* Little-endian: the lowest byte of the word stands at the lowest offset.
		 */
		word = htole64(word);
		memcpy(p + i, &word, n);
		i += n;
	}
}

ssize_t
data_check(const void *buf, size_t n_bytes, uint64_t key, uint64_t offset)
{
	const unsigned char *p = buf;
	unsigned char wanted[4096];

	for (size_t i = 0; i < n_bytes; i += sizeof(wanted)) {
		size_t n = MIN(sizeof(wanted), n_bytes - i);

		data_fill(wanted, n, key, offset + i);
		if (memcmp(wanted, p + i, n) == 0)
			continue;
		for (size_t k = 0; k < n; k++)
			if (wanted[k] != p[i + k])
				return (ssize_t)(i + k);
	}
	return -1;
}

ssize_t
zero_check(const void *buf, size_t n_bytes)
{
	const unsigned char *p = buf;

	for (size_t i = 0; i < n_bytes; i++)
		if (p[i] != 0)
			return (ssize_t)i;
	return -1;
}

void
write_all(int fd, const void *buf, size_t n_bytes, off_t offset, const char *where)
{
	ssize_t n = pwrite(fd, buf, n_bytes, offset);

	check_call(n, "%s: write of %zu bytes at %lld", where, n_bytes,
		   (long long)offset);
	check((size_t)n == n_bytes, "%s: short write at %lld: %zd of %zu", where,
	      (long long)offset, n, n_bytes);
}

void
read_all(int fd, void *buf, size_t n_bytes, off_t offset, const char *where)
{
	ssize_t n = pread(fd, buf, n_bytes, offset);

	check_call(n, "%s: read of %zu bytes at %lld", where, n_bytes, (long long)offset);
	check((size_t)n == n_bytes, "%s: short read at %lld: %zd of %zu", where,
	      (long long)offset, n, n_bytes);
}

void
write_data(int fd, size_t n_bytes, uint64_t key, off_t offset, const char *where)
{
	unsigned char buf[32768];

	for (size_t done = 0; done < n_bytes; done += sizeof(buf)) {
		size_t n = MIN(sizeof(buf), n_bytes - done);

		data_fill(buf, n, key, (uint64_t)offset + done);
		write_all(fd, buf, n, offset + (off_t)done, where);
	}
}

void
verify_data(int fd, size_t n_bytes, uint64_t key, off_t offset, const char *where)
{
	unsigned char buf[32768];

	for (size_t done = 0; done < n_bytes; done += sizeof(buf)) {
		size_t n = MIN(sizeof(buf), n_bytes - done);
		ssize_t bad;

		read_all(fd, buf, n, offset + (off_t)done, where);
		bad = data_check(buf, n, key, (uint64_t)offset + done);
		check(bad < 0, "%s: wrong data at offset %lld", where,
		      (long long)(offset + (off_t)done + bad));
	}
}

void
verify_zeros(int fd, size_t n_bytes, off_t offset, const char *where)
{
	unsigned char buf[32768];

	for (size_t done = 0; done < n_bytes; done += sizeof(buf)) {
		size_t n = MIN(sizeof(buf), n_bytes - done);
		ssize_t bad;

		read_all(fd, buf, n, offset + (off_t)done, where);
		bad = zero_check(buf, n);
		check(bad < 0, "%s: not zero at offset %lld", where,
		      (long long)(offset + (off_t)done + bad));
	}
}

const char *
escape(const void *bytes, size_t n_bytes)
{
	static char bufs[8][8192];
	static unsigned turn;
	const unsigned char *p = bytes;
	char *out = bufs[turn++ % ARRAY_SIZE(bufs)];
	size_t n = 0;

	for (size_t i = 0; i < n_bytes && n < sizeof(bufs[0]) - 8; i++) {
		if (p[i] > 0x20 && p[i] < 0x7f && p[i] != '\\' && p[i] != '#')
			out[n++] = (char)p[i];
		else
			n += (size_t)sprintf(out + n, "\\x%02x", p[i]);
	}
	out[n] = '\0';
	return out;
}

const char *
escape_name(const char *name)
{
	return escape(name, strlen(name));
}

void *
must_alloc(size_t n_bytes)
{
	void *p = calloc(1, n_bytes ? n_bytes : 1);

	check(p != NULL, "out of memory");
	return p;
}

void *
must_grow(void *p, size_t n_bytes)
{
	p = realloc(p, n_bytes);
	check(p != NULL, "out of memory");
	return p;
}

void *
must_share(size_t n_bytes)
{
	void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	check(p != MAP_FAILED, "out of shared memory");
	return p;
}

static int
listing_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

/* While collecting, the type travels in the byte before the name, so that one sort moves
 * both. */
static int
listing_collect(DIR *dir, struct listing *l)
{
	size_t cap = 0;

	for (;;) {
		struct dirent *e;

		errno = 0;
		e = readdir(dir);
		if (e == NULL)
			return -errno;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (l->n == cap) {
			cap = cap ? cap * 2 : 32;
			l->names = must_grow(l->names, cap * sizeof(*l->names));
		}
		l->names[l->n] = must_alloc(strlen(e->d_name) + 2);
		l->names[l->n][0] = (char)e->d_type;
		strcpy(l->names[l->n++] + 1, e->d_name);
	}
}

static void
listing_sort(struct listing *l)
{
	if (l->n == 0)
		return;
	qsort(l->names, l->n, sizeof(*l->names), listing_compare);
	l->types = must_alloc(l->n);
	for (size_t i = 0; i < l->n; i++) {
		l->types[i] = (unsigned char)l->names[i][0];
		memmove(l->names[i], l->names[i] + 1, strlen(l->names[i] + 1) + 1);
	}
}

int
listing_read(int dir_fd, struct listing *ret_listing)
{
	struct listing l = {0};
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int err;

	if (dir == NULL) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	rewinddir(dir);
	err = listing_collect(dir, &l);
	closedir(dir);
	listing_sort(&l);
	if (err < 0)
		listing_free(&l);
	else
		*ret_listing = l;
	return err;
}

void
listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	free(l->types);
	*l = (struct listing){0};
}

static int
name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool
listing_has(const struct listing *l, const char *name)
{
	return l->n > 0 &&
	       bsearch(&name, l->names, l->n, sizeof(*l->names), name_compare) != NULL;
}

const char *
listing_twice(const struct listing *l)
{
	for (size_t i = 1; i < l->n; i++)
		if (strcmp(l->names[i - 1], l->names[i]) == 0)
			return l->names[i];
	return NULL;
}

void
listing_must_read(int dir_fd, struct listing *ret_listing, const char *where)
{
	int err = listing_read(dir_fd, ret_listing);
	const char *twice;

	check(err == 0, "%s: reading the directory: %s", where, strerror(-err));
	twice = listing_twice(ret_listing);
	check(twice == NULL, "%s: %s is listed twice", where, escape_name(twice));
}

void
workdir_create(struct workdir *w, const char *parent, const char *name)
{
	int n = snprintf(w->path, sizeof(w->path), "%s/%s-%d", parent, name,
			 (int)getpid());

	check(n > 0 && (size_t)n < sizeof(w->path), "path too long: %s", parent);
	check_call(mkdir(w->path, 0755), "mkdir %s", w->path);
	w->fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_call(w->fd, "open %s", w->path);
}

void
workdir_remove_empty(struct workdir *w)
{
	struct listing l;

	listing_must_read(w->fd, &l, w->path);
	check(l.n == 0, "%s: %zu entries stay after all were removed, first: %s", w->path,
	      l.n, l.n ? escape_name(l.names[0]) : "");
	listing_free(&l);
	close(w->fd);
	check_call(rmdir(w->path), "rmdir %s", w->path);
}

void
workdir_remove_all(struct workdir *w)
{
	/* A test may have taken the owner's rights away. */
	if (fchmod(w->fd, 0700) < 0 || !tree_empty(w->fd) || rmdir(w->path) < 0)
		fprintf(stderr, "%s: could not remove %s\n",
			program_invocation_short_name, w->path);
	close(w->fd);
}

/* -1 unless it is a directory; one that its owner may not enter is made so first. */
static int
tree_enter(int dir_fd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return -1;
	if ((st.st_mode & 0700) != 0700 && fchmodat(dir_fd, name, 0700, 0) < 0)
		return -1;
	return openat(dir_fd, name, flags);
}

bool
tree_empty(int dir_fd)
{
	struct listing l;
	bool all = true;

	if (listing_read(dir_fd, &l) < 0)
		return false;
	for (size_t i = 0; i < l.n; i++) {
		int fd = tree_enter(dir_fd, l.names[i]);

		if (fd >= 0) {
			all = tree_empty(fd) && all;
			close(fd);
		}
		if (unlinkat(dir_fd, l.names[i], fd >= 0 ? AT_REMOVEDIR : 0) < 0)
			all = false;
	}
	listing_free(&l);
	return all;
}

static void
opts_usage(const struct opt *opts, size_t n_opts, int code)
{
	static const char *const forms[] = {"", " N", " TEXT", " TEXT (may repeat)", ""};
	FILE *out = code ? stderr : stdout;

	fprintf(out, "usage: %s [options]", program_invocation_short_name);
	for (size_t i = 0; i < n_opts; i++)
		if (opts[i].kind == OPT_ARG)
			fprintf(out, " %s", opts[i].name);
	fputc('\n', out);
	for (size_t i = 0; i < n_opts; i++)
		fprintf(out, "  %s%s%s\n        %s\n",
			opts[i].kind == OPT_ARG ? "" : "--", opts[i].name,
			forms[opts[i].kind], opts[i].help);
	exit(code);
}

/* A number with an optional binary suffix; false when it is none. */
static bool
parse_u64(const char *s, uint64_t *ret_value)
{
	static const char suffixes[] = "KMGT";
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (end == s || errno || *s == '-')
		return false;
	if (*end != '\0') {
		const char *at = strchr(suffixes, *end);
		unsigned shift = at ? 10 * (unsigned)(at - suffixes + 1) : 0;

		if (at == NULL || end[1] != '\0' || v > UINT64_MAX >> shift)
			return false;
		v <<= shift;
	}
	*ret_value = v;
	return true;
}

static bool
opt_set(const struct opt *o, const char *value)
{
	struct opt_list *list = o->value;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return true;
	case OPT_U64:
		return parse_u64(value, o->value);
	case OPT_LIST:
		if (list->n == ARRAY_SIZE(list->items))
			return false;
		list->items[list->n++] = value;
		return true;
	default:
		*(const char **)o->value = value;
		return true;
	}
}

static const struct opt *
opt_find(const struct opt *opts, size_t n_opts, const char *arg)
{
	for (size_t i = 0; i < n_opts; i++) {
		bool unset =
			opts[i].kind == OPT_ARG && *(const char **)opts[i].value == NULL;

		if (arg[0] == '-' ? opts[i].kind != OPT_ARG && arg[1] == '-' &&
					    strcmp(opts[i].name, arg + 2) == 0
				  : unset)
			return &opts[i];
	}
	return NULL;
}

void
opts_parse(int argc, char **argv, const struct opt *opts, size_t n_opts)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		const struct opt *o = opt_find(opts, n_opts, argv[i]);
		const char *value = argv[i];

		if (strcmp(argv[i], "--help") == 0)
			opts_usage(opts, n_opts, 0);
		if (o != NULL && o->kind != OPT_ARG && o->kind != OPT_FLAG)
			value = ++i < argc ? argv[i] : NULL;
		if (o == NULL || value == NULL || !opt_set(o, value)) {
			fprintf(stderr, "bad argument: %s\n",
				argv[i < argc ? i : argc - 1]);
			opts_usage(opts, n_opts, 2);
		}
	}
	for (size_t i = 0; i < n_opts; i++)
		if (opts[i].kind == OPT_ARG && *(const char **)opts[i].value == NULL)
			opts_usage(opts, n_opts, 2);
}

double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
