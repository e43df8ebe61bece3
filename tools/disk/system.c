/*
 * Ways in by way of this system: SCSI generic nodes and SCSI disks with CDBs (SG_IO);
 * other block devices and plain files with block requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tools/disk/client_priv.h"

struct system_disk {
	struct disk disk;
	struct disk_pool *pool;
	int fd;
	bool is_block;
};

static struct system_disk *
system_of(struct disk *disk)
{
	return container_of(disk, struct system_disk, disk);
}

static void
system_submit(struct disk *disk, struct disk_cdb *work)
{
	disk_pool_submit(system_of(disk)->pool, work);
}

static void
system_pump(struct disk *disk, int timeout_ms)
{
	disk_pool_pump(system_of(disk)->pool, timeout_ms);
}

static void
system_close(struct disk *disk)
{
	struct system_disk *s = system_of(disk);

	disk_pool_destroy(s->pool);
	close_fd(&s->fd);
	disk_fini(disk);
	free(s);
}

static void
sg_run(struct disk *disk, struct disk_cdb *w)
{
	static const int directions[] = {[DISK_NONE] = SG_DXFER_NONE,
					 [DISK_IN] = SG_DXFER_FROM_DEV,
					 [DISK_OUT] = SG_DXFER_TO_DEV};
	struct sg_io_hdr h = {
		.interface_id = 'S',
		.dxfer_direction = w->n_data ? directions[w->direction] : SG_DXFER_NONE,
		.cmd_len = w->n_cdb,
		.cmdp = w->cdb,
		.dxfer_len = w->n_data,
		.dxferp = w->data,
		.mx_sb_len = sizeof(w->out.sense),
		.sbp = w->out.sense,
		.timeout = w->timeout_ms ? w->timeout_ms : disk->options.request_ms,
	};

	if (ioctl(system_of(disk)->fd, SG_IO, &h) < 0) {
		w->out.err = errno;
		return;
	}
	w->out.status = h.status;
	w->out.n_sense = h.sb_len_wr;
	w->n_done = h.resid > 0 && (unsigned)h.resid <= w->n_data
			    ? w->n_data - (unsigned)h.resid
			    : w->n_data;
	/* <scsi/sg.h>: host byte 3 is DID_TIME_OUT; driver byte 8 says that there is
	 * sense. */
	if (h.host_status)
		w->out.err = h.host_status == 3 ? ETIMEDOUT : EIO;
	else if (h.driver_status & 0x08 && !h.status)
		w->out.status = 0x02;
}

/* Later than the C library's <scsi/sg.h> */
enum { RESET_TARGET = 4, RESET_NO_ESCALATE = 0x100 };

static int
sg_bus_reset(struct disk *disk, enum disk_reset what, struct disk_error *error)
{
	int how = what == DISK_RESET_LUN ? SG_SCSI_RESET_DEVICE : RESET_TARGET;

	how |= RESET_NO_ESCALATE;
	if (ioctl(system_of(disk)->fd, SG_SCSI_RESET, &how) < 0)
		return disk_error_set(error, errno, "%s: reset: %s", disk->target,
				      strerror(errno));
	return 0;
}

static const struct disk_ops sg_ops = {
	.way = "sg",
	.cdbs = true,
	.submit = system_submit,
	.pump = system_pump,
	.reset = sg_bus_reset,
	.close = system_close,
};

/* The whole of it, or an errno; the end of the file in the middle is EIO. */
static int
transfer(struct system_disk *s, const struct disk_req *req)
{
	size_t size = (size_t)req->n_blocks * s->disk.geometry.block_length, done = 0;
	off_t at = (off_t)(req->lba * s->disk.geometry.block_length);
	int flags = req->fua ? RWF_DSYNC : 0;
	ssize_t n;

	while (done < size) {
		struct iovec iov = {(char *)req->data + done, size - done};

		n = req->kind == DISK_READ
			    ? preadv(s->fd, &iov, 1, at + (off_t)done)
			    : pwritev2(s->fd, &iov, 1, at + (off_t)done, flags);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		done += (size_t)n;
	}
	return 0;
}

static int
discard(struct system_disk *s, const struct disk_req *req)
{
	uint32_t length = s->disk.geometry.block_length;

	for (uint32_t i = 0; i < req->n_ranges; i++) {
		uint64_t range[2] = {req->ranges[i].lba * length,
				     (uint64_t)req->ranges[i].n_blocks * length};
		int rc = 0;

		if (!range[1])
			continue;
		rc = s->is_block ? ioctl(s->fd, BLKDISCARD, range)
				 : fallocate(s->fd,
					     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					     (off_t)range[0], (off_t)range[1]);
		if (rc < 0)
			return errno;
	}
	return 0;
}

/* A range beyond the end would make a plain file longer. */
static bool
in_range(const struct disk_geometry *g, uint64_t lba, uint32_t n_blocks)
{
	return lba <= g->n_blocks && n_blocks <= g->n_blocks - lba;
}

static bool
req_in_range(const struct disk_geometry *g, const struct disk_req *req)
{
	if (req->kind == DISK_UNMAP) {
		for (uint32_t i = 0; i < req->n_ranges; i++)
			if (!in_range(g, req->ranges[i].lba, req->ranges[i].n_blocks))
				return false;
		return true;
	}
	return in_range(g, req->lba, req->n_blocks);
}

static void
block_run(struct disk *disk, struct disk_cdb *work)
{
	struct system_disk *s = system_of(disk);
	struct disk_req *req = work->req;

	if (!req_in_range(&disk->geometry, req))
		work->out.err = ERANGE;
	else if (req->kind == DISK_UNMAP)
		work->out.err = discard(s, req);
	else if (req->kind == DISK_FLUSH)
		work->out.err = fdatasync(s->fd) < 0 ? errno : 0;
	else
		work->out.err = transfer(s, req);
}

