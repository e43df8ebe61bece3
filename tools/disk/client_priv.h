/*
 * Between the parts of tools/disk. A way in embeds struct disk as its first member. It
 * takes work (a CDB, or when it has no CDBs a request) by submit, and gives it back by
 * disk_work_done: from pump, on the caller's thread.
 */
#ifndef USERDRIVE_TOOLS_DISK_CLIENT_PRIV_H
#define USERDRIVE_TOOLS_DISK_CLIENT_PRIV_H

#include "tools/disk/client.h"

struct disk_ops {
	const char *way;
	bool cdbs; /* work has its CDB filled; else work->req is to be looked at */
	void (*submit)(struct disk *disk, struct disk_cdb *work);
	/* Waits up to timeout_ms (-1: for ever) for something to come back. */
	void (*pump)(struct disk *disk, int timeout_ms);
	int (*reset)(struct disk *disk, enum disk_reset what,
		     struct disk_error *error); /* or NULL */
	void (*close)(struct disk *disk);
	bool deadlines; /* the front part watches over time; else the system does */
};

struct disk {
	const struct disk_ops *ops;
	char *target;
	struct disk_options options;
	struct disk_geometry geometry;
	uint32_t transfer_limit; /* bytes the way carries at once; 0: it has no limit of
				    its own */
	struct disk_error failure;
	struct list active; /* struct disk_cdb.link: with the way */
	struct list done;   /* of requests */
	unsigned n_active, n_done;
	uint64_t last_id;
	int lun;
};

typedef int disk_open_fn(const char *target, const struct disk_options *options,
			 struct disk_error *error, struct disk **ret_disk);
disk_open_fn disk_open_iscsi, disk_open_pipe, disk_open_system;

/* First thing a way's open does; false: no memory. */
bool disk_init(struct disk *disk, const struct disk_ops *ops, const char *target,
	       const struct disk_options *options);
/* Frees what init made; the way's close ends with it. */
void disk_fini(struct disk *disk);
void disk_work_done(struct disk *disk, struct disk_cdb *work);
/* The connection is of no more use: remembers the first reason and fails all that is
 * active. */
void disk_fail(struct disk *disk, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Fills error and returns -err. */
int disk_error_set(struct disk_error *error, int err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* scsi_io.c: block requests as CDBs, and geometry out of them. */
int disk_cdb_from_req(const struct disk *disk, struct disk_req *req);
int disk_read_geometry(struct disk *disk, struct disk_error *error);

/* pool.c: threads for ways whose calls block. run is called on one of them. */
struct disk_pool;
NODISCARD int disk_pool_create(struct disk *disk, unsigned n_threads,
			       void (*run)(struct disk *disk, struct disk_cdb *work),
			       struct disk_pool **ret_pool);
/* Waits for the calls under way; NULL is fine. */
void disk_pool_destroy(struct disk_pool *pool);
void disk_pool_submit(struct disk_pool *pool, struct disk_cdb *work);
void disk_pool_pump(struct disk_pool *pool, int timeout_ms);

/* time left until deadline_ns, 0..timeout_ms; -1: no limit on either side */
int disk_ms_left(uint64_t deadline_ns, int timeout_ms);

#endif
