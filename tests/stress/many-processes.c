/*
 * Many processes in shared and private directories. Every file says what it is, and
 * counters in shared memory say how much there must be, so lost, doubled and misplaced
 * data are seen:
 *
 *   private-I/   process I alone; it knows each file's name, key and length
 *   shared/      sN is only ever replaced by rename, so it is always one whole file for N
 *   mail-I/      files renamed there by others; each arrives once, with the sender's
 * content log          records appended by all; each stands once, in each writer's order
 *   counter, ranges   read-modify-write under flock and under byte range locks
 *   owner-N      made by mkdir or O_EXCL: whoever made it is alone until it removes it
 */
#include "tests/stress/common.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_PROCESSES = 128,
	N_PRIVATE = 24,
	N_SHARED = 16,
	N_OWNERS = 8,
	N_RANGES = 8,
	MAX_BYTES = 40000,
	RECORD_BYTES = 64,
	HEADER_MAGIC = 0x53454c46
};

struct tally {
	_Atomic bool stop;
	bool no_links;				    /* set before the start */
	_Atomic uint64_t counter, ranges[N_RANGES]; /* increments done under locks */
	_Atomic uint64_t sent[MAX_PROCESSES], received[MAX_PROCESSES]; /* by receiver */
	_Atomic uint64_t appended[MAX_PROCESSES];		       /* by writer */
	_Atomic int owners[N_OWNERS]; /* how many think they own it */
	_Atomic uint64_t n_ops;
};

struct header {
	uint32_t magic,
		place;	      /* for which directory: a process number, or PLACE_SHARED */
	uint32_t name, from;  /* slot number; writer */
	uint64_t key, length; /* of the data that follows */
	uint64_t sum;	      /* hash of all above */
};
enum { PLACE_SHARED = 1000000, PLACE_MAIL = 2000000 };

struct file_state {
	bool there;
	uint64_t key;
	size_t length;
};

struct process {
	unsigned id, n_processes;
	struct rng rng;
	struct workdir *work;
	struct tally *tally;
	int private_fd, shared_fd;
	struct file_state files[N_PRIVATE];
	uint64_t n_sent;
};

/* ---- self-describing files ---- */

static struct header
header_make(uint32_t place, uint32_t name, uint32_t from, uint64_t key, size_t length)
{
	struct header h = {HEADER_MAGIC, place, name, from, key, length, 0};

	h.sum = hash_bytes(&h, offsetof(struct header, sum), 0);
	return h;
}

static void
file_create(int dir_fd, const char *path, const struct header *h)
{
	int fd = openat(dir_fd, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);

	check_call(fd, "create %s", path);
	write_all(fd, h, sizeof(*h), 0, path);
	write_data(fd, h->length, h->key, sizeof(*h), path);
	check_call(close(fd), "close %s", path);
}

/* Checks that an open file is one whole file; returns its header. */
static struct header
file_verify(int fd, const char *path)
{
	struct header h;
	uint64_t sum;
	struct stat st;

	read_all(fd, &h, sizeof(h), 0, path);
	sum = hash_bytes(&h, offsetof(struct header, sum), 0);
	check(h.magic == HEADER_MAGIC && h.sum == sum,
	      "%s: header is not what was written", path);
	check_call(fstat(fd, &st), "fstat %s", path);
	check((uint64_t)st.st_size == sizeof(h) + h.length, "%s: %lld bytes, not %llu",
	      path, (long long)st.st_size, (unsigned long long)(sizeof(h) + h.length));
	verify_data(fd, h.length, h.key, sizeof(h), path);
	return h;
}

static size_t
random_length(struct process *p)
{
	return (size_t)rng_below(&p->rng, 1 + (MAX_BYTES >> rng_below(&p->rng, 8)));
}

/* ---- private directory: exact knowledge ---- */

static const char *
private_name(unsigned slot)
{
	static char names[4][32];
	static unsigned turn;
	char *name = names[turn++ % 4];

	snprintf(name, sizeof(names[0]), "file-%u", slot);
	return name;
}

