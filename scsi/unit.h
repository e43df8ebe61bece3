/*
 * A storage unit: blocks, and the program that stores them. This is the seam below the CDB layer.
 * SCSI commands come to it from scsi/target.h; doors that speak blocks (loop, local) come straight
 * here. Range, write protection, reservations, force-unit-access and unmap rules are checked here
 * and nowhere else.
 *
 *	door or command -> scsi_unit_submit -> checks -> slot -> backend->submit (in pieces of at most
 *	max_transfer) -> io->complete
 *
 * Slots. A program says how many callbacks it takes at once (n_slots: WinSpd's ThreadCount). A
 * job runs at once on the thread that brings it when a slot is free and the unit has been answering
 * quickly, else on one of the unit's workers, of which there are n_slots. So a quick unit costs no
 * hand-over, a slow one never stops a door's event loop for long, and a program written for one
 * thread sees one thread at a time.
 *
 * Threads: every function may be called from any thread unless it says otherwise. io->complete may
 * run on the caller's thread before scsi_unit_submit returns.
 * Ownership: create/destroy by the API; ref/unref by doors and targets.
 */
#ifndef USERDRIVE_SCSI_UNIT_H
#define USERDRIVE_SCSI_UNIT_H

#include "base/buf.h"
#include "base/list.h"
#include "scsi/result.h"

struct scsi_unit;
struct scsi_lu;    /* device server state that CDBs see: scsi/lu.h */
struct scsi_nexus; /* who asks: scsi/target.h */

enum scsi_io_kind {
	SCSI_IO_READ = 1, /* 1..4: WinSpd's request kinds */
	SCSI_IO_WRITE = 2,
	SCSI_IO_FLUSH = 3,
	SCSI_IO_UNMAP = 4,
	/* Optional; emulated by the unit with the four above where the backend lacks them */
	SCSI_IO_WRITE_ZEROES = 5,      /* the range reads as zeroes; may_unmap: may give storage back */
	SCSI_IO_WRITE_SAME = 6,        /* data: one block, repeated over the range */
	SCSI_IO_COMPARE_AND_WRITE = 7, /* data: n_blocks to compare, then n_blocks to write */
	SCSI_IO_QUERY_RANGES = 8,      /* data: struct scsi_mapping[n_ranges] */
	SCSI_IO_KIND_LIMIT = 9
};
#define SCSI_IO_BIT(kind) (1u << (kind))

/* Layout of SPD_UNMAP_DESCRIPTOR */
struct scsi_range {
	uint64_t lba;
	uint32_t n_blocks;
	uint32_t reserved;
};

/* SBC-3 5.13 GET LBA STATUS: what a run of blocks is */
enum scsi_provisioning { SCSI_MAPPED = 0, SCSI_DEALLOCATED = 1, SCSI_ANCHORED = 2 };
struct scsi_mapping {
	uint64_t lba;
	uint32_t n_blocks;
	uint8_t provisioning;
};

struct scsi_unit_params {
	uint8_t guid[16]; /* identity, not all zero; in the byte order of its text */
	uint64_t n_blocks;
	uint32_t block_length;      /* bytes, 16 or more; CDBs and kernels want 512..4096 */
	uint8_t physical_exponent;  /* log2 of logical blocks per physical one; 3: 512e. 0..7 */
	uint32_t max_transfer;      /* bytes a callback takes at once, a multiple of block_length */
	char vendor[9], product[17], revision[5]; /* printable ASCII, NUL-terminated, unpadded */
	bool write_protected;  /* DATA PROTECT for every change */
	bool cache_supported;  /* has a volatile cache: Flush matters, FUA is passed on */
	bool unmap_supported;  /* thin provisioning */
	bool unmap_zeroes;     /* unmapped blocks read as zeroes (LBPRZ) */
	bool eject_disabled;
	bool removable;        /* RMB; START STOP UNIT may eject, PREVENT ALLOW may forbid it */
	uint16_t rotation;     /* MEDIUM ROTATION RATE: 1 solid state, 0 not reported, else rpm */
	char state_path[4096]; /* file that keeps persistent reservations (APTPL); "": none */
};

/* One request to the backend. All fields but private are the unit's to write. */
struct scsi_backend_req {
	enum scsi_io_kind kind;
	bool fua;       /* READ, WRITE, …: on stable storage before completion */
	bool may_unmap; /* WRITE_ZEROES */
	uint64_t lba;
	uint32_t n_blocks;   /* FLUSH 0 at lba 0: everything */
	void *data;          /* valid until completion; READ: to be filled */
	size_t size;         /* bytes of data */
	const struct scsi_range *ranges; /* UNMAP */
	uint32_t n_ranges;   /* UNMAP; QUERY_RANGES: room in data, and on completion the number written */
	uint64_t id;         /* never 0, unique among those outstanding: WinSpd's Hint */
	void *private[2];    /* the backend's, zero at first */
};

/* How the unit asks the program (api/winspd). Calls come at most n_slots at a time. */
struct scsi_backend_ops {
	uint32_t kinds; /* SCSI_IO_BIT of what is there; others answer INVALID COMMAND OPERATION CODE */
	/*
	 * True: done, *ret_res says how. False: scsi_unit_complete comes later, from any thread,
	 * exactly once. May block.
	 */
	bool (*submit)(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res);
	/* Makes room for n_blocks; 0 or -errno. NULL: the size is fixed. */
	int (*resize)(void *backend, uint64_t n_blocks);
};

/* The answer to a submit that returned false. */
void scsi_unit_complete(struct scsi_backend_req *req, struct scsi_result res);

/*
 * A request from above. The caller fills the first part and keeps io alive until complete, which
 * is called exactly once. Any size; split here.
 */
