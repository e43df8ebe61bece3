#include "transport/loop/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mutex.h"

enum {
	NODE_FILE = FUSE_ROOT_ID + 1,
	HANDLE = 1,
	READY_MS = 10000,
	/* One loop queue holds 128 requests; FUSE's own default of 12 would throttle it.
	 */
	MAX_BACKGROUND = 128,
	CONGESTION = 96,
	N_SPARE_IOS = 2 * MAX_BACKGROUND,
	/* MBR, GPT header and the usual array; the backup is as long */
	TABLE_BLOCKS = 34,
	SIZE_TRIES = 100
};

/*
 * Who answers a request that has gone to the unit: whichever of handler and completion
 *comes second. The word passes the result along with the duty.
 *
 *	SUBMITTED --handler parks--> PARKED --complete--> the completion answers
 *	SUBMITTED --complete--> DONE: the handler answers
 */
enum io_state { IO_SUBMITTED, IO_PARKED, IO_DONE };

struct image_io {
	struct scsi_io io;
	struct scsi_range range;
	struct scsi_result result;
	struct loop_image *image;
	struct fusek_req *req;
	_Atomic int state; /* enum io_state; handler and completion exchange it */
	bool is_spare;	   /* one of image->spares; else from the heap */
	struct image_io *next;
};

struct loop_image {
	struct scsi_unit *unit;
	struct loop_image_events events;
	char name[128];
	uint32_t block_length;
	struct fusek_session *session;
	bool started;
	bool has_unmap, unmap_zeroes;
	_Atomic int opener;	    /* thread that may open the file now; 0: nobody */
	_Atomic bool table_touched; /* since the last flush; a hint */

	/* Requests under memory pressure must not wait for memory: there are spares. */
	struct image_io spares[N_SPARE_IOS];
	struct mutex lock; /* rules what follows */
	struct image_io *free_ios;
	int mount_fd; /* or -1 */

	_Atomic uint64_t n_reads, n_writes, n_flushes, n_unmaps, n_zeroes, n_errors,
		n_parked;
	_Atomic uint64_t n_bytes_read, n_bytes_written;
};

/* ---------------------------------------------------------------- requests to the unit
 */

static struct image_io *
io_take(struct loop_image *image)
{
	mutex_lock(&image->lock);
	struct image_io *x = image->free_ios;
	if (x)
		image->free_ios = x->next;
	mutex_unlock(&image->lock);
	return x ? x : calloc(1, sizeof(*x));
}

static void
io_put(struct image_io *x)
{
	struct loop_image *image = x->image;

	if (!x->is_spare) {
		free(x);
		return;
	}
	mutex_lock(&image->lock);
	x->next = image->free_ios;
	image->free_ios = x;
	mutex_unlock(&image->lock);
}

static void
answer(struct loop_image *image, struct fusek_req *req, enum scsi_io_kind kind,
       size_t size, struct scsi_result res)
{
	struct fuse_write_out out = {.size = (uint32_t)size};
	int err = scsi_result_to_errno(res);

	if (err) {
		atomic_fetch_add(&image->n_errors, 1);
		(void)fusek_reply_err(req, err);
	} else if (kind == SCSI_IO_READ) {
		(void)fusek_reply_in_place(req, size);
	} else if (kind == SCSI_IO_WRITE) {
		(void)fusek_reply(req, &out, sizeof(out));
	} else {
		(void)fusek_reply_err(req, 0);
	}
}

/* The spare goes back first: with the answer the session may end, and the image with it.
 */
static void
io_answer(struct image_io *x)
{
	struct loop_image *image = x->image;
	struct fusek_req *req = x->req;
	enum scsi_io_kind kind = x->io.kind;
	size_t size = (size_t)x->io.n_blocks * image->block_length;
	struct scsi_result res = x->result;

	io_put(x);
	answer(image, req, kind, size, res);
}

static void
io_complete(struct scsi_io *io, struct scsi_result res)
{
	struct image_io *x = io->ctx;

	x->result = res;
	if (atomic_exchange(&x->state, IO_DONE) == IO_PARKED)
		io_answer(x);
}

/*
 * Most units answer on this very thread, and parking costs a hand-over: it is done only
 * when the answer is not there yet.
 */
