/* The parts of stgtest. One thread. */
#ifndef USERDRIVE_TOOLS_STGTEST_H
#define USERDRIVE_TOOLS_STGTEST_H

#include "base/buf.h"
#include "tools/disk/client.h"
#include "tools/stgtest/block.h"

enum stgtest_exit {
	STGTEST_OK = 0,
	STGTEST_USAGE = 1,
	STGTEST_NO_DISK = 2,  /* it cannot be opened, or its answers make no sense */
	STGTEST_BAD_DATA = 3, /* something that was written is not what is read */
	STGTEST_FAILED = 4    /* a request failed, or the connection ended */
};

/* What is wrong with a block, or with an answer. */
enum stgtest_fault {
	FAULT_LOST,	 /* an acknowledged write is not there; what was before it is */
	FAULT_TORN,	 /* part of an acknowledged write is there */
	FAULT_STALE,	 /* old content at first, the right one when read again */
	FAULT_MISPLACED, /* holds what was written to another address */
	FAULT_FOREIGN,	 /* holds a block of another device */
	FAULT_CORRUPT,	 /* neither old nor new */
	FAULT_ZEROED,	 /* zeroes where data was written */
	FAULT_UNMAP,	 /* an unmapped block does not read as zeroes though the unit says
			    that it does */
	FAULT_FUTURE,	 /* a generation that was never written here */
	FAULT_STATUS,	 /* a request failed */
	FAULT_CONNECTION, /* the way in ended, or answered in no time */
	FAULT_COUNT
};
extern const char *const stgtest_fault_names[FAULT_COUNT];

struct stgtest_params {
	const char *target, *program;
	struct disk_options disk;
	bool verify; /* --mode verify; else WinSpd's */
	/* WinSpd's */
	uint32_t n_ops; /* 0: 1 */
	const char *op_set;
	uint64_t address; /* UINT64_MAX: random */
	uint32_t count;	  /* UINT32_MAX: random */
	/* both */
	uint64_t seed;
	/* verify */
	uint64_t ops;	     /* 0: by duration, else 10000 */
	unsigned duration_s; /* 0: none */
	bool sequential;
	uint64_t first, n_blocks; /* the range; n_blocks 0: to the end, at most
				     RANGE_DEFAULT_MAX */
	uint32_t max_blocks;	  /* of one request; 0: 64 or what the disk takes */
	unsigned reads, writes, flushes, unmaps; /* weights */
	unsigned fua_percent;
	bool no_fill, no_sweep;
	const char *state;	 /* journal to write, or NULL */
	const char *verify_only; /* journal to check against, or NULL */
	bool json, progress, quiet;
	unsigned n_errors_max; /* give up after so many */
};

/* What was done and found; its text or JSON is printed at the end. */
struct stgtest_report {
	uint64_t n_ops[5]; /* by enum disk_kind */
	uint64_t bytes_read, bytes_written, n_checked, n_allowed_torn;
	uint64_t start_ns;
	uint64_t n_faults[FAULT_COUNT], n_faults_all;
	struct buf faults; /* JSON array items */
	bool broken;	   /* a request failed or the connection ended: not only data */
};

int stgtest_classic(const struct stgtest_params *params, struct disk *disk);
int stgtest_verify(const struct stgtest_params *params, struct disk *disk);
int stgtest_verify_state(const struct stgtest_params *params);

/* The line that runs the same again. */
void stgtest_command_line(const struct stgtest_params *params, struct buf *dst);
/* Counts a fault, prints it (a line on standard error) and keeps it for the JSON. */
void stgtest_fault(const struct stgtest_params *params, struct stgtest_report *report,
		   enum stgtest_fault fault, uint64_t lba, uint32_t n_blocks,
		   const char *fmt, ...) PRINTF_LIKE(6, 7);
/* The summary; returns the exit code. */
int stgtest_report_end(const struct stgtest_params *params, struct stgtest_report *report,
		       const struct disk *disk);
void stgtest_progress(const struct stgtest_params *params,
		      const struct stgtest_report *report, const char *what,
		      uint64_t done, uint64_t of, bool last);

#endif
