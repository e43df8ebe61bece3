/*
 * A great number of mixed operations by one process, for leak checks and endurance:
 * afterwards the directory is empty, so whatever the drive still holds has leaked. A
 * model of 64 files and links says what each operation must find.
 */
#include "tests/stress/common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { N_ENTRIES = 64, N_DIRS = 4, MAX_BYTES = 16384 };
enum kind { KIND_NONE, KIND_FILE, KIND_LINK };

struct entry {
	enum kind kind;
	uint64_t key, size; /* KIND_LINK: the target is the key in decimal */
	uint64_t xattr;	    /* 0: none */
};

struct mixer {
	struct workdir work;
	struct rng rng;
	struct entry entries[N_ENTRIES];
	bool dirs[N_DIRS]; /* which of the extra directories exist */
	bool no_xattr, no_symlinks;
};

static const char *
entry_name(unsigned i)
{
	static char names[4][64];
	static unsigned turn;
	char *name = names[turn++ % 4];

	snprintf(name, sizeof(names[0]), "dir-%u/entry-%u", i % 8, i);
	return name;
}

static unsigned
pick(struct mixer *m)
{
	return (unsigned)rng_below(&m->rng, N_ENTRIES);
}

static int
open_entry(struct mixer *m, unsigned i, int flags)
{
	int fd = openat(m->work.fd, entry_name(i), flags | O_CLOEXEC);

	check_call(fd, "open %s", entry_name(i));
	return fd;
}

static void
entry_remove(struct mixer *m, unsigned i)
{
	int ret = unlinkat(m->work.fd, entry_name(i), 0);

	check(m->entries[i].kind == KIND_NONE ? ret < 0 && errno == ENOENT : ret == 0,
	      "unlink %s: %s", entry_name(i), strerror(errno));
	m->entries[i] = (struct entry){0};
}

static void
do_create(struct mixer *m)
{
	unsigned i = pick(m);
	struct entry *e = &m->entries[i];
	int fd = openat(m->work.fd, entry_name(i), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
			0644);

	if (e->kind != KIND_NONE) {
		check(fd < 0 && errno == EEXIST, "O_EXCL on %s that exists",
		      entry_name(i));
		return;
	}
	check_call(fd, "create %s", entry_name(i));
	*e = (struct entry){KIND_FILE, rng_next(&m->rng), rng_below(&m->rng, MAX_BYTES),
			    0};
	write_data(fd, e->size, e->key, 0, "new file");
	check_call(close(fd), "close");
}

static void
do_append(struct mixer *m)
{
	unsigned i = pick(m);
	struct entry *e = &m->entries[i];
	uint64_t n = rng_below(&m->rng, 2000);
	int fd;

	if (e->kind != KIND_FILE || e->size + n > 4 * MAX_BYTES)
		return;
	fd = open_entry(m, i, O_WRONLY);
	write_data(fd, n, e->key, (off_t)e->size, "more data");
	check_call(close(fd), "close");
	e->size += n;
}

static void
do_overwrite(struct mixer *m)
{
	unsigned i = pick(m);
	struct entry *e = &m->entries[i];
	int fd;

	if (e->kind != KIND_FILE)
		return;
	fd = open_entry(m, i, O_RDWR | O_TRUNC);
	e->key = rng_next(&m->rng);
	e->size = rng_below(&m->rng, MAX_BYTES);
	write_data(fd, e->size, e->key, 0, "new content");
	verify_data(fd, e->size, e->key, 0, "new content");
	check_call(close(fd), "close");
}

static void
do_read(struct mixer *m)
{
	unsigned i = pick(m);
	const struct entry *e = &m->entries[i];
	unsigned char byte;
	int fd;

	if (e->kind != KIND_FILE)
		return;
	fd = open_entry(m, i, O_RDONLY);
	verify_data(fd, e->size, e->key, 0, entry_name(i));
	check(pread(fd, &byte, 1, (off_t)e->size) == 0, "%s goes on after its end",
	      entry_name(i));
	close(fd);
}

static void
do_stat(struct mixer *m)
{
	unsigned i = pick(m);
	const struct entry *e = &m->entries[i];
	struct stat st;
	int ret = fstatat(m->work.fd, entry_name(i), &st, AT_SYMLINK_NOFOLLOW);

	if (e->kind == KIND_NONE) {
		check(ret < 0 && errno == ENOENT, "%s exists though it was removed",
		      entry_name(i));
		return;
	}
	check_call(ret, "lstat %s", entry_name(i));
	check(e->kind == KIND_FILE
		      ? S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size
		      : S_ISLNK(st.st_mode),
	      "%s: mode %o size %lld", entry_name(i), st.st_mode, (long long)st.st_size);
}

static void
do_list(struct mixer *m)
{
	unsigned dir = (unsigned)rng_below(&m->rng, 8);
	size_t wanted = 0;
	struct listing l;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "dir-%u", dir);
	fd = openat(m->work.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_call(fd, "open %s", name);
	listing_must_read(fd, &l, name);
	for (unsigned i = dir; i < N_ENTRIES; i += 8) {
		wanted += m->entries[i].kind != KIND_NONE;
		check(m->entries[i].kind == KIND_NONE ||
			      listing_has(&l, strchr(entry_name(i), '/') + 1),
		      "%s is not listed", entry_name(i));
	}
	check(l.n == wanted, "%s lists %zu entries, not %zu", name, l.n, wanted);
	listing_free(&l);
	close(fd);
}