static void
private_verify(struct process *p, unsigned slot)
{
	const struct file_state *f = &p->files[slot];
	const char *name = private_name(slot);
	int fd = openat(p->private_fd, name, O_RDONLY | O_CLOEXEC);
	struct header h;

	if (!f->there) {
		check(fd < 0 && errno == ENOENT, "%s exists though it was removed", name);
		return;
	}
	check_call(fd, "open %s", name);
	h = file_verify(fd, name);
	check(h.place == p->id && h.key == f->key && h.length == f->length,
	      "%s of process %u has the content of %u's file %u", name, p->id, h.place,
	      h.name);
	close(fd);
}

static void
private_write(struct process *p)
{
	unsigned slot = (unsigned)rng_below(&p->rng, N_PRIVATE);
	struct file_state *f = &p->files[slot];
	struct header h =
		header_make(p->id, slot, p->id, rng_next(&p->rng), random_length(p));

	private_verify(p, slot);
	if (f->there)
		check_call(unlinkat(p->private_fd, private_name(slot), 0), "unlink");
	file_create(p->private_fd, private_name(slot), &h);
	*f = (struct file_state){true, h.key, h.length};
	private_verify(p, slot);
}

static void
private_rename(struct process *p)
{
	unsigned from = (unsigned)rng_below(&p->rng, N_PRIVATE);
	unsigned to = (unsigned)rng_below(&p->rng, N_PRIVATE);
	int ret = renameat(p->private_fd, private_name(from), p->private_fd,
			   private_name(to));

	if (!p->files[from].there) {
		check(ret < 0 && errno == ENOENT, "rename of a missing file succeeded");
		return;
	}
	check_call(ret, "rename %s to %s", private_name(from), private_name(to));
	if (from != to) {
		p->files[to] = p->files[from];
		p->files[from].there = false;
	}
	private_verify(p, to);
	private_verify(p, from);
}

static void
private_unlink(struct process *p)
{
	unsigned slot = (unsigned)rng_below(&p->rng, N_PRIVATE);
	int ret = unlinkat(p->private_fd, private_name(slot), 0);

	check(ret == 0 ? p->files[slot].there : !p->files[slot].there && errno == ENOENT,
	      "unlink %s: %d, errno %d", private_name(slot), ret, errno);
	p->files[slot].there = false;
	private_verify(p, slot);
}

static void
private_list(struct process *p)
{
	struct listing l;
	size_t wanted = 0;

	listing_must_read(p->private_fd, &l, "private directory");
	for (unsigned i = 0; i < N_PRIVATE; i++) {
		wanted += p->files[i].there;
		check(!p->files[i].there || listing_has(&l, private_name(i)),
		      "%s is not listed", private_name(i));
	}
	check(l.n == wanted, "private directory lists %zu entries, not %zu", l.n, wanted);
	listing_free(&l);
}

static void
private_link(struct process *p)
{
	unsigned slot = (unsigned)rng_below(&p->rng, N_PRIVATE);
	struct stat a, b;

	if (!p->files[slot].there || p->tally->no_links)
		return;
	check_call(linkat(p->private_fd, private_name(slot), p->private_fd, "link", 0),
		   "link");
	check_call(fstatat(p->private_fd, private_name(slot), &a, 0), "stat");
	check_call(fstatat(p->private_fd, "link", &b, 0), "stat link");
	check(a.st_ino == b.st_ino && b.st_nlink == 2 && a.st_size == b.st_size,
	      "the two names of a file show inodes %llu and %llu, %u links",
	      (unsigned long long)a.st_ino, (unsigned long long)b.st_ino,
	      (unsigned)b.st_nlink);
	/* The linked name survives the first. */
	check_call(unlinkat(p->private_fd, private_name(slot), 0), "unlink first name");
	check_call(renameat(p->private_fd, "link", p->private_fd, private_name(slot)),
		   "rename link back");
	private_verify(p, slot);
}

static void
private_mkdir(struct process *p)
{
	struct header h =
		header_make(p->id, 0, p->id, rng_next(&p->rng), random_length(p));

	check_call(mkdirat(p->private_fd, "dir", 0755), "mkdir");
	file_create(p->private_fd, "dir/inner", &h);
	check_errno(unlinkat(p->private_fd, "dir", AT_REMOVEDIR), ENOTEMPTY,
		    "rmdir of a directory with a file");
	check_call(renameat(p->private_fd, "dir", p->private_fd, "moved"),
		   "rename directory");
	check_call(unlinkat(p->private_fd, "moved/inner", 0),
		   "unlink in moved directory");
	check_call(unlinkat(p->private_fd, "moved", AT_REMOVEDIR), "rmdir");
}

