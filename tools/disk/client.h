/*
 * Disks as a client meets them, by one interface over several ways in:
 *
 *	/dev/sg3, /dev/sda               CDBs through SG_IO
 *	/dev/loop0, image.raw            block requests through the system
 *	iscsi://[USER@]HOST[:PORT]/IQN/LUN[?secret-file=PATH&…]   an iSCSI session
 *(libiscsi)
 *	\\.\pipe\NAME\T                  block requests: WinSpd's messages on the local
 *door's socket
 *	\\.\pipe\NAME\T.cdb              CDBs on the socket beside it
 *
 * Requests are queued and come back by disk_next in any order. A peer is not trusted:
 *what it sends is checked, and what it does not send in time ends the connection with a
 *line of text.
 *
 * Threads: one at a time for each disk. Nothing here prints.
 */
#ifndef USERDRIVE_TOOLS_DISK_CLIENT_H
#define USERDRIVE_TOOLS_DISK_CLIENT_H

#include "base/compiler.h"
#include "base/list.h"

struct disk;

struct disk_error {
	int err;	/* positive errno */
	char text[512]; /* one line: what failed, on what, what to do */
};

struct disk_options {
	unsigned connect_ms;   /* until open has its geometry; 0: 10 seconds */
	unsigned request_ms;   /* until a request is answered; 0: 30 seconds */
	unsigned depth;	       /* requests at once; 0: 1; at most DISK_DEPTH_MAX */
	uint32_t block_length; /* of plain files; 0: 512 */
	bool cdbs; /* the caller wants to send CDBs: sg rather than block, .cdb rather
		      than messages */
	bool read_only;
	bool direct; /* plain files: past the page cache, as block devices always are */
	bool no_geometry; /* of ways with CDBs: not asked for; unit attentions are still
			     cleared */
	bool bare;	  /* no command at all is sent before the caller's first */
	const char *initiator; /* iSCSI name; NULL: iqn.2026-01.org.userdrive:PROGRAM */
	bool fixed_isid; /* the same I_T nexus each time, which persistent reservations
			    need */
	int lun;	 /* -1: what the name says, else 0 */
};

enum {
	DISK_DEPTH_MAX = 256,
	DISK_SENSE_MAX = 96,
	DISK_CDB_MAX = 16,
	DISK_TRANSFER_MAX =
		64 << 20 /* bytes of one request; a peer that says more is cut to it */
};

/* Zero: not known. */
struct disk_geometry {
	uint64_t n_blocks;
	uint32_t block_length; /* bytes, 16..1 MiB */
	uint32_t max_transfer; /* bytes of one request, a multiple of block_length */
	uint32_t max_unmap_blocks, max_unmap_ranges; /* of one request */
	bool write_protected, cache_supported, unmap_supported;
	bool unmap_zeroes; /* unmapped blocks read as zeroes */
	bool fua;	   /* the force-unit-access bit may be set */
	uint8_t guid[16];  /* messages only */
};

/* How a request ended. */
struct disk_outcome {
	int err;	/* positive errno: the way failed, disk_failure tells more; 0 */
	uint8_t status; /* SCSI status byte */
	uint8_t n_sense;
	uint8_t sense[DISK_SENSE_MAX];
};

enum disk_direction { DISK_NONE, DISK_IN, DISK_OUT };

struct disk_req;
struct disk_cdb {
	uint8_t cdb[DISK_CDB_MAX];
	uint8_t n_cdb;
	enum disk_direction direction;
	void *data; /* the caller's, n_data bytes */
	uint32_t n_data;
	unsigned timeout_ms; /* 0: the disk's */
	struct disk_outcome out;
	uint32_t n_done; /* bytes moved: n_data less the residual */

	/* Private to tools/disk */
	struct list link;
	uint64_t id, deadline_ns;
	struct disk_req *req; /* that this carries; NULL: a CDB of its own */
	bool finished;
	void *way;
};

enum disk_kind { DISK_READ = 1, DISK_WRITE = 2, DISK_FLUSH = 3, DISK_UNMAP = 4 };

struct disk_range { /* SPD_IOCTL_UNMAP_DESCRIPTOR */
	uint64_t lba;
	uint32_t n_blocks;
	uint32_t reserved;
};

struct disk_req {
	enum disk_kind kind;
	bool fua;
	uint64_t lba;
	uint32_t n_blocks; /* FLUSH: 0 at lba 0 is everything */
	void *data; /* READ, WRITE: n_blocks * block_length bytes, page-aligned, until it
		       is back */
	const struct disk_range *ranges; /* UNMAP */
	uint32_t n_ranges;
	void *ctx; /* the caller's */
	struct disk_outcome out;

	/* Private to tools/disk */
	struct disk_cdb work;
	uint8_t *parameters;
};

/* 0, or -errno with error filled. options NULL: the defaults. */
NODISCARD int disk_open(const char *target, const struct disk_options *options,
			struct disk_error *error, struct disk **ret_disk);
/* Gives up what is outstanding; NULL is fine. */
void disk_close(struct disk *disk);

const struct disk_geometry *disk_geometry(const struct disk *disk);
const char *
disk_way(const struct disk *disk); /* "sg", "block", "file", "iscsi", "pipe", "cdb" */
const char *disk_target(const struct disk *disk); /* as opened; holds no secret */
bool disk_takes_cdbs(const struct disk *disk);

/* Waits for the answer; 0, or -errno when there is none: see disk_failure. A status other
 * than GOOD is an answer. */
NODISCARD int disk_execute(struct disk *disk, struct disk_cdb *cdb);

/* Any way. req is the disk's until disk_next returns it, which happens exactly once. */
void disk_submit(struct disk *disk, struct disk_req *req);
/* A request that is back, or NULL after timeout_ms (-1: no limit), and when none is
 * outstanding. */
struct disk_req *disk_next(struct disk *disk, int timeout_ms);
unsigned disk_outstanding(const struct disk *disk);
/* disk_submit and waiting for it; with nothing else outstanding. */
struct disk_outcome disk_io(struct disk *disk, struct disk_req *req);

enum disk_reset { DISK_RESET_LUN, DISK_RESET_TARGET };
/* Task management; 0 or -errno with error filled (-EOPNOTSUPP: this way has none). */
NODISCARD int disk_reset(struct disk *disk, enum disk_reset what,
			 struct disk_error *error);

/* Why the connection ended; err is 0 while it has not. */
const struct disk_error *disk_failure(const struct disk *disk);
static inline bool
disk_good(const struct disk_outcome *out)
{
	return !out->err && (out->status == 0x00 || out->status == 0x04);
}
/* "CHECK CONDITION: MEDIUM ERROR, UNRECOVERED READ ERROR (11h/00h), information 40h"… */
void disk_outcome_format(const struct disk *disk, const struct disk_outcome *out,
			 char *dst, size_t cap);

/* Page-aligned and zeroed; free() frees. NULL: no memory. */
void *disk_alloc(size_t size);

#endif
