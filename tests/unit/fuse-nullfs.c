#include "fuse-nullfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[NODE_LIMIT] = {
	[NODE_PLAIN] = "plain", [NODE_BLOCK] = "block",	  [NODE_WAIT] = "wait",
	[NODE_PARK] = "park",	[NODE_SILENT] = "silent", [NODE_PASS] = "pass",
};

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "nullfs: %s failed: %s\n", what, strerror(errno));
	exit(1);
}

unsigned char
nullfs_pattern(uint64_t offset)
{
	return (unsigned char)(offset * 31 + (offset >> 12));
}

static struct fuse_attr
attr_of(uint64_t nodeid)
{
	return (struct fuse_attr){
		.ino = nodeid,
		.mode = nodeid == NODE_ROOT ? S_IFDIR | 0755 : S_IFREG | 0666,
		.nlink = 1,
		.size = nodeid == NODE_ROOT ? 0 : NULLFS_FILE_SIZE,
		.blksize = 4096,
	};
}

static void
op_getattr(void *ctx, struct fusek_req *req)
{
	struct fuse_attr_out out = {.attr = attr_of(req->nodeid)};

	fusek_reply(req, &out, sizeof(out));
}

static void
op_lookup(void *ctx, struct fusek_req *req)
{
	struct nullfs *fs = ctx;

	for (uint64_t n = NODE_PLAIN; n < NODE_LIMIT; n++) {
		if (strcmp(req->name, names[n]) != 0)
			continue;
		struct fuse_entry_out out = {.nodeid = n, .attr = attr_of(n)};
		fs->lookups[n]++;
		if (fusek_reply(req, &out, sizeof(out)) < 0)
			fs->lookups[n]--;
		return;
	}
	fusek_reply_err(req, ENOENT);
}

static void
op_open(void *ctx, struct fusek_req *req)
{
	struct fuse_open_out out = {.fh = req->nodeid, .open_flags = FOPEN_DIRECT_IO};
	struct nullfs *fs = ctx;

	if (req->nodeid == NODE_PASS) {
		int id = fusek_backing_open(fs->session, fs->backing_fd);
		fs->backing_id = id;
		if (id < 0) {
			fusek_reply_err(req, -id);
			return;
		}
		out.open_flags = FOPEN_PASSTHROUGH;
		out.backing_id = id;
	}
	fusek_reply(req, &out, sizeof(out));
}

static void
read_plain(struct fusek_req *req)
{
	const struct fuse_read_in *in = req->arg;
	uint64_t offset = in->offset,
		 left = offset < NULLFS_FILE_SIZE ? NULLFS_FILE_SIZE - offset : 0;
	uint32_t size = (uint32_t)MIN((uint64_t)in->size, left);
	unsigned char *out = req->out;

	for (uint32_t i = 0; i < size; i++)
		out[i] = nullfs_pattern(offset + i);
	fusek_reply_in_place(req, size);
}

static void
count_reply(struct nullfs *fs, int result)
{
	if (result == -ENOENT)
		fs->n_late++;
}

/* Fills its reply buffer, waits, and looks whether anybody else has written there. */
static void
read_block(struct nullfs *fs, struct fusek_req *req)
{
	struct fuse_read_in in = *(const struct fuse_read_in *)req->arg;
	uint32_t size = MIN(in.size, 4096u);
	unsigned char *out = req->out;

	memset(out, 0xb1, size);
	fs->n_blocked++;
	while (sem_wait(&fs->release) < 0)
		;
	fs->n_blocked--;
	for (uint32_t i = 0; i < size; i++)
		if (out[i] != 0xb1) {
			fs->n_damaged++;
			break;
		}
	if (memcmp(&in, req->arg, sizeof(in)) != 0)
		fs->n_damaged++;
	memset(out, 0xb2, size);
	count_reply(fs, fusek_reply_in_place(req, size));
}

struct wait_state {
	struct nullfs *fs;
	sem_t interrupted;
};

static void
on_interrupt(void *arg)
{
	struct wait_state *state = arg;

	state->fs->n_interrupts++;
	sem_post(&state->interrupted);
}

static void
read_wait(struct nullfs *fs, struct fusek_req *req)
{
	struct wait_state state = {.fs = fs};

	sem_init(&state.interrupted, 0, 0);
	fusek_req_on_interrupt(req, on_interrupt, &state);
	fs->n_blocked++;
	while (sem_wait(&state.interrupted) < 0)
		;
	fs->n_blocked--;
	fusek_req_on_interrupt(req, NULL, NULL);
	check(fusek_req_interrupted(req), "interrupted flag");
	sem_destroy(&state.interrupted);
	fusek_reply_err(req, EINTR);
}

struct parked {
	struct nullfs *fs;
	struct fusek_req *req;
};

static void *
answer_parked(void *arg)
{
	struct parked *p = arg;
	struct nullfs *fs = p->fs;

	while (sem_wait(&fs->release) < 0)
		;
	if (fusek_req_interrupted(p->req))
		count_reply(fs, fusek_reply_err(p->req, EINTR));
	else
		read_plain(p->req);
	free(p);
	return NULL;
}

static void
read_park(struct nullfs *fs, struct fusek_req *req)
{
	struct parked *p = malloc(sizeof(*p));

	check(p, "malloc");
	*p = (struct parked){fs, req};
	fusek_req_park(req);
	int n = atomic_fetch_add(&fs->n_parks, 1);
	check(pthread_create(&fs->parked_thread[n], NULL, answer_parked, p) == 0, "thread");
}