/* ---- shared directory ---- */

static void
shared_replace(struct process *p)
{
	unsigned slot = (unsigned)rng_below(&p->rng, N_SHARED);
	struct header h = header_make(PLACE_SHARED, slot, p->id, rng_next(&p->rng),
				      random_length(p));
	char temp[32], name[32];

	snprintf(temp, sizeof(temp), "temp-%u", p->id);
	snprintf(name, sizeof(name), "s%u", slot);
	file_create(p->shared_fd, temp, &h);
	check_call(renameat(p->shared_fd, temp, p->shared_fd, name), "rename over %s",
		   name);
}

/* The open file stays whole though others replace the name meanwhile. */
static void
shared_verify(struct process *p)
{
	unsigned slot = (unsigned)rng_below(&p->rng, N_SHARED);
	struct header h;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "s%u", slot);
	/* All slots are filled before the start, and a rename leaves no moment without
	 * the name. */
	fd = openat(p->shared_fd, name, O_RDONLY | O_CLOEXEC);
	check_call(fd, "open shared %s, which always exists", name);
	h = file_verify(fd, name);
	check(h.place == PLACE_SHARED && h.name == slot,
	      "shared %s has the content of %u/%u", name, h.place, h.name);
	close(fd);
}

/* Names that are being renamed over may be met or missed, but stay legal. */
static void
shared_list(struct process *p)
{
	struct listing l;
	int err = listing_read(p->shared_fd, &l);

	check(err == 0, "listing the shared directory: %s", strerror(-err));
	for (size_t i = 0; i < l.n; i++)
		check(l.names[i][0] == 's' || strncmp(l.names[i], "temp-", 5) == 0,
		      "a name nobody made: %s", escape_name(l.names[i]));
	listing_free(&l);
}

static void
shared_stat(struct process *p)
{
	struct stat st;
	char name[32];

	snprintf(name, sizeof(name), "s%u", (unsigned)rng_below(&p->rng, N_SHARED));
	check_call(fstatat(p->shared_fd, name, &st, 0),
		   "stat shared %s, which always exists", name);
	check(S_ISREG(st.st_mode), "shared %s has mode %o", name, st.st_mode);
}

/* ---- mail ---- */

static void
mail_send(struct process *p)
{
	unsigned to = (unsigned)rng_below(&p->rng, p->n_processes);
	struct header h = header_make(PLACE_MAIL + to, (uint32_t)p->n_sent, p->id,
				      rng_next(&p->rng), random_length(p) / 4);
	char path[64];

	file_create(p->private_fd, "letter", &h);
	snprintf(path, sizeof(path), "mail-%u/%u-%llu", to, p->id,
		 (unsigned long long)p->n_sent++);
	/* Counted before it can be received, so that received never exceeds sent. */
	p->tally->sent[to]++;
	check_call(renameat(p->private_fd, "letter", p->work->fd, path), "send %s", path);
}

