/*
 * The SCSI target device as its doors see it: a name, logical units by LUN, the nexuses through
 * which initiators come, and tasks. SAM-5 in one header.
 *
 * A door (iscsi, the CDB socket of local) decodes a command from its wire, then:
 *
 *	task->nexus, lun, cdb, n_cdb, attribute, tag, complete          the door fills
 *	if (scsi_task_begin(task)) {                                    decoded and checked
 *		task->data_out (n_out bytes) or task->data_in (room for cap_in)   by task->direction
 *		scsi_task_execute(task);
 *	}                                                               complete() comes exactly once
 *
 * When begin returns false the task has failed its checks, has its result and is finished: the door
 * answers without asking the initiator for data; complete is not called.
 *
 * Threads: any. complete may run before scsi_task_execute returns, or on another thread.
 */
#ifndef USERDRIVE_SCSI_TARGET_H
#define USERDRIVE_SCSI_TARGET_H

#include "scsi/unit.h"

struct scsi_target;
struct scsi_lu;
struct scsi_itl;
struct scsi_command;

enum scsi_direction { SCSI_DATA_NONE, SCSI_DATA_IN, SCSI_DATA_OUT };
enum scsi_attribute { SCSI_SIMPLE, SCSI_ORDERED, SCSI_HEAD_OF_QUEUE, SCSI_ACA };

enum {
	SCSI_CDB_MAX = 16,          /* bytes; longer ones are answered INVALID COMMAND OPERATION CODE */
	SCSI_LUN_LIMIT = 256,       /* peripheral and flat addressing, SAM-5 4.7 */
	SCSI_TRANSPORT_ID_MAX = 260,/* SPC-4 7.6.4 */
	SCSI_TRANSFER_MAX = 32 << 20, /* bytes of one command: the MAXIMUM TRANSFER LENGTH of VPD B0 */
	SCSI_PARAMETER_MAX = 1 << 20  /* bytes of a parameter list, e.g. EXTENDED COPY inline data */
};

struct scsi_task {
	/* The door fills */
	struct scsi_nexus *nexus;
	uint64_t lun;     /* the 8-byte LUN field, big-endian value */
	uint8_t cdb[SCSI_CDB_MAX];
	uint8_t n_cdb;    /* bytes that came; the rest is zero */
	uint8_t attribute;/* enum scsi_attribute */
	uint64_t tag;     /* unique within the nexus while the task lives */
	void (*complete)(struct scsi_task *task);
	void *ctx;

	/* scsi_task_begin fills; none and 0 when it returns false */
	enum scsi_direction direction;
	uint32_t n_transfer; /* bytes the CDB asks to move: what residuals are counted from */

	/* The door fills before scsi_task_execute; it owns the memory */
	uint8_t *data_out;
	/* Bytes that came or were announced. Fewer than n_transfer is an error of the initiator; when more,
	 * data_out has the first n_transfer of them, and most commands do not mind. */
	uint32_t n_out;
	uint8_t *data_in; /* room for n_transfer bytes, page-aligned where possible; not cleared */
	uint32_t cap_in;  /* n_transfer or more */

	/* The engine fills before complete */
	struct scsi_result result;
	uint32_t n_in;   /* bytes written to data_in, at most n_transfer */
	bool aborted;    /* by task management: the door sends no answer, SAM-5 5.3.1 (TAS is 0) */

	/* Private to scsi/ */
	struct scsi_lu *lu;
	struct scsi_itl *itl;
	const struct scsi_command *command;
	struct scsi_io io;
	struct scsi_job job;
	struct list lu_link;
	struct list waits; /* who wants to know when it has finished; under lu->lock */
	bool linked, started, blocked, is_block_io;
	bool removed; /* aborted because its LUN goes: it is answered nevertheless */
	bool waits_for_aborts; /* its status comes after the end of tasks that it aborted */
	bool d_sense; /* sense goes out in descriptor format */
	uint64_t lba;      /* of commands with a block range, decoded once */
	uint32_t n_blocks;
	void *scratch;     /* a handler's, freed with free() after complete */
};

struct scsi_nexus_params {
	const char *initiator; /* text for logs and info: "iqn.…,i,0x…" */
	const uint8_t *transport_id; /* SPC-4 7.6.4, of the initiator port: what PERSISTENT RESERVE keeps */
	size_t n_transport_id;
	uint16_t target_port;  /* relative target port identifier, 1.. */
};