static void
do_rename(struct mixer *m)
{
	unsigned from = pick(m), to = pick(m);
	int ret = renameat(m->work.fd, entry_name(from), m->work.fd, entry_name(to));

	if (m->entries[from].kind == KIND_NONE) {
		check(ret < 0 && errno == ENOENT, "rename of a missing file");
		return;
	}
	check_call(ret, "rename %s to %s", entry_name(from), entry_name(to));
	if (from == to)
		return;
	m->entries[to] = m->entries[from];
	m->entries[from] = (struct entry){0};
}

static void
do_unlink(struct mixer *m)
{
	entry_remove(m, pick(m));
}

static void
do_symlink(struct mixer *m)
{
	unsigned i = pick(m);
	struct entry *e = &m->entries[i];
	uint64_t key = rng_next(&m->rng);
	char target[32];
	int ret;

	if (m->no_symlinks)
		return;
	snprintf(target, sizeof(target), "%llu", (unsigned long long)key);
	ret = symlinkat(target, m->work.fd, entry_name(i));
	if (e->kind != KIND_NONE) {
		check(ret < 0 && errno == EEXIST, "symlink over %s", entry_name(i));
		return;
	}
	check_call(ret, "symlink %s", entry_name(i));
	*e = (struct entry){.kind = KIND_LINK, .key = key};
}

static void
do_readlink(struct mixer *m)
{
	unsigned i = pick(m);
	const struct entry *e = &m->entries[i];
	char wanted[32], target[64];
	ssize_t n = readlinkat(m->work.fd, entry_name(i), target, sizeof(target));

	if (e->kind != KIND_LINK) {
		check(n < 0, "readlink of %s, which is no link", entry_name(i));
		return;
	}
	snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)e->key);
	check(n == (ssize_t)strlen(wanted) && memcmp(target, wanted, (size_t)n) == 0,
	      "%s leads elsewhere", entry_name(i));
}

/* Sets, changes or removes; reads back what was there before. */
static void
do_xattr(struct mixer *m)
{
	unsigned i = pick(m);
	struct entry *e = &m->entries[i];
	uint64_t value = 0;
	ssize_t n;
	int fd;

	if (e->kind != KIND_FILE || m->no_xattr)
		return;
	fd = open_entry(m, i, O_RDWR);
	n = fgetxattr(fd, "user.mix", &value, sizeof(value));
	check(e->xattr ? n == sizeof(value) && value == e->xattr
		       : n < 0 && errno == ENODATA,
	      "%s: attribute of %zd bytes", entry_name(i), n);
	if (e->xattr && rng_percent(&m->rng, 50)) {
		check_call(fremovexattr(fd, "user.mix"), "fremovexattr");
		e->xattr = 0;
	} else {
		e->xattr = rng_next(&m->rng) | 1;
		check_call(fsetxattr(fd, "user.mix", &e->xattr, sizeof(e->xattr), 0),
			   "fsetxattr");
	}
	close(fd);
}

static void
do_directory(struct mixer *m)
{
	unsigned i = (unsigned)rng_below(&m->rng, N_DIRS);
	char name[32];

	snprintf(name, sizeof(name), "extra-%u", i);
	if (m->dirs[i])
		check_call(unlinkat(m->work.fd, name, AT_REMOVEDIR), "rmdir %s", name);
	else
		check_call(mkdirat(m->work.fd, name, 0755), "mkdir %s", name);
	m->dirs[i] = !m->dirs[i];
}

static const struct {
	void (*run)(struct mixer *m);
	unsigned weight;
} mix[] = {
	{do_create, 16}, {do_append, 8},   {do_overwrite, 6}, {do_read, 16},
	{do_stat, 20},	 {do_list, 4},	   {do_rename, 8},    {do_unlink, 10},
	{do_symlink, 4}, {do_readlink, 4}, {do_xattr, 6},     {do_directory, 4},
};

static void
leave_empty(struct mixer *m)
{
	char name[32];

	for (unsigned i = 0; i < N_ENTRIES; i++)
		entry_remove(m, i);
	for (unsigned i = 0; i < N_DIRS; i++)
		if (m->dirs[i]) {
			snprintf(name, sizeof(name), "extra-%u", i);
			check_call(unlinkat(m->work.fd, name, AT_REMOVEDIR), "rmdir %s",
				   name);
		}
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "dir-%u", i);
		check_call(unlinkat(m->work.fd, name, AT_REMOVEDIR), "rmdir %s", name);
	}
	workdir_remove_empty(&m->work);
}

int
main(int argc, char **argv)
{
	uint64_t n_ops = 1000000, seed = seed_from_clock();
	struct mixer m = {0};
	const char *dir = NULL;
	const struct opt opts[] = {
		{"DIR", OPT_ARG, &dir, "where to work"},
		{"ops", OPT_U64, &n_ops, "how many operations (1000000)"},
		{"seed", OPT_U64, &seed,
		 "of the choice of operations; from the clock when absent"},
		{"no-xattr", OPT_FLAG, &m.no_xattr, "no extended attributes"},
		{"no-symlinks", OPT_FLAG, &m.no_symlinks, "no symbolic links"},
	};
	char name[32];
	double start;

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	printf("mixed-ops: seed %llu\n", (unsigned long long)seed);
	m.rng.state = seed;
	workdir_create(&m.work, dir, "mixed-ops");
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "dir-%u", i);
		check_call(mkdirat(m.work.fd, name, 0755), "mkdir %s", name);
	}
	start = now_s();
	for (uint64_t i = 0; i < n_ops; i++)
		mix[rng_pick(&m.rng, &mix[0].weight, sizeof(mix[0]), ARRAY_SIZE(mix))]
			.run(&m);
	printf("mixed-ops: %llu operations, %.0f a second\n", (unsigned long long)n_ops,
	       (double)n_ops / (now_s() - start + 1e-9));
	leave_empty(&m);
	return TEST_PASS;
}