static void
mail_receive(struct process *p)
{
	struct listing l;
	char dir[32], path[300];
	int dir_fd, fd;

	snprintf(dir, sizeof(dir), "mail-%u", p->id);
	dir_fd = openat(p->work->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_call(dir_fd, "open %s", dir);
	listing_must_read(dir_fd, &l, dir);
	for (size_t i = 0; i < l.n; i++) {
		struct header h;

		snprintf(path, sizeof(path), "%s/%.250s", dir, l.names[i]);
		fd = openat(dir_fd, l.names[i], O_RDONLY | O_CLOEXEC);
		check_call(fd, "open letter %s, which was listed", path);
		h = file_verify(fd, path);
		snprintf(path, sizeof(path), "%u-%u", h.from, h.name);
		check(h.place == PLACE_MAIL + p->id && strcmp(path, l.names[i]) == 0,
		      "letter %s to %u has the content of letter %s to %u", l.names[i],
		      p->id, path, h.place - PLACE_MAIL);
		close(fd);
		check_call(unlinkat(dir_fd, l.names[i], 0), "remove letter %s",
			   l.names[i]);
		p->tally->received[p->id]++;
	}
	listing_free(&l);
	close(dir_fd);
}

/* ---- log, counters, ownership ---- */

static void
record_fill(unsigned char *record, unsigned writer, uint64_t sequence)
{
	memset(record, 0, RECORD_BYTES);
	memcpy(record, &writer, sizeof(writer));
	memcpy(record + 8, &sequence, sizeof(sequence));
	data_fill(record + 16, RECORD_BYTES - 16, sequence * MAX_PROCESSES + writer, 0);
}

static void
log_append(struct process *p)
{
	unsigned char record[RECORD_BYTES];
	int fd = openat(p->work->fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);

	check_call(fd, "open log");
	record_fill(record, p->id, p->tally->appended[p->id]);
	check(write(fd, record, sizeof(record)) == sizeof(record), "append: %s",
	      strerror(errno));
	p->tally->appended[p->id]++;
	check_call(close(fd), "close log");
}

static void
counter_step(int fd, off_t offset, const char *where)
{
	uint64_t value;

	read_all(fd, &value, sizeof(value), offset, where);
	value++;
	write_all(fd, &value, sizeof(value), offset, where);
}

static void
counter_flock(struct process *p)
{
	int fd = openat(p->work->fd, "counter", O_RDWR | O_CLOEXEC);

	check_call(fd, "open counter");
	check_call(flock(fd, LOCK_EX), "flock");
	counter_step(fd, 0, "counter");
	p->tally->counter++;
	check_call(flock(fd, LOCK_UN), "unlock");
	close(fd);
}

static void
counter_range(struct process *p)
{
	unsigned which = (unsigned)rng_below(&p->rng, N_RANGES);
	struct flock range = {.l_type = F_WRLCK, .l_start = which * 8, .l_len = 8};
	int fd = openat(p->work->fd, "ranges", O_RDWR | O_CLOEXEC);

	check_call(fd, "open ranges");
	check_call(fcntl(fd, F_SETLKW, &range), "lock range %u", which);
	counter_step(fd, which * 8, "ranges");
	p->tally->ranges[which]++;
	/* Closing gives a process's range locks back. */
	close(fd);
}

static void
owner_step(struct process *p)
{
	unsigned which = (unsigned)rng_below(&p->rng, N_OWNERS);
	bool dir = which % 2;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "owner-%u", which);
	if (dir) {
		fd = mkdirat(p->work->fd, name, 0755);
	} else {
		fd = openat(p->work->fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
			    0644);
		if (fd >= 0)
			close(fd);
	}
	check(fd >= 0 || errno == EEXIST, "create %s: %s", name, strerror(errno));
	if (fd < 0)
		return;
	check(++p->tally->owners[which] == 1, "%s was created by two at once", name);
	p->tally->owners[which]--;
	check_call(unlinkat(p->work->fd, name, dir ? AT_REMOVEDIR : 0), "remove %s",
		   name);
}

static const struct {
	void (*run)(struct process *p);
	unsigned weight;
} steps[] = {
	{private_write, 20},  {private_rename, 10}, {private_unlink, 5},
	{private_list, 4},    {private_link, 5},    {private_mkdir, 4},
	{shared_replace, 10}, {shared_verify, 15},  {shared_list, 3},
	{shared_stat, 10},    {mail_send, 6},	    {mail_receive, 2},
	{log_append, 10},     {counter_flock, 6},   {counter_range, 6},
	{owner_step, 10},
};

static void
process_step(struct process *p)
{
	size_t row =
		rng_pick(&p->rng, &steps[0].weight, sizeof(steps[0]), ARRAY_SIZE(steps));

	steps[row].run(p);
	p->tally->n_ops++;
}

