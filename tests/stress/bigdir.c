/*
 * A large directory listed while others add and remove entries. What existed from before
 * the start of a listing until after its end must be in it exactly once, what was gone
 * before must not be, nothing may be in it twice, and seekdir must resume where telldir
 * was.
 *
 * Names of churned entries are never used again, so that "twice" is always an error.
 */
#include "tests/stress/common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CHURNERS = 16, WINDOW = 64, RESUME_STEP = 997, RESUME_LOOK = 200 };

/*
 * Entry numbers of one churner, written by it alone: [0, created) exist or existed;
 * removal of [0, removing) may have begun; [0, removed) are gone. Pairs with the loads in
 * snapshot().
 */
struct churn {
	_Atomic uint64_t created, removing, removed;
};
struct snapshot {
	uint64_t created[MAX_CHURNERS], removing[MAX_CHURNERS], removed[MAX_CHURNERS];
};
struct bigdir {
	struct workdir work;
	uint64_t n_entries, n_churners, n_rounds;
	struct churn *churn;
	_Atomic bool *stop;
	pid_t pids[MAX_CHURNERS];
	unsigned char *seen; /* per stable entry, of the running listing */
};

static void
churner_main(struct bigdir *b, unsigned who)
{
	struct churn *c = &b->churn[who];
	char name[64];

	for (uint64_t i = 0; !*b->stop; i++) {
		snprintf(name, sizeof(name), "c%u-%llu", who, (unsigned long long)i);
		check_call(mknodat(b->work.fd, name, S_IFREG | 0644, 0), "create %s",
			   name);
		c->created = i + 1;
		if (i < WINDOW)
			continue;
		snprintf(name, sizeof(name), "c%u-%llu", who,
			 (unsigned long long)(i - WINDOW));
		c->removing = i - WINDOW + 1;
		check_call(unlinkat(b->work.fd, name, 0), "remove %s", name);
		c->removed = i - WINDOW + 1;
	}
	_exit(TEST_PASS);
}

static void
churn_start(struct bigdir *b)
{
	*b->stop = false;
	for (unsigned i = 0; i < b->n_churners; i++) {
		b->pids[i] = fork();
		check_call(b->pids[i], "fork");
		if (b->pids[i] == 0)
			churner_main(b, i);
	}
}

static void
churn_stop(struct bigdir *b)
{
	bool good = true;
	int status;

	*b->stop = true;
	for (unsigned i = 0; i < b->n_churners; i++) {
		check_call(waitpid(b->pids[i], &status, 0), "waitpid");
		good = good && WIFEXITED(status) && WEXITSTATUS(status) == TEST_PASS;
	}
	check(good, "a process that adds and removes entries failed");
}

static void
snapshot(const struct bigdir *b, struct snapshot *ret)
{
	for (unsigned i = 0; i < b->n_churners; i++) {
		ret->created[i] = b->churn[i].created;
		ret->removing[i] = b->churn[i].removing;
		ret->removed[i] = b->churn[i].removed;
	}
}

static void
stable_create(struct bigdir *b)
{
	char name[64];

	for (uint64_t i = 0; i < b->n_entries; i++) {
		snprintf(name, sizeof(name), "entry-%07llu", (unsigned long long)i);
		check_call(mknodat(b->work.fd, name, S_IFREG | 0644, 0), "create %s",
			   name);
	}
}

static DIR *
dir_open(const struct bigdir *b)
{
	DIR *dir = opendir(b->work.path);

	check(dir != NULL, "opendir %s: %s", b->work.path, strerror(errno));
	return dir;
}

