/*
 * rawdisk's unit on files of crashlog, with its local door open, and the ways by which
 * requests come to it. A fault makes of it a disk that does not keep its word.
 */
#ifndef USERDRIVE_TESTS_DURABILITY_DISK_H
#define USERDRIVE_TESTS_DURABILITY_DISK_H

#include "examples/rawdisk/rawdisk.h"
#include "tests/durability/oracle.h"

enum fault {
	FAULT_NONE,
	FAULT_NO_SYNC,	     /* a flush that does not call fdatasync */
	FAULT_IGNORES_FUA,   /* force-unit-access is not looked at */
	FAULT_ANSWERS_EARLY, /* a write is answered before pwrite is called */
	FAULT_WRONG_FILE,    /* another file is synced */
	FAULT_SYNC_FIRST,    /* force-unit-access syncs before it writes */
	FAULT_MISPLACES,     /* now and then a write goes one sector too far */
	FAULT_LATE_HOLES,    /* unmap is answered before fallocate is called */
	FAULT_FORGETS_LOSS,  /* a flush is good after one that failed, as the system's is
			      */
	FAULT_COUNT
};
extern const char *const fault_names[FAULT_COUNT];

struct dur_disk;
struct way {
	const char *name;
	unsigned kinds; /* 1 << enum dur_kind */
	bool any_thread;
	int (*open)(struct dur_disk *d);
	void (*close)(struct dur_disk *d);
	/* data: as oracle_fill made it; of a compare, what is compared with comes first.
	 * True: it was answered as it should be. */
	bool (*run)(struct dur_disk *d, const struct dur_request *r, uint8_t *data);
};
extern const struct way ways[];
extern const size_t n_ways;

struct dur_params {
	enum fault fault;
	uint32_t block_length;
	uint64_t n_blocks;
	bool no_cache;	  /* the host is told that there is no volatile cache */
	bool cache_off;	  /* the host switches the cache off: way "SCSI engine" */
};

struct dur_disk {
	char folder[64], path[96];
	struct rd *rd;
	struct scsi_unit *unit;
	uint32_t block_length;
	bool cache_off;
	struct scsi_target *target;
	struct scsi_nexus *nexus;
	struct disk *client;
};

/* Fails the test when it cannot. Only one at a time. */
void dur_disk_open(struct dur_disk *d, const struct dur_params *p);
void dur_disk_close(struct dur_disk *d);
/* The image, as crashlog knows it. */
int dur_disk_fd(const struct dur_disk *d);

#endif