static void
submit(struct loop_image *image, struct fusek_req *req, const struct scsi_io *io)
{
	struct image_io *x = io_take(image);
	int expected = IO_SUBMITTED;

	if (!x) {
		(void)fusek_reply_err(req, ENOMEM);
		return;
	}
	x->image = image;
	x->req = req;
	x->io = *io;
	x->io.complete = io_complete;
	x->io.ctx = x;
	if (io->kind == SCSI_IO_UNMAP) {
		x->range = (struct scsi_range){.lba = io->lba, .n_blocks = io->n_blocks};
		x->io.ranges = &x->range;
		x->io.n_ranges = 1;
	}
	atomic_store(&x->state, IO_SUBMITTED);
	scsi_unit_submit(image->unit, &x->io);
	if (atomic_load(&x->state) != IO_DONE) {
		atomic_fetch_add(&image->n_parked, 1);
		fusek_req_park(req);
		if (atomic_compare_exchange_strong(&x->state, &expected, IO_PARKED))
			return;
	}
	io_answer(x);
}

/* The loop driver sends whole blocks of its device only, so anything else is nobody's
 * request. */
static bool
blocks_of(struct loop_image *image, uint64_t offset, uint64_t size, struct scsi_io *io)
{
	if (offset % image->block_length || size % image->block_length || size == 0 ||
	    size / image->block_length > UINT32_MAX)
		return false;
	io->lba = offset / image->block_length;
	io->n_blocks = (uint32_t)(size / image->block_length);
	return true;
}

static void
note_table(struct loop_image *image, const struct scsi_io *io)
{
	uint64_t n_blocks = scsi_unit_n_blocks(image->unit);

	if (io->lba < TABLE_BLOCKS || io->lba + io->n_blocks + TABLE_BLOCKS > n_blocks)
		atomic_store(&image->table_touched, true);
}

static void
op_read(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	const struct fuse_read_in *in = req->arg;
	struct scsi_io io = {.kind = SCSI_IO_READ, .data = req->out};

	if (req->nodeid != NODE_FILE || in->size > req->out_cap ||
	    !blocks_of(image, in->offset, in->size, &io)) {
		(void)fusek_reply_err(req, EINVAL);
		return;
	}
	atomic_fetch_add(&image->n_reads, 1);
	atomic_fetch_add(&image->n_bytes_read, in->size);
	submit(image, req, &io);
}

static void
op_write(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	const struct fuse_write_in *in = req->arg;
	/* The unit does not write to what it is to write out. */
	struct scsi_io io = {.kind = SCSI_IO_WRITE, .data = (void *)(uintptr_t)req->data};

	if (req->nodeid != NODE_FILE || in->size != req->data_size ||
	    !blocks_of(image, in->offset, in->size, &io)) {
		(void)fusek_reply_err(req, EINVAL);
		return;
	}
	atomic_fetch_add(&image->n_writes, 1);
	atomic_fetch_add(&image->n_bytes_written, in->size);
	note_table(image, &io);
	submit(image, req, &io);
}