static void
process_main(struct process *p)
{
	char name[32];

	snprintf(name, sizeof(name), "private-%u", p->id);
	p->private_fd = openat(p->work->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->shared_fd = openat(p->work->fd, "shared", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(p->private_fd >= 0 && p->shared_fd >= 0, "open directories: %s",
	      strerror(errno));
	while (!p->tally->stop)
		process_step(p);
	private_list(p);
	for (unsigned i = 0; i < N_PRIVATE; i++) {
		private_verify(p, i);
		if (p->files[i].there)
			check_call(unlinkat(p->private_fd, private_name(i), 0), "unlink");
	}
	_exit(TEST_PASS);
}

/* ---- the parent: set up, wait, verify, clean ---- */

static void
set_up(const struct workdir *w, unsigned n_processes)
{
	static const char *const files[] = {"log", "counter", "ranges"};
	const uint64_t zeros[N_RANGES] = {0};
	char name[32];
	int fd;

	check_call(mkdirat(w->fd, "shared", 0755), "mkdir shared");
	for (unsigned i = 0; i < N_SHARED; i++) {
		struct header h = header_make(PLACE_SHARED, i, 0, i, 1000);

		snprintf(name, sizeof(name), "shared/s%u", i);
		file_create(w->fd, name, &h);
	}
	for (unsigned i = 0; i < n_processes; i++) {
		snprintf(name, sizeof(name), "private-%u", i);
		check_call(mkdirat(w->fd, name, 0755), "mkdir %s", name);
		snprintf(name, sizeof(name), "mail-%u", i);
		check_call(mkdirat(w->fd, name, 0755), "mkdir %s", name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		fd = openat(w->fd, files[i], O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
		check_call(fd, "create %s", files[i]);
		if (i > 0)
			write_all(fd, zeros, sizeof(zeros), 0, files[i]);
		close(fd);
	}
}

struct children {
	pid_t pids[MAX_PROCESSES]; /* 0: has ended */
	unsigned n_left;
	bool failed;
};

static void
children_reap(struct children *c)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < MAX_PROCESSES; i++)
			if (c->pids[i] == pid)
				c->pids[i] = 0;
		c->n_left--;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != TEST_PASS)
			c->failed = true;
	}
}

/* Until all have ended, one has failed, or the time has come. */
static void
children_watch(struct children *c, double until_s)
{
	do {
		usleep(50000);
		children_reap(c);
	} while (c->n_left > 0 && !c->failed && now_s() < until_s);
}

/* The first failure ends the others, by the ids this process started: they may wait in a
 * lock. */
static bool
children_run(struct children *c, struct tally *tally, double seconds)
{
	children_watch(c, now_s() + seconds);
	tally->stop = true;
	if (!c->failed)
		children_watch(c, now_s() + 60);
	if (c->n_left > 0 && !c->failed)
		fprintf(stderr, "%u processes hang\n", c->n_left);
	for (unsigned i = 0; i < MAX_PROCESSES; i++) {
		if (c->pids[i] == 0)
			continue;
		c->failed = true;
		kill(c->pids[i], SIGTERM);
		waitpid(c->pids[i], NULL, 0);
	}
	return !c->failed;
}

static void
children_start(struct children *c, struct workdir *w, struct tally *tally, unsigned n,
	       uint64_t seed)
{
	for (unsigned i = 0; i < n; i++) {
		struct process p = {.id = i,
				    .n_processes = n,
				    .rng = {seed * MAX_PROCESSES + i},
				    .work = w,
				    .tally = tally};

		c->pids[i] = fork();
		check_call(c->pids[i], "fork");
		if (c->pids[i] == 0)
			process_main(&p);
		c->n_left++;
	}
}

