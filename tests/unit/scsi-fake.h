/*
 * A storage unit in memory, a target with it as LUN 0 and two nexuses, and CDBs as
 *function calls: for unit tests and fuzzers of scsi/. Needs no test framework; a broken
 *set-up aborts.
 *
 *	struct scsi_fake f;
 *	scsi_fake_init(&f);             defaults; change f.params, f.kinds, f.n_slots
 *	scsi_fake_open(&f);
 *	scsi_fake_clear_attentions(&f);
 *	struct scsi_fake_reply r = scsi_fake_run(&f, 0, cdb, sizeof(cdb), NULL, 0);
 *	r.res.status, r.in[0 .. r.n_in - 1]
 *	scsi_fake_close(&f);
 */
#ifndef USERDRIVE_TESTS_SCSI_FAKE_H
#define USERDRIVE_TESTS_SCSI_FAKE_H

#include "base/mutex.h"
#include "scsi/target.h"

enum { SCSI_FAKE_NEXUSES = 2 };

struct scsi_fake {
	/* Before open */
	struct scsi_unit_params params; /* 512 bytes * 2048 blocks, thin, with a cache */
	uint32_t kinds;			/* all of them */
	unsigned n_slots;		/* 2 */

	struct scsi_unit *unit;
	struct scsi_target *target; /* port 1 */
	struct scsi_nexus *nexuses[SCSI_FAKE_NEXUSES];

	/* The program */
	uint8_t *bytes;	       /* the medium */
	uint8_t *provisioning; /* of each block, enum scsi_provisioning */
	struct mutex lock;     /* rules what follows, and the medium while requests run */
	struct cond changed;
	bool hold; /* requests wait for scsi_fake_release; set with scsi_fake_hold */
	struct scsi_backend_req *held[64];
	unsigned n_held;
	bool fail; /* the next requests end with failure */
	struct scsi_result failure;
	uint64_t n_requests[SCSI_IO_KIND_LIMIT];
	bool last_fua;
};

void scsi_fake_init(struct scsi_fake *f);
void scsi_fake_open(struct scsi_fake *f);
void scsi_fake_close(struct scsi_fake *f);
/* Both for cmocka: *state is an open unit without unit attentions. */
int scsi_fake_setup(void **state);
int scsi_fake_teardown(void **state);

/* From now on requests stay in the program until release, which lets all go and ends the
 * holding. */
void scsi_fake_hold(struct scsi_fake *f);
void scsi_fake_wait_held(struct scsi_fake *f, unsigned n); /* until n are held */
void scsi_fake_release(struct scsi_fake *f);
/* Every request fails so; NULL: no more. */
void scsi_fake_fail(struct scsi_fake *f, const struct scsi_result *failure);

struct scsi_fake_reply {
	struct scsi_result res;
	uint32_t n_transfer, n_in;
	bool begun; /* false: failed before data */
	bool aborted;
	uint8_t in[8192]; /* the first bytes of data-in; beyond n_in: 0xa5 */
};

/* A command with data; waits for its end. nexus: 0 or 1. out: may be shorter than the CDB
 * says. */
struct scsi_fake_reply scsi_fake_run(struct scsi_fake *f, unsigned nexus,
				     const uint8_t *cdb, size_t n_cdb, const void *out,
				     size_t n_out);
/* The same to any LUN field and with larger data: in has room for cap bytes. */
struct scsi_fake_reply scsi_fake_run_at(struct scsi_nexus *nexus, uint64_t lun,
					const uint8_t *cdb, size_t n_cdb, const void *out,
					size_t n_out, void *in, size_t cap);
/* TEST UNIT READY by each nexus until nothing is pending. */
void scsi_fake_clear_attentions(struct scsi_fake *f);

/* A command in steps */
struct scsi_fake_task {
	struct scsi_task task;
	struct mutex lock;
	struct cond done;
	unsigned n_completions; /* under lock */
	void *out, *in;
};
/* What scsi_task_begin returned. */
bool scsi_fake_begin(struct scsi_fake_task *t, struct scsi_nexus *nexus, uint64_t lun,
		     const uint8_t *cdb, size_t n_cdb, uint8_t attribute, uint64_t tag);
/* Executes with data (copied; the rest of n_transfer is missing). */
void scsi_fake_execute(struct scsi_fake_task *t, const void *out, size_t n_out);
bool scsi_fake_is_done(struct scsi_fake_task *t);
void scsi_fake_wait(struct scsi_fake_task *t);
void scsi_fake_task_fini(struct scsi_fake_task *t);

#endif