/* name: "iqn.2026-01.…" or any text that names the target device; copied. */
NODISCARD int scsi_target_create(const char *name, struct scsi_target **ret_target);
/* All nexuses are gone. */
void scsi_target_destroy(struct scsi_target *target);
const char *scsi_target_name(const struct scsi_target *target);
/*
 * Ports by which the target is reached, for VPD 83, REPORT TARGET PORT GROUPS and persistent
 * reservations. name: SCSI name string of the port ("iqn.…,t,0x0001"). Returns 0 or -errno.
 */
NODISCARD int scsi_target_add_port(struct scsi_target *target, uint16_t port, const char *name);
void scsi_target_remove_port(struct scsi_target *target, uint16_t port);
/* lun 0..SCSI_LUN_LIMIT-1. Takes a reference. -EEXIST, -ERANGE, -ENOMEM. Other nexuses get REPORTED
 * LUNS DATA HAS CHANGED. */
NODISCARD int scsi_target_add_lun(struct scsi_target *target, unsigned lun, struct scsi_unit *unit);
/* Ends its tasks, which are answered LOGICAL UNIT NOT SUPPORTED, waits for those under way (so not from
 * within complete()), drops the reference. -ENOENT; -ENOMEM: nothing has been done. */
int scsi_target_remove_lun(struct scsi_target *target, unsigned lun);
size_t scsi_target_n_luns(struct scsi_target *target);
/* "auth" of nobody: the unit of a LUN, borrowed while the caller's nexus lives; NULL. */
struct scsi_unit *scsi_target_unit(struct scsi_target *target, unsigned lun);

/* An I_T nexus comes: a session logged in. Its first command on each LU gets POWER ON OCCURRED. */
NODISCARD int scsi_nexus_create(struct scsi_target *target, const struct scsi_nexus_params *params,
				struct scsi_nexus **ret_nexus);
/* It is lost (SAM-5 6.3.4): its tasks are aborted and those under way are waited for (so not from within
 * complete()), RESERVE(6) and PREVENT end. The caller makes sure that no new task comes, and ends those
 * between begin and execute with scsi_task_cancel, before or after. */
void scsi_nexus_destroy(struct scsi_nexus *nexus);
struct scsi_target *scsi_nexus_target(const struct scsi_nexus *nexus);

NODISCARD bool scsi_task_begin(struct scsi_task *task);
/* After begin returned true. */
void scsi_task_execute(struct scsi_task *task);
/* After begin returned true and instead of execute: the door has given up on the data. complete is
 * not called. */
void scsi_task_cancel(struct scsi_task *task);
/* Sense of a finished task in the format that D_SENSE asks for; 0 bytes when there is none. */
size_t scsi_task_sense(const struct scsi_task *task, uint8_t dst[SCSI_SENSE_SIZE_MAX]);

/* SAM-5 7. */
enum scsi_tmf {
	SCSI_TMF_ABORT_TASK = 1,
	SCSI_TMF_ABORT_TASK_SET,
	SCSI_TMF_CLEAR_ACA,
	SCSI_TMF_CLEAR_TASK_SET,
	SCSI_TMF_LU_RESET,
	SCSI_TMF_TARGET_RESET, /* all LUs of the target */
	SCSI_TMF_QUERY_TASK,
	SCSI_TMF_QUERY_TASK_SET,
	SCSI_TMF_I_T_NEXUS_RESET
};
enum scsi_tmf_response {
	SCSI_TMF_COMPLETE,
	SCSI_TMF_SUCCEEDED, /* QUERY: it is there */
	SCSI_TMF_NO_TASK,   /* ABORT TASK of what is not there */
	SCSI_TMF_NO_LUN,
	SCSI_TMF_REJECTED,
	SCSI_TMF_NOT_SUPPORTED
};
/*
 * done(ctx, response) is called once, from any thread, when the affected tasks have finished (each
 * one's complete has run, with aborted set). Tasks between begin and execute are marked and not waited
 * for: they complete, with aborted set, when the door executes them. tag: of the task, for ABORT and
 * QUERY TASK.
 */
void scsi_tmf(struct scsi_nexus *nexus, enum scsi_tmf function, uint64_t lun, uint64_t tag,
	      void (*done)(void *ctx, enum scsi_tmf_response response), void *ctx);

/* The 8-byte LUN field for a LUN number: peripheral below 256. */
uint64_t scsi_lun_encode(unsigned lun);
/* -1: a form or a level that no target of ours has. */
int scsi_lun_decode(uint64_t lun);

#endif