static const struct disk_ops block_ops = {
	.way = "block",
	.submit = system_submit,
	.pump = system_pump,
	.close = system_close,
};
static const struct disk_ops file_ops = {
	.way = "file",
	.submit = system_submit,
	.pump = system_pump,
	.close = system_close,
};

/* Of a partition the queue is its disk's. */
static bool
block_can_discard(dev_t dev)
{
	static const char *const places[] = {"queue", "../queue"};
	char path[96], text[32] = "";

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		CLEANUP(close_fd) int fd = -1;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/discard_max_bytes",
			 major(dev), minor(dev), places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
			return strtoull(text, NULL, 10) > 0;
	}
	return false;
}

/* Beyond the end there is nothing to lose. */
static bool
file_can_punch(int fd, off_t size)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size, 4096) == 0;
}

static int
block_geometry(struct system_disk *s, struct disk_error *error)
{
	struct disk_geometry *g = &s->disk.geometry;
	int length = 0, read_only = 0;
	uint64_t size = 0;

	if (ioctl(s->fd, BLKSSZGET, &length) < 0 ||
	    ioctl(s->fd, BLKGETSIZE64, &size) < 0 ||
	    ioctl(s->fd, BLKROGET, &read_only) < 0 || length < 512)
		return disk_error_set(error, errno ? errno : EIO,
				      "%s: its size cannot be had: %s", s->disk.target,
				      strerror(errno));
	g->block_length = (uint32_t)length;
	g->n_blocks = size / g->block_length;
	g->write_protected = read_only;
	return 0;
}

static int
file_geometry(struct system_disk *s, uint64_t size, struct disk_error *error)
{
	struct disk_geometry *g = &s->disk.geometry;

	g->block_length =
		s->disk.options.block_length ? s->disk.options.block_length : 512;
	g->n_blocks = size / g->block_length;
	g->unmap_zeroes = true;
	if (g->n_blocks)
		return 0;
	return disk_error_set(error, EINVAL,
			      "%s: a file of %llu bytes has no block of %u bytes; make "
			      "it longer: truncate -s 64M %s",
			      s->disk.target, (unsigned long long)size, g->block_length,
			      s->disk.target);
}

static int
find_way(struct system_disk *s, const struct stat *st, const struct disk_ops **ret_ops)
{
	int version = 0;

	s->is_block = S_ISBLK(st->st_mode);
	if (S_ISREG(st->st_mode)) {
		*ret_ops = &file_ops;
	} else if (S_ISCHR(st->st_mode) || (s->is_block && s->disk.options.cdbs)) {
		bool is_sg = ioctl(s->fd, SG_GET_VERSION_NUM, &version) == 0 &&
			     version >= 30000;

		if (!is_sg && !s->is_block)
			return -ENOTBLK;
		*ret_ops = is_sg ? &sg_ops : &block_ops;
	} else if (s->is_block) {
		*ret_ops = &block_ops;
	} else {
		return S_ISDIR(st->st_mode) ? -EISDIR : -ENOTBLK;
	}
	return 0;
}

static int
system_prepare(struct system_disk *s, struct disk_error *error)
{
	struct disk *disk = &s->disk;
	struct disk_geometry *g = &disk->geometry;
	struct stat st;
	int err, flags;

	if (fstat(s->fd, &st) < 0)
		return disk_error_set(error, errno, "%s: %s", disk->target,
				      strerror(errno));
	err = find_way(s, &st, &disk->ops);
	if (err)
		return disk_error_set(error, -err,
				      "%s: neither a disk nor a file that can be one: %s",
				      disk->target, strerror(-err));
	if (disk->ops == &sg_ops) {
		err = disk_pool_create(disk, disk->options.depth, sg_run, &s->pool);
		return err ? disk_error_set(error, -err, "%s: threads: %s", disk->target,
					    strerror(-err))
			   : disk_read_geometry(disk, error);
	}
	err = s->is_block ? block_geometry(s, error)
			  : file_geometry(s, (uint64_t)st.st_size, error);
	if (err)
		return err;
	/* The page cache would answer reads itself. */
	flags = fcntl(s->fd, F_GETFL);
	if (s->is_block || disk->options.direct)
		(void)!fcntl(s->fd, F_SETFL, flags | O_DIRECT);
	g->max_transfer = MAX((1u << 20) / g->block_length, 1u) * g->block_length;
	g->max_unmap_blocks = UINT32_MAX;
	g->max_unmap_ranges = 64;
	g->cache_supported = g->fua = true;
	g->unmap_supported = s->is_block ? block_can_discard(st.st_rdev)
					 : file_can_punch(s->fd, st.st_size);
	err = disk_pool_create(disk, disk->options.depth, block_run, &s->pool);
	return err ? disk_error_set(error, -err, "%s: threads: %s", disk->target,
				    strerror(-err))
		   : 0;
}

int
disk_open_system(const char *target, const struct disk_options *options,
		 struct disk_error *error, struct disk **ret_disk)
{
	struct system_disk *s = calloc(1, sizeof(*s));
	int err;

	if (!s || !disk_init(&s->disk, &file_ops, target, options)) {
		free(s);
		return disk_error_set(error, ENOMEM, "%s: out of memory", target);
	}
	s->fd = open(target,
		     (options->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0 && !options->read_only && (errno == EROFS || errno == EACCES))
		s->fd = open(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0)
		err = disk_error_set(error, errno, "%s: %s", target, strerror(errno));
	else
		err = system_prepare(s, error);
	if (err) {
		system_close(&s->disk);
		return err;
	}
	*ret_disk = &s->disk;
	return 0;
}