static void
op_read(void *ctx, struct fusek_req *req)
{
	((struct nullfs *)ctx)->n_reads++;
	switch (req->nodeid) {
	case NODE_BLOCK:
		read_block(ctx, req);
		return;
	case NODE_WAIT:
		read_wait(ctx, req);
		return;
	case NODE_PARK:
		read_park(ctx, req);
		return;
	case NODE_SILENT:
		return;
	}
	read_plain(req);
}

static void
op_write(void *ctx, struct fusek_req *req)
{
	struct nullfs *fs = ctx;
	const unsigned char *data = req->data;
	struct fuse_write_out out = {.size = req->data_size};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < req->data_size; i++)
		sum += data[i];
	atomic_fetch_add(&fs->write_sum, sum);
	fusek_reply(req, &out, sizeof(out));
}

static void
op_readdir(void *ctx, struct fusek_req *req)
{
	fusek_reply(req, NULL, 0);
}

static void
op_ok(void *ctx, struct fusek_req *req)
{
	fusek_reply_err(req, 0);
}

static void
forget(void *ctx, uint64_t nodeid, uint64_t n)
{
	struct nullfs *fs = ctx;

	if (nodeid < NODE_LIMIT)
		fs->lookups[nodeid] -= (int64_t)n;
}

static void
ended(void *ctx)
{
	((struct nullfs *)ctx)->n_ended++;
}

static const struct fusek_ops ops = {
	.op = {
		[FUSE_LOOKUP] = op_lookup, [FUSE_GETATTR] = op_getattr, [FUSE_SETATTR] = op_getattr,
		[FUSE_OPEN] = op_open, [FUSE_READ] = op_read, [FUSE_WRITE] = op_write,
		[FUSE_OPENDIR] = op_open, [FUSE_READDIR] = op_readdir, [FUSE_RELEASE] = op_ok,
		[FUSE_RELEASEDIR] = op_ok,
	},
	.forget = forget,
	.ended = ended,
};

void
nullfs_require_mount(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && geteuid() == 0) {
		close(fd);
		return;
	}
	printf("SKIP: needs root and /dev/fuse (%s)\n", strerror(fd < 0 ? errno : EPERM));
	exit(77);
}

/* fuse.enable_uring is off by default; a test machine may have it switched on. */
static bool
uring_available(void)
{
	int fd = open("/sys/module/fuse/parameters/enable_uring", O_RDWR | O_CLOEXEC);
	char now = 'N';

	if (fd < 0)
		return false;
	bool ok = write(fd, "Y\n", 2) == 2;
	ok = ok && pread(fd, &now, 1, 0) == 1 && now == 'Y';
	close(fd);
	return ok;
}

void
nullfs_require_transport(const char *name, struct fusek_config *config)
{
	nullfs_require_mount();
	config->transport = FUSEK_TRANSPORT_DEV;
	if (strcmp(name, "uring") != 0)
		return;
	config->transport = FUSEK_TRANSPORT_URING;
	if (uring_available())
		return;
	printf("SKIP: this kernel has no FUSE over io_uring, or it cannot be switched on\n");
	exit(77);
}

static void
mount_on(struct nullfs *fs, const struct fusek_config *config, const char *path)
{
	struct fusek_mount_options options = {.subtype = "nulltest", .fsname = "nulltest"};
	struct fusek_mount_error error = {0};

	memset(fs, 0, sizeof(*fs));
	sem_init(&fs->release, 0, 0);
	snprintf(fs->mountpoint, sizeof(fs->mountpoint), "%s", path);
	int fd = fusek_mount(fs->mountpoint, &options, false, &error);
	if (fd < 0)
		fprintf(stderr, "nullfs: %s\n", error.text);
	check(fd >= 0, "mount");
	check(fusek_session_create(fd, config, &ops, fs, &fs->session) == 0, "create");
}

static void
start_and_wait(struct nullfs *fs)
{
	check(fusek_session_start(fs->session) == 0, "start");
	check(fusek_session_wait_ready(fs->session, 10000) == 0, "ready");
}

void
nullfs_start_on(struct nullfs *fs, const struct fusek_config *config, const char *path)
{
	mount_on(fs, config, path);
	start_and_wait(fs);
}

void
nullfs_mount(struct nullfs *fs, const struct fusek_config *config)
{
	char path[] = "/tmp/userdrive-nullfs.XXXXXX";

	check(mkdtemp(path), "mkdtemp");
	mount_on(fs, config, path);
}

void
nullfs_start(struct nullfs *fs, const struct fusek_config *config)
{
	nullfs_mount(fs, config);
	start_and_wait(fs);
}

void
nullfs_end(struct nullfs *fs)
{
	struct fusek_mount_error error;

	check(fusek_unmount(fs->mountpoint, true, &error) == 0, "unmount");
	for (int i = 0; i < fs->n_parks; i++)
		pthread_join(fs->parked_thread[i], NULL);
	fusek_session_join(fs->session);
	fusek_session_destroy(fs->session);
	check(fs->n_ended == 1, "ended called once");
	sem_destroy(&fs->release);
}

void
nullfs_stop(struct nullfs *fs)
{
	nullfs_end(fs);
	check(rmdir(fs->mountpoint) == 0, "rmdir");
}

const char *
nullfs_path(struct nullfs *fs, const char *name)
{
	static _Thread_local char path[128];

	snprintf(path, sizeof(path), "%s/%s", fs->mountpoint, name);
	return path;
}

static int
count_entries(const char *directory)
{
	DIR *d = opendir(directory);
	int n = 0;

	check(d, directory);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

int
count_fds(void)
{
	return count_entries("/proc/self/fd");
}

int
count_threads(void)
{
	return count_entries("/proc/self/task") - 2;
}