static void
log_verify(const struct workdir *w, const struct tally *tally, unsigned n_processes)
{
	unsigned char record[RECORD_BYTES], wanted[RECORD_BYTES];
	uint64_t next[MAX_PROCESSES] = {0}, n = 0;
	int fd = openat(w->fd, "log", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	check_call(fd, "open log");
	while ((got = read(fd, record, sizeof(record))) > 0) {
		unsigned writer;

		check(got == RECORD_BYTES, "log: torn record at %llu",
		      (unsigned long long)n);
		memcpy(&writer, record, sizeof(writer));
		check(writer < n_processes, "log: record %llu is of no writer",
		      (unsigned long long)n);
		record_fill(wanted, writer, next[writer]++);
		check(memcmp(record, wanted, sizeof(record)) == 0,
		      "log: record %llu is not number %llu of process %u",
		      (unsigned long long)n, (unsigned long long)next[writer] - 1,
		      writer);
		n++;
	}
	check_call(got, "read log");
	for (unsigned i = 0; i < n_processes; i++)
		check(next[i] == tally->appended[i],
		      "log: %llu of %llu records of process %u",
		      (unsigned long long)next[i], (unsigned long long)tally->appended[i],
		      i);
	close(fd);
}

static void
counters_verify(const struct workdir *w, const struct tally *tally)
{
	uint64_t values[N_RANGES];
	int fd = openat(w->fd, "counter", O_RDONLY | O_CLOEXEC);

	check_call(fd, "open counter");
	read_all(fd, values, 8, 0, "counter");
	close(fd);
	check(values[0] == tally->counter, "counter under flock is %llu, not %llu",
	      (unsigned long long)values[0], (unsigned long long)tally->counter);
	fd = openat(w->fd, "ranges", O_RDONLY | O_CLOEXEC);
	check_call(fd, "open ranges");
	read_all(fd, values, sizeof(values), 0, "ranges");
	close(fd);
	for (unsigned i = 0; i < N_RANGES; i++)
		check(values[i] == tally->ranges[i],
		      "counter %u under range locks is %llu, not %llu", i,
		      (unsigned long long)values[i],
		      (unsigned long long)tally->ranges[i]);
}

static void
clean(struct workdir *w, unsigned n_processes)
{
	static const char *const files[] = {"log", "counter", "ranges"};
	char name[32];

	for (unsigned i = 0; i < N_SHARED; i++) {
		snprintf(name, sizeof(name), "shared/s%u", i);
		check_call(unlinkat(w->fd, name, 0), "unlink %s", name);
	}
	check_call(unlinkat(w->fd, "shared", AT_REMOVEDIR), "rmdir shared");
	for (unsigned i = 0; i < n_processes; i++) {
		snprintf(name, sizeof(name), "private-%u", i);
		check_call(unlinkat(w->fd, name, AT_REMOVEDIR), "rmdir %s", name);
		snprintf(name, sizeof(name), "mail-%u", i);
		check_call(unlinkat(w->fd, name, AT_REMOVEDIR), "rmdir %s", name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		check_call(unlinkat(w->fd, files[i], 0), "unlink %s", files[i]);
	workdir_remove_empty(w);
}

static void
mail_verify(struct workdir *w, struct tally *tally, unsigned n_processes)
{
	for (unsigned i = 0; i < n_processes; i++) {
		struct process p = {.id = i, .work = w, .tally = tally};

		mail_receive(&p);
		check(tally->sent[i] == tally->received[i],
		      "process %u was sent %llu letters, %llu arrived", i,
		      (unsigned long long)tally->sent[i],
		      (unsigned long long)tally->received[i]);
	}
}

int
main(int argc, char **argv)
{
	uint64_t n_processes = 16, seconds = 10, seed = seed_from_clock();
	struct tally *tally = must_share(sizeof(*tally));
	const char *dir = NULL;
	const struct opt opts[] = {
		{"DIR", OPT_ARG, &dir, "where to work"},
		{"processes", OPT_U64, &n_processes, "how many (16, at most 128)"},
		{"seconds", OPT_U64, &seconds, "how long (10)"},
		{"seed", OPT_U64, &seed,
		 "of the choice of operations; from the clock when absent"},
		{"no-links", OPT_FLAG, &tally->no_links, "the drive has no hard links"},
	};
	struct children children = {0};
	struct workdir work;

	opts_parse(argc, argv, opts, ARRAY_SIZE(opts));
	check(n_processes > 0 && n_processes <= MAX_PROCESSES,
	      "--processes out of range");
	printf("many-processes: seed %llu\n", (unsigned long long)seed);
	workdir_create(&work, dir, "many-processes");
	set_up(&work, (unsigned)n_processes);
	children_start(&children, &work, tally, (unsigned)n_processes, seed);
	check(children_run(&children, tally, (double)seconds),
	      "a process failed; %s is left as it is", work.path);
	mail_verify(&work, tally, (unsigned)n_processes);
	log_verify(&work, tally, (unsigned)n_processes);
	counters_verify(&work, tally);
	clean(&work, (unsigned)n_processes);
	printf("many-processes: %llu operations by %llu processes, nothing lost or "
	       "misplaced\n",
	       (unsigned long long)tally->n_ops, (unsigned long long)n_processes);
	return TEST_PASS;
}