struct scsi_io {
	enum scsi_io_kind kind;
	bool fua;
	bool may_unmap;
	bool checked; /* the CDB layer has checked reservation and protection before the data came */
	uint64_t lba;
	uint32_t n_blocks; /* FLUSH: 0 is "to the end of the medium" */
	void *data;        /* READ, WRITE: n_blocks * block_length bytes */
	const struct scsi_range *ranges; /* UNMAP; borrowed until complete */
	uint32_t n_ranges;
	struct scsi_nexus *nexus; /* NULL: a block door, which no reservation knows */
	void (*complete)(struct scsi_io *io, struct scsi_result res);
	void *ctx; /* the caller's */
	/* QUERY_RANGES: mappings written to data */
	uint32_t n_mappings;

	/* Private to unit.c */
	struct scsi_job {
		struct list link;
		void (*run)(struct scsi_job *job); /* in a slot */
	} job;
	struct scsi_unit *unit;
	struct scsi_backend_req req;
	struct scsi_result result;
	uint32_t done;  /* blocks, or ranges */
	bool is_direct; /* somebody waits for this very piece */
	bool has_begun; /* counted among those under way */
};

/*
 * Checks params: -EINVAL with a line in error (cap bytes) when one is out of its range. The unit
 * serves nothing until scsi_unit_start. n_slots 0: the number of CPUs.
 */
NODISCARD int scsi_unit_create(const struct scsi_unit_params *params,
			       const struct scsi_backend_ops *ops, void *backend,
			       char *error, size_t cap, struct scsi_unit **ret_unit);
NODISCARD int scsi_unit_start(struct scsi_unit *unit, unsigned n_slots);
/*
 * New requests fail NOT READY (MEDIUM NOT PRESENT); returns when those under way are complete, the
 * final flush (where there is a cache) has been made and the workers are joined. Idempotent. Not
 * from a backend callback. Returns the outcome of the final flush.
 */
struct scsi_result scsi_unit_stop(struct scsi_unit *unit);
struct scsi_unit *scsi_unit_ref(struct scsi_unit *unit);
/* The last one frees; NULL is fine. */
void scsi_unit_unref(struct scsi_unit *unit);

/* Fixed but for n_blocks, which scsi_unit_n_blocks gives. Borrowed. */
const struct scsi_unit_params *scsi_unit_params(const struct scsi_unit *unit);
uint64_t scsi_unit_n_blocks(const struct scsi_unit *unit);
uint32_t scsi_unit_kinds(const struct scsi_unit *unit);
/* 36 characters, lower case, 8-4-4-4-12: the unit serial number. */
const char *scsi_unit_serial(const struct scsi_unit *unit);
struct scsi_lu *scsi_unit_lu(struct scsi_unit *unit);
/* For buffers of doors; page-aligned, zeroed not. */
void *scsi_unit_alloc(size_t size);
void scsi_unit_free(void *p);

/* Any kind. QUERY_RANGES of a backend that lacks it: one mapping, MAPPED. */
void scsi_unit_submit(struct scsi_unit *unit, struct scsi_io *io);
/* The same, waiting; complete and ctx are written here. Only inside a job of scsi_unit_run (a slot
 * is held) or on a thread of the caller's own that may block. */
struct scsi_result scsi_unit_io(struct scsi_unit *unit, struct scsi_io *io);
/*
 * Runs a job in a slot: for commands of several requests, which call scsi_unit_io within.
 * may_block: on a worker, never on this thread.
 */
void scsi_unit_run(struct scsi_unit *unit, struct scsi_job *job, bool may_block);
/*
 * Inside a job: waits until no other request is under way and keeps others waiting (they queue; no
 * thread stops), so that read-compare-write is atomic.
 */
void scsi_unit_exclusive_begin(struct scsi_unit *unit);
void scsi_unit_exclusive_end(struct scsi_unit *unit);

/* Does it lie on the unit? LBA OUT OF RANGE, also when lba is the end and n_blocks is 0: SBC-3 4.2.2
 * lets the end alone stand for an empty UNMAP range only, which does not come here. */
struct scsi_result scsi_unit_check_range(const struct scsi_unit *unit, uint64_t lba, uint64_t n_blocks);
/* May who ask do that now? Write protection, then reservation. */
struct scsi_result scsi_unit_check_access(struct scsi_unit *unit, struct scsi_nexus *nexus,
					  enum scsi_io_kind kind);

/* Asks the program for the new size, then tells the listeners. 0; -EOPNOTSUPP; -EINVAL; its -errno. */
NODISCARD int scsi_unit_resize(struct scsi_unit *unit, uint64_t n_blocks);

enum scsi_unit_event {
	SCSI_UNIT_CAPACITY_CHANGED,
	SCSI_UNIT_STOPPING,
	SCSI_UNIT_EJECTED, /* START STOP UNIT with LOEJ: the host is done with it */
};
struct scsi_unit_listener {
	struct list link;
	void (*event)(struct scsi_unit_listener *listener, enum scsi_unit_event event);
};
/* event runs with no lock held. remove waits for one under way; not from within event. */
void scsi_unit_listen(struct scsi_unit *unit, struct scsi_unit_listener *listener);
void scsi_unit_unlisten(struct scsi_unit *unit, struct scsi_unit_listener *listener);
void scsi_unit_notify(struct scsi_unit *unit, enum scsi_unit_event event);

struct scsi_unit_counters {
	uint64_t n_ios[SCSI_IO_KIND_LIMIT], n_bytes_read, n_bytes_written, n_errors;
	uint64_t n_inline, n_queued; /* jobs run on the caller's thread; handed to a worker */
};
void scsi_unit_counters(const struct scsi_unit *unit, struct scsi_unit_counters *ret_counters);

#endif