/* The next entry but . and .., NULL at the end. */
static const char *
dir_next(DIR *dir)
{
	struct dirent *e;

	do {
		errno = 0;
		e = readdir(dir);
		check(e != NULL || errno == 0, "readdir: %s", strerror(errno));
	} while (e != NULL &&
		 (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	return e ? e->d_name : NULL;
}

/* The number of a stable entry, or -1. */
static int64_t
stable_number(const char *name)
{
	return strncmp(name, "entry-", 6) == 0 ? strtoll(name + 6, NULL, 10) : -1;
}

/* The churned entries of one listing, from which doubles and gaps show. */
struct churn_seen {
	unsigned char *flags[MAX_CHURNERS]; /* from base on */
	uint64_t base[MAX_CHURNERS], cap[MAX_CHURNERS];
};

static void
churn_mark(const struct bigdir *b, struct churn_seen *cs, const char *name)
{
	unsigned who;
	unsigned long long number;
	uint64_t at;

	check(sscanf(name, "c%u-%llu", &who, &number) == 2 && who < b->n_churners,
	      "listing has an entry that nobody made: %s", escape_name(name));
	check(number >= cs->base[who], "%s is listed, but was removed before", name);
	at = number - cs->base[who];
	if (at >= cs->cap[who]) {
		uint64_t cap = (at + 1) * 2;

		cs->flags[who] = must_grow(cs->flags[who], cap);
		memset(cs->flags[who] + cs->cap[who], 0, cap - cs->cap[who]);
		cs->cap[who] = cap;
	}
	check(!cs->flags[who][at]++, "%s is listed twice", name);
}

static void
churn_check(const struct bigdir *b, const struct churn_seen *cs,
	    const struct snapshot *before, const struct snapshot *after)
{
	for (unsigned i = 0; i < b->n_churners; i++)
		for (uint64_t n = after->removing[i]; n < before->created[i]; n++)
			check(n - cs->base[i] < cs->cap[i] &&
				      cs->flags[i][n - cs->base[i]],
			      "c%u-%llu existed throughout, but is not listed", i,
			      (unsigned long long)n);
}

static void
listing_check(struct bigdir *b, const char *where)
{
	struct snapshot before, after;
	struct churn_seen cs = {0};
	uint64_t n_listed = 0;
	const char *name;
	DIR *dir;

	memset(b->seen, 0, b->n_entries);
	snapshot(b, &before);
	memcpy(cs.base, before.removed, sizeof(cs.base));
	dir = dir_open(b);
	while ((name = dir_next(dir)) != NULL) {
		int64_t number = stable_number(name);

		if (number < 0) {
			churn_mark(b, &cs, name);
			continue;
		}
		check((uint64_t)number < b->n_entries, "%s: unknown entry %s", where,
		      name);
		check(!b->seen[number]++, "%s: %s is listed twice", where, name);
		n_listed++;
	}
	closedir(dir);
	snapshot(b, &after);
	for (uint64_t i = 0; n_listed < b->n_entries && i < b->n_entries; i++)
		check(b->seen[i], "%s: entry-%07llu is not listed", where,
		      (unsigned long long)i);
	churn_check(b, &cs, &before, &after);
	for (unsigned i = 0; i < b->n_churners; i++)
		free(cs.flags[i]);
}

/* Stable entries in listing order, and a cookie at every RESUME_STEP. */
struct order {
	int64_t *numbers;
	uint64_t n;
	long *cookies;
	uint64_t *positions; /* of a cookie: how many stable entries come before it */
	uint64_t n_cookies;
};

static void
order_read(const struct bigdir *b, DIR *dir, struct order *o)
{
	const char *name;

	o->numbers = must_alloc((b->n_entries + 1) * sizeof(*o->numbers));
	o->cookies = must_alloc((b->n_entries / RESUME_STEP + 2) * sizeof(*o->cookies));
	o->positions =
		must_alloc((b->n_entries / RESUME_STEP + 2) * sizeof(*o->positions));
	while ((name = dir_next(dir)) != NULL) {
		int64_t number = stable_number(name);

		if (number < 0)
			continue;
		check(o->n < b->n_entries, "more stable entries than were made");
		o->numbers[o->n++] = number;
		if (o->n % RESUME_STEP == 1) {
			o->cookies[o->n_cookies] = telldir(dir);
			o->positions[o->n_cookies++] = o->n;
		}
	}
}

/* From a cookie on, the same stable entries follow in the same order, then the end. */
static void
resume_check(DIR *dir, const struct order *o, uint64_t which, const char *where)
{
	uint64_t at = o->positions[which], end = MIN(at + RESUME_LOOK, o->n);
	const char *name;

	seekdir(dir, o->cookies[which]);
	while (at < end) {
		name = dir_next(dir);
		check(name != NULL,
		      "%s: the listing ends after seekdir, entry-%07lld to come", where,
		      (long long)o->numbers[at]);
		if (stable_number(name) < 0)
			continue;
		check(stable_number(name) == o->numbers[at],
		      "%s: after seekdir comes %s, not entry-%07lld", where, name,
		      (long long)o->numbers[at]);
		at++;
	}
}

static void
seekdir_check(struct bigdir *b, const char *where)
{
	struct order o = {0};
	DIR *dir = dir_open(b);

	order_read(b, dir, &o);
	check(o.n == b->n_entries, "%s: %llu stable entries listed, %llu made", where,
	      (unsigned long long)o.n, (unsigned long long)b->n_entries);
	/* Backwards, then forwards: neither may depend on what was read last. */
	for (uint64_t i = o.n_cookies; i-- > 0;)
		resume_check(dir, &o, i, where);
	for (uint64_t i = 0; i < o.n_cookies; i += 3)
		resume_check(dir, &o, i, where);
	closedir(dir);
	free(o.numbers);
	free(o.cookies);
	free(o.positions);
}

/* As rm -r does it: removes what it reads while it reads; nothing may be left after. */
static void
remove_while_listing(struct bigdir *b)
{
	DIR *dir = dir_open(b);
	const char *name;
	uint64_t n = 0;

	while ((name = dir_next(dir)) != NULL) {
		check_call(unlinkat(b->work.fd, name, 0), "remove %s", name);
		n++;
	}
	closedir(dir);
	check(n >= b->n_entries, "listing while removing showed %llu of %llu entries",
	      (unsigned long long)n, (unsigned long long)b->n_entries);
}

int
main(int argc, char **argv)
{
	struct bigdir b = {.n_entries = 100000, .n_churners = 2, .n_rounds = 3};
	const char *dir = NULL;
	const struct opt opts[] = {
		{"DIR", OPT_ARG, &dir, "where to work"},
		{"entries", OPT_U64, &b.n_entries, "entries that stay (100000)"},
		{"churners", OPT_U64, &b.n_churners,
		 "processes that add and remove (2, at most 16)"},
		{"rounds", OPT_U64, &b.n_rounds, "listings during that (3)"},
	};

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	check(b.n_churners <= MAX_CHURNERS && b.n_entries > 0, "parameter out of range");
	workdir_create(&b.work, dir, "bigdir");
	b.churn = must_share(sizeof(*b.churn) * MAX_CHURNERS);
	b.stop = must_share(sizeof(*b.stop));
	b.seen = must_alloc(b.n_entries);
	stable_create(&b);
	listing_check(&b, "at rest");
	seekdir_check(&b, "at rest");
	churn_start(&b);
	for (uint64_t i = 0; i < b.n_rounds; i++) {
		listing_check(&b, "under change");
		seekdir_check(&b, "under change");
	}
	churn_stop(&b);
	listing_check(&b, "after change");
	remove_while_listing(&b);
	workdir_remove_empty(&b.work);
	free(b.seen);
	printf("bigdir: %llu entries listed correctly, %llu times under change\n",
	       (unsigned long long)b.n_entries, (unsigned long long)b.n_rounds);
	return TEST_PASS;
}