static void
op_fsync(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	struct scsi_io io = {.kind = SCSI_IO_FLUSH};

	atomic_fetch_add(&image->n_flushes, 1);
	submit(image, req, &io);
	if (atomic_exchange(&image->table_touched, false))
		image->events.table_written(image->events.ctx);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * The loop driver makes one and the same request of a discard and of "write zeroes,
 * storage may go": what comes back must be zeroes. A unit that does not promise them
 * after UNMAP is asked, and what is left is overwritten. On this handler's own thread,
 * which may block.
 */
static struct scsi_result
unmap_and_zero(struct loop_image *image, struct fusek_req *req,
	       const struct scsi_io *whole)
{
	uint32_t step = MAX(req->out_cap / image->block_length, 1u);
	struct scsi_range range = {.lba = whole->lba, .n_blocks = whole->n_blocks};
	struct scsi_io unmap = {.kind = SCSI_IO_UNMAP, .ranges = &range, .n_ranges = 1};
	struct scsi_result res = scsi_unit_io(image->unit, &unmap);

	for (uint32_t done = 0; scsi_ok(res) && done < whole->n_blocks; done += step) {
		uint32_t n = MIN(step, whole->n_blocks - done);
		struct scsi_io read = {.kind = SCSI_IO_READ,
				       .lba = whole->lba + done,
				       .n_blocks = n,
				       .data = req->out};
		struct scsi_io zero = {.kind = SCSI_IO_WRITE_ZEROES,
				       .lba = whole->lba + done,
				       .n_blocks = n};

		res = scsi_unit_io(image->unit, &read);
		if (scsi_ok(res) && !is_zero(req->out, (size_t)n * image->block_length))
			res = scsi_unit_io(image->unit, &zero);
	}
	return res;
}

static void
punch(struct loop_image *image, struct fusek_req *req, struct scsi_io *io)
{
	if (!image->has_unmap) {
		(void)fusek_reply_err(req, EOPNOTSUPP);
		return;
	}
	atomic_fetch_add(&image->n_unmaps, 1);
	io->kind = SCSI_IO_UNMAP;
	if (image->unmap_zeroes || req->out_cap < image->block_length)
		submit(image, req, io);
	else
		answer(image, req, SCSI_IO_UNMAP, 0, unmap_and_zero(image, req, io));
}

static void
op_fallocate(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	const struct fuse_fallocate_in *in = req->arg;
	struct scsi_io io = {.kind = SCSI_IO_WRITE_ZEROES};

	if (req->nodeid != NODE_FILE || !blocks_of(image, in->offset, in->length, &io)) {
		(void)fusek_reply_err(req, EINVAL);
		return;
	}
	switch (in->mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE) {
	case FALLOC_FL_PUNCH_HOLE:
		note_table(image, &io);
		punch(image, req, &io);
		return;
	case FALLOC_FL_ZERO_RANGE:
		atomic_fetch_add(&image->n_zeroes, 1);
		note_table(image, &io);
		submit(image, req, &io);
		return;
	}
	(void)fusek_reply_err(req, EOPNOTSUPP);
}

/* ---------------------------------------------------------------- the rest of a file
 * system */

static struct fuse_attr
attr_of(struct loop_image *image, uint64_t nodeid)
{
	uint64_t size = scsi_unit_n_blocks(image->unit) * image->block_length;

	return (struct fuse_attr){
		.ino = nodeid,
		.mode = nodeid == FUSE_ROOT_ID ? S_IFDIR | 0500 : S_IFREG | 0600,
		.nlink = 1,
		.size = nodeid == FUSE_ROOT_ID ? 0 : size,
		.blocks = nodeid == FUSE_ROOT_ID ? 0 : size / 512,
		.uid = getuid(),
		.gid = getgid(),
		.blksize = MAX(image->block_length, 4096u),
	};
}

/* Valid for no time at all: the size may change, and the loop driver asks seldom. */
static void
op_getattr(void *ctx, struct fusek_req *req)
{
	struct fuse_attr_out out = {.attr = attr_of(ctx, req->nodeid)};

	(void)fusek_reply(req, &out, sizeof(out));
}

static void
op_setattr(void *ctx, struct fusek_req *req)
{
	const struct fuse_setattr_in *in = req->arg;

	/* The size is the unit's. Times and modes are nobody's. */
	if (in->valid & FATTR_SIZE)
		(void)fusek_reply_err(req, EPERM);
	else
		op_getattr(ctx, req);
}

static void
op_lookup(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	struct fuse_entry_out out = {.nodeid = NODE_FILE,
				     .attr = attr_of(image, NODE_FILE)};

	if (req->nodeid == FUSE_ROOT_ID && strcmp(req->name, image->name) == 0)
		(void)fusek_reply(req, &out, sizeof(out));
	else
		(void)fusek_reply_err(req, ENOENT);
}

static void
op_open(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	/* Caching is the block layer's: a second copy of what is read would stay in this
	 * inode. */
	struct fuse_open_out out = {
		.fh = HANDLE,
		.open_flags =
			FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH,
	};
	int caller = (int)req->pid;

	if (req->nodeid == NODE_FILE && caller &&
	    atomic_compare_exchange_strong(&image->opener, &caller, 0))
		(void)fusek_reply(req, &out, sizeof(out));
	else
		(void)fusek_reply_err(req, EACCES);
}

static void
op_release(void *ctx, struct fusek_req *req)
{
	struct loop_image *image = ctx;
	const struct fuse_release_in *in = req->arg;
	bool is_file = req->nodeid == NODE_FILE && in->fh == HANDLE;

	(void)fusek_reply_err(req, 0);
	if (is_file)
		image->events.released(image->events.ctx);
}

/* For df, which asks every mount that it sees */
static void
op_statfs(void *ctx, struct fusek_req *req)
{
	struct fuse_statfs_out out = {
		.st = {.bsize = 4096, .frsize = 4096, .namelen = 63}};

	(void)fusek_reply(req, &out, sizeof(out));
}

static void
session_ended(void *ctx)
{
	struct loop_image *image = ctx;

	image->events.ended(image->events.ctx);
}

/* LSEEK has no handler: only the loop driver has the file, and it never seeks. */
static const struct fusek_ops image_ops = {
	.op =
		{
			[FUSE_LOOKUP] = op_lookup,
			[FUSE_GETATTR] = op_getattr,
			[FUSE_SETATTR] = op_setattr,
			[FUSE_OPEN] = op_open,
			[FUSE_RELEASE] = op_release,
			[FUSE_READ] = op_read,
			[FUSE_WRITE] = op_write,
			[FUSE_FSYNC] = op_fsync,
			[FUSE_FALLOCATE] = op_fallocate,
			[FUSE_STATFS] = op_statfs,
		},
	.ended = session_ended,
};

/* ---------------------------------------------------------------- life */

static int
set_text(int context, const char *key, const char *value)
{
	return fsconfig(context, FSCONFIG_SET_STRING, key, value, 0);
}

static int
set_number(int context, const char *key, const char *fmt, unsigned value)
{
	char text[32];

	snprintf(text, sizeof(text), fmt, value);
	return set_text(context, key, text);
}

/* A mount that is in no tree. */
static int
mount_detached(int dev_fd, struct scsi_door_error *error)
{
	CLEANUP(close_fd) int context = fsopen("fuse", FSOPEN_CLOEXEC);
	int fd = -1;

	if (context < 0)
		return scsi_door_fail(
			error, errno,
			"the kernel's fuse file system cannot be used (fsopen): %s%s",
			strerror(errno),
			errno == ENODEV ? "; load it with: modprobe fuse" : "");
	if (set_text(context, "source", "userdrive") == 0 &&
	    set_number(context, "fd", "%u", (unsigned)dev_fd) == 0 &&
	    set_number(context, "rootmode", "%o", S_IFDIR) == 0 &&
	    set_number(context, "user_id", "%u", getuid()) == 0 &&
	    set_number(context, "group_id", "%u", getgid()) == 0 &&
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return scsi_door_fail(
			error, errno,
			"the private FUSE mount under the loop device failed: %s",
			strerror(errno));
	return fd;
}

static struct fusek_config
session_config(const char *name, enum fusek_transport transport)
{
	return (struct fusek_config){
		.name = name,
		.transport = transport,
		.max_background = MAX_BACKGROUND,
		.congestion_threshold = CONGESTION,
		.want = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO |
			FUSE_MAX_PAGES | FUSE_ABORT_ERROR | FUSE_HANDLE_KILLPRIV_V2 |
			FUSE_INIT_EXT | FUSE_PARALLEL_DIROPS | FUSE_NO_EXPORT_SUPPORT,
	};
}

static int
connect_session(struct loop_image *image, enum fusek_transport transport,
		struct scsi_door_error *error)
{
	struct fusek_config config = session_config("loop", transport);
	int dev_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), err;

	if (dev_fd < 0)
		return scsi_door_fail(
			error, errno, "/dev/fuse: %s%s", strerror(errno),
			errno == ENOENT ? "; load the module with: modprobe fuse" : "");
	image->mount_fd = mount_detached(dev_fd, error);
	if (image->mount_fd < 0) {
		close(dev_fd);
		return image->mount_fd;
	}
	err = fusek_session_create(dev_fd, &config, &image_ops, image, &image->session);
	if (err == 0)
		return 0;
	close(dev_fd);
	return scsi_door_fail(error, -err, "the FUSE session under the loop device: %s",
			      strerror(-err));
}

int
loop_image_create(struct scsi_unit *unit, const char *name,
		  enum fusek_transport transport, const struct loop_image_events *events,
		  struct scsi_door_error *error, struct loop_image **ret_image)
{
	const struct scsi_unit_params *params = scsi_unit_params(unit);
	struct loop_image *image = calloc(1, sizeof(*image));

	if (!image)
		return scsi_door_fail(error, ENOMEM, "out of memory");
	image->unit = unit;
	image->events = *events;
	image->mount_fd = -1;
	image->block_length = params->block_length;
	image->has_unmap = params->unmap_supported;
	image->unmap_zeroes = params->unmap_zeroes;
	snprintf(image->name, sizeof(image->name), "%s", name);
	mutex_init(&image->lock);
	for (size_t i = 0; i < N_SPARE_IOS; i++) {
		image->spares[i].is_spare = true;
		image->spares[i].next = image->free_ios;
		image->free_ios = &image->spares[i];
	}
	int err = connect_session(image, transport, error);
	if (err) {
		loop_image_destroy(image);
		return err;
	}
	*ret_image = image;
	return 0;
}

int
loop_image_start(struct loop_image *image, struct scsi_door_error *error)
{
	int err = fusek_session_start(image->session);

	if (err)
		return scsi_door_fail(error, -err, "the FUSE session's threads: %s",
				      strerror(-err));
	image->started = true;
	err = fusek_session_wait_ready(image->session, READY_MS);
	if (err)
		return scsi_door_fail(error, -err,
				      "the kernel did not begin the FUSE session: %s",
				      strerror(-err));
	return 0;
}

int
loop_image_open(struct loop_image *image, bool read_only, bool direct)
{
	int flags = (read_only ? O_RDONLY : O_RDWR) | (direct ? O_DIRECT : 0) | O_CLOEXEC;

	/* What FUSE calls the caller's pid is the thread's number. */
	atomic_store(&image->opener, gettid());
	int fd = openat(image->mount_fd, image->name, flags);
	int err = fd < 0 ? -errno : 0;
	atomic_store(&image->opener, 0);
	return err ? err : fd;
}

int
loop_image_refresh_size(struct loop_image *image)
{
	uint64_t size = scsi_unit_n_blocks(image->unit) * image->block_length;
	struct stat st;

	/* The kernel drops an answer that crossed a write in flight, and keeps the old
	 * size. */
	for (int i = 0; i < SIZE_TRIES; i++) {
		if (fstatat(image->mount_fd, image->name, &st, 0) < 0)
			return -errno;
		if ((uint64_t)st.st_size == size)
			return 0;
		usleep(1000);
	}
	return -EAGAIN;
}

void
loop_image_unmount(struct loop_image *image)
{
	if (!image)
		return;
	mutex_lock(&image->lock);
	int fd = image->mount_fd;
	image->mount_fd = -1;
	mutex_unlock(&image->lock);
	if (fd >= 0)
		close(fd);
}

void
loop_image_stop(struct loop_image *image, uint32_t drain_ms)
{
	if (!image || !image->started)
		return;
	fusek_session_stop(image->session, drain_ms);
	loop_image_unmount(image);
	fusek_session_join(image->session);
}

void
loop_image_destroy(struct loop_image *image)
{
	if (!image)
		return;
	loop_image_stop(image, 0);
	loop_image_unmount(image);
	fusek_session_destroy(image->session);
	mutex_fini(&image->lock);
	free(image);
}

void
loop_image_counters(struct loop_image *image, struct loop_image_counters *ret)
{
	*ret = (struct loop_image_counters){
		.n_reads = atomic_load(&image->n_reads),
		.n_writes = atomic_load(&image->n_writes),
		.n_flushes = atomic_load(&image->n_flushes),
		.n_unmaps = atomic_load(&image->n_unmaps),
		.n_zeroes = atomic_load(&image->n_zeroes),
		.n_errors = atomic_load(&image->n_errors),
		.n_bytes_read = atomic_load(&image->n_bytes_read),
		.n_bytes_written = atomic_load(&image->n_bytes_written),
		.n_parked = atomic_load(&image->n_parked),
	};
}

void
loop_image_info(struct loop_image *image, struct fusek_info *ret_info)
{
	if (image->started)
		fusek_session_info(image->session, ret_info);
	else
		memset(ret_info, 0, sizeof(*ret_info));
}
