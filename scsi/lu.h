/*
 * Private to scsi/: the device server of one storage unit, and how commands are written.
 *
 * A command is a row of a table: opcode, service action, usage bits, flags, and three functions.
 * scsi/command.c finds the row, checks the CDB against its usage bits, then in the order of SAM-5
 * and SPC-4: unit attention, reservation, medium, write protection, the row's own check. What
 * handlers return is the result; they never touch the wire.
 *
 * Lock order: scsi_target.lock, scsi_lu.lock, unit's lock. None is held across a backend callback,
 * task->complete or a listener.
 */
#ifndef USERDRIVE_SCSI_LU_H
#define USERDRIVE_SCSI_LU_H

#include <stdatomic.h>

#include "base/endian.h"
#include "base/mutex.h"
#include "scsi/target.h"

enum scsi_command_flags {
	SCSI_CMD_IN = 1 << 0,      /* data comes from the target */
	SCSI_CMD_OUT = 1 << 1,     /* data goes to it */
	SCSI_CMD_WRITES = 1 << 2,  /* changes the medium: refused on a write-protected unit */
	SCSI_CMD_MEDIUM = 1 << 3,  /* needs the medium: NOT READY while stopped or ejected */
	SCSI_CMD_ANY_UA = 1 << 4,  /* runs under a unit attention: INQUIRY, REPORT LUNS, REQUEST SENSE */
	SCSI_CMD_NO_LU = 1 << 5,   /* also for a LUN that does not exist */
	SCSI_CMD_BLOCKING = 1 << 6,/* run() makes several block requests: on a worker */
	SCSI_CMD_RANGE = 1 << 7,   /* LBA and count by the CDB's group; decoded, range-checked */
	SCSI_CMD_FUA = 1 << 8,     /* byte 1 bit 3 */
	/* Persistent reservations, SPC-4 table 66: what of a nexus that is not registered is let in */
	SCSI_CMD_PR_ALWAYS = 1 << 9,      /* allowed under every reservation */
	SCSI_CMD_PR_READ = 1 << 10,       /* allowed under the Write Exclusive types */
	SCSI_CMD_RESERVE6_OK = 1 << 11    /* allowed while another holds RESERVE(6) */
};

/*
 * How many bytes the CDB asks to move: scsi_task.n_transfer before the row's check() runs, which
 * may change it. A task that moves nothing gets SCSI_DATA_NONE. check() of a command without data
 * in some form (VERIFY with BYTCHK 0) sets n_transfer to 0.
 */
enum scsi_length_kind {
	SCSI_LENGTH_NONE,      /* nothing, or check() says */
	SCSI_LENGTH_BLOCKS,    /* the CDB's count times the block length; needs SCSI_CMD_RANGE */
	SCSI_LENGTH_ONE_BLOCK, /* WRITE SAME */
	SCSI_LENGTH_FIXED,     /* length_size bytes: READ CAPACITY (10) */
	/* ALLOCATION LENGTH (beyond SCSI_PARAMETER_MAX: cut to it) or PARAMETER LIST LENGTH (beyond
	 * it: INVALID FIELD IN CDB): length_size bytes at CDB byte length_at */
	SCSI_LENGTH_FIELD
};
/* In a row: SCSI_LENGTH_AT(7, 2) is the 16-bit field at byte 7. */
#define SCSI_LENGTH_AT(at, size)                                                         \
	.length = SCSI_LENGTH_FIELD, .length_at = (at), .length_size = (size)
#define SCSI_LENGTH_IS(size) .length = SCSI_LENGTH_FIXED, .length_size = (size)

struct scsi_command {
	uint8_t opcode;
	int16_t service_action; /* byte 1 bits 4..0; -1: none */
	uint8_t n_cdb;          /* bytes */
	uint8_t length;         /* enum scsi_length_kind */
	uint8_t length_at, length_size;
	uint32_t flags;
	const char *name;       /* as the standard spells it: "READ CAPACITY (16)" */
	/* Bits that may be set (byte 0: the opcode; the service action's bits are its value). Also
	 * what REPORT SUPPORTED OPERATION CODES shows. */
	uint8_t usage[SCSI_CDB_MAX];
	/* NULL: always. E.g. UNMAP exists on thin units only: else INVALID COMMAND OPERATION CODE. */
	bool (*exists)(const struct scsi_lu *lu);
	/* After the generic checks and before data: more checks, and n_transfer where it is not what
	 * scsi_command_default_length computes. NULL: none. */
	struct scsi_result (*check)(struct scsi_task *task);
	/* One of the two. run: result now; data-in commands write with scsi_task_reply. */
	struct scsi_result (*run)(struct scsi_task *task);
	/* start: ends with scsi_task_finish, maybe later. */
	void (*start)(struct scsi_task *task);
};

/* A family of commands: each file of commands exports one, scsi/command.c lists them. */
struct scsi_command_table {
	const struct scsi_command *rows;
	size_t n_rows;
};
extern const struct scsi_command_table scsi_commands_primary; /* primary.c, inquiry.c… */
extern const struct scsi_command_table scsi_commands_inquiry; /* inquiry.c: INQUIRY, READ CAPACITY */
extern const struct scsi_command_table scsi_commands_mode;    /* mode.c: MODE SENSE, MODE SELECT */
extern const struct scsi_command_table scsi_commands_log;     /* log.c */
extern const struct scsi_command_table scsi_commands_reserve; /* reserve.c: RESERVE, RELEASE */
extern const struct scsi_command_table scsi_commands_persist; /* persist.c: PERSISTENT RESERVE IN, OUT */
extern const struct scsi_command_table scsi_commands_block;   /* block.c: READ, WRITE, VERIFY… */
extern const struct scsi_command_table scsi_commands_thin;    /* thin.c: UNMAP, WRITE SAME, GET LBA STATUS */
extern const struct scsi_command_table scsi_commands_copy;    /* copy.c: EXTENDED COPY … */
extern const struct scsi_command_table scsi_commands_medium;  /* medium.c: START STOP, PREVENT, SANITIZE… */

/*
 * Limits that VPD page B0h announces and block.c, thin.c enforce. SBC-3 6.6.4.
 */
enum {
	SCSI_TARGET_PORT_GROUP = 1,        /* VPD 83h, REPORT TARGET PORT GROUPS: all ports are in it */
	SCSI_COMPARE_AND_WRITE_MAX = 255,  /* blocks */
	SCSI_UNMAP_DESCRIPTORS_MAX = 4096, /* of one UNMAP */
	SCSI_WRITE_SAME_NON_ZERO = 0       /* WSNZ: 1 when a count of 0 is refused */
};
#define SCSI_UNMAP_BLOCKS_MAX 0xffffffffu /* of one UNMAP: no limit */
/* Blocks. A program may have to be written to block by block: one command must not take hours. */
#define SCSI_WRITE_SAME_MAX 0x400000ull
/* MAXIMUM ATOMIC TRANSFER LENGTH, blocks: what the program takes in one request. */
uint32_t scsi_atomic_max_blocks(const struct scsi_lu *lu);

/* The unit's name for VPD 83h and CSCD descriptors. NAA 3h, locally assigned: 60 bits that both halves
 * of the GUID have a say in. */
static inline uint64_t
scsi_unit_naa(const struct scsi_unit_params *p)
{
	uint64_t v = get_be64(p->guid) ^ get_be64(p->guid + 8);

	v = (v ^ v >> 60) & 0x0fffffffffffffffull; /* the four bits that 3h takes the place of */
	return v | 3ull << 60;
}

/* Row conventions: usage[0] is the opcode, the CONTROL byte's usage is 0 (NACA is not supported).
 * Handlers see no reserved bit set. A row that runs for a LUN that does not exist (SCSI_CMD_NO_LU)
 * finds task->lu and task->itl NULL. */

/* Ends a task that start() took: result, unlinking, complete. */
void scsi_task_finish(struct scsi_task *task, struct scsi_result res);
/* The same, once each task of the LU that is marked as aborted and runs has finished. */
void scsi_task_finish_after_aborts(struct scsi_task *task, struct scsi_result res);
/* For long work: has the task been aborted? Its result will not be sent. */
bool scsi_task_is_aborted(struct scsi_task *task);
/* Copies up to n_transfer bytes of a reply built elsewhere and sets n_in: the ALLOCATION LENGTH rule
 * (SPC-4 4.2.5.6) in one place. */
struct scsi_result scsi_task_reply(struct scsi_task *task, const void *bytes, size_t size);
/* The parameter list; PARAMETER LIST LENGTH ERROR when fewer than n_transfer bytes came. */
struct scsi_result scsi_task_parameters(struct scsi_task *task, const uint8_t **ret_bytes, size_t *ret_size);

/* Nexus and LU: one for each initiator that has come to this unit. */
struct scsi_itl {
	struct list link; /* lu->itls */
	struct scsi_nexus *nexus;
	struct scsi_lu *lu;
	uint8_t n_attentions; /* queue, oldest first; SAM-5 5.14 */
	uint16_t attention[16]; /* enum scsi_sense; room for one of each unit attention there is */
	uint32_t n_tasks;     /* that point here: freed after the last one */
	bool gone;            /* unlinked: the nexus or the LUN is gone */
	bool prevents;        /* PREVENT ALLOW MEDIUM REMOVAL */
};

struct scsi_mode_values { /* what MODE SELECT can change, current values */
	bool swp;     /* control: software write protect */
	bool d_sense; /* control: descriptor format sense */
	bool wce;     /* caching: write cache enable; false makes every write FUA */
};

struct scsi_pr; /* persist.c */

struct scsi_lu {
	struct scsi_unit *unit; /* owner */
	struct mutex lock;      /* rules all below */
	struct list itls;
	struct list tasks;      /* tasks that began and have not finished, in order of arrival */
	struct list finishing;  /* struct scsi_finishing: their complete() is running */
	uint32_t n_ordered;     /* of them with the ORDERED attribute */
	uint32_t n_blocked;     /* of them held back by task order */
	bool draining;          /* a thread lets blocked tasks go */
	struct scsi_mode_values mode;
	struct scsi_itl *reserve6; /* holder of RESERVE(6), or NULL */
	struct scsi_pr *pr;        /* never NULL */
	bool stopped;              /* START STOP UNIT: no medium access */
	bool ejected;              /* removable: MEDIUM NOT PRESENT */
	bool sanitizing;
	uint16_t sanitize_progress;/* 1/65536 */
	bool sanitize_failed;
	bool sanitize_unrestricted;/* AUSE of the last SANITIZE: EXIT FAILURE MODE may end the failure */
	struct scsi_copy *copy;    /* copy.c: results of the last EXTENDED COPY by list id; or NULL */
};

NODISCARD int scsi_lu_create(struct scsi_unit *unit, struct scsi_lu **ret_lu);
void scsi_lu_destroy(struct scsi_lu *lu);

/* Queues a unit attention for every nexus but one (NULL: for all). With lu->lock held. */
void scsi_lu_attention_locked(struct scsi_lu *lu, enum scsi_sense sense,
			      const struct scsi_nexus *but) REQUIRES(&lu->lock);
/* The same for one. */
void scsi_itl_attention_locked(struct scsi_itl *itl, enum scsi_sense sense);
/*
 * Aborts tasks: of one nexus, or all but those of one (NULL, false: all). Returns how many. They are
 * marked: what is in the backend goes on to its end, what is held back by task order ends when the
 * caller's task finishes. A command whose status must not come before their end (PREEMPT AND ABORT)
 * is a start() that ends with scsi_task_finish_after_aborts.
 */
size_t scsi_lu_abort_locked(struct scsi_lu *lu, const struct scsi_nexus *of, bool all_others)
	REQUIRES(&lu->lock);

/* Takes the oldest unit attention; false: none. */
bool scsi_itl_attention_pop_locked(struct scsi_itl *itl, enum scsi_sense *ret_sense);
void scsi_itl_attention_clear_locked(struct scsi_itl *itl, enum scsi_sense sense);

/*
 * Waiting for tasks. done() runs once, on the thread that ends the last of them, with no lock held,
 * when nothing of the LU is touched for them any more; it owns wait from then on.
 */
struct scsi_wait {
	/* Tasks left, and 1 for who still adds; acq_rel: what they did is seen by done */
	atomic_uint n;
	void (*done)(struct scsi_wait *wait);
};
struct scsi_wait_node {
	struct list link; /* task->waits, then scsi_finishing.waits */
	struct scsi_wait *wait;
};
/* Stands for a task whose complete() runs: the door may free the task within. */
struct scsi_finishing {
	struct list link, waits;
	const struct scsi_itl *itl;
	uint64_t tag;
};
/* Which tasks: all of the LU, narrowed by what is set. */
struct scsi_task_filter {
	const struct scsi_target *target;
	const struct scsi_nexus *nexus;
	bool others;  /* not those of nexus */
	bool has_tag; /* this one alone */
	uint64_t tag;
	/* Those of this LUN, which is being removed: they are answered LOGICAL UNIT NOT SUPPORTED,
	 * since no task management function says to their initiator that they are gone. */
	bool removal;
	unsigned lun;
	/* Those marked already, but this one and those that wait for others themselves */
	const struct scsi_task *aborted_but;
};
size_t scsi_lu_count_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter)
	REQUIRES(&lu->lock);
/*
 * Marks the tasks as aborted and adds to wait those that run (one whose data has not come is not
 * waited for: a slow initiator must not hold up another's reset; it ends at execute or cancel).
 * ret_n: how many were marked. -ENOMEM: nothing has been done. Call scsi_lu_drain after unlocking.
 */
/* Adds to wait those that run, without marking; false: no memory. */
NODISCARD bool scsi_lu_wait_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter,
				   struct scsi_wait *wait) REQUIRES(&lu->lock);
NODISCARD int scsi_lu_abort_wait_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter,
					struct scsi_wait *wait, size_t *ret_n) REQUIRES(&lu->lock);
void scsi_wait_init(struct scsi_wait *wait, void (*done)(struct scsi_wait *wait));
/* Takes one from the count; the last one calls done. */
void scsi_wait_put(struct scsi_wait *wait);
/* Lets tasks go that task order held back. The caller holds a reference to the unit. */
void scsi_lu_drain(struct scsi_lu *lu) EXCLUDES(&lu->lock);
void scsi_task_dispatch(struct scsi_task *task, bool aborted); /* task.c: runs it now */
/* May a task run, by its attribute and those before it? SAM-5 8.6 */
bool scsi_task_runnable_locked(const struct scsi_task *task);

/* Finds or makes; POWER ON is pending on a new one. NULL: no memory. */
struct scsi_itl *scsi_lu_itl_locked(struct scsi_lu *lu, struct scsi_nexus *nexus)
	REQUIRES(&lu->lock);
struct scsi_itl *scsi_lu_find_itl_locked(const struct scsi_lu *lu, const struct scsi_nexus *nexus);
/* The nexus leaves the LU: reservation, attentions and PREVENT end. */
void scsi_itl_leave_locked(struct scsi_lu *lu, struct scsi_itl *itl) REQUIRES(&lu->lock);
/* A task lets go of it. */
void scsi_itl_put_locked(struct scsi_itl *itl);

/* reserve.c: may the command go in? Also the hook of scsi_unit_check_access: cmd NULL means a block
 * request of that kind. RESERVATION CONFLICT or good. With lu->lock held. */
struct scsi_result scsi_reserve_check_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus,
					     const struct scsi_command *cmd, enum scsi_io_kind kind)
	REQUIRES(&lu->lock);
/* A nexus is lost / the LU is reset: RESERVE(6) ends, persistent reservations stay. */
void scsi_reserve_nexus_lost_locked(struct scsi_lu *lu, struct scsi_itl *itl) REQUIRES(&lu->lock);
/* persist.c */
NODISCARD int scsi_pr_create(struct scsi_lu *lu, struct scsi_pr **ret_pr); /* loads state_path */
void scsi_pr_destroy(struct scsi_pr *pr);
/* Reservation check proper; a nexus is known by TransportID and target port. */
struct scsi_result scsi_pr_check_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus,
					uint32_t pr_flags) REQUIRES(&lu->lock);
bool scsi_pr_keeps_state(const struct scsi_lu *lu);
/* mode.c: defaults from params; LU reset restores them. */
void scsi_mode_reset_locked(struct scsi_lu *lu);
/* copy.c */
/* VPD page 8Fh after its header of 4 bytes; dst is zero and has cap bytes. Returns its size. */
size_t scsi_copy_vpd(const struct scsi_lu *lu, uint8_t *dst, size_t cap);
void scsi_copy_destroy(struct scsi_copy *copy);
/* Results that nobody can ask for any more: the nexus is lost (NULL: LU reset, those of all). */
void scsi_copy_forget_locked(struct scsi_lu *lu, const struct scsi_nexus *nexus) REQUIRES(&lu->lock);

/* Nexus as the commands see it (target.c owns it). */
struct scsi_nexus {
	struct scsi_target *target;
	struct list link; /* target->nexuses */
	char *initiator;
	uint8_t transport_id[SCSI_TRANSPORT_ID_MAX];
	size_t n_transport_id;
	uint16_t target_port;
	bool lost;
};

struct scsi_port {
	uint16_t id;
	char name[256];
};
enum { SCSI_PORT_LIMIT = 64 };
struct scsi_lun_entry {
	struct scsi_unit *unit; /* NULL: free */
};
struct scsi_target {
	char *name;
	struct mutex lock; /* rules what follows */
	struct list nexuses;
	struct scsi_port ports[SCSI_PORT_LIMIT];
	size_t n_ports;
	struct scsi_lun_entry luns[SCSI_LUN_LIMIT];
};

/* Every row, in order of opcode and service action; for REPORT SUPPORTED OPERATION CODES and tests. */
size_t scsi_command_count(void);
const struct scsi_command *scsi_command_at(size_t i);
/* NULL: not there (whatever exists() says is not asked). *ret_opcode_known: another service action
 * of that opcode is. */
const struct scsi_command *scsi_command_find(const uint8_t *cdb, size_t n_cdb, bool *ret_opcode_known);
/* The CDB against the row's length and usage bits. */
struct scsi_result scsi_command_check_usage(const struct scsi_command *cmd, const uint8_t *cdb,
					    size_t n_cdb);
/* task->lba, n_blocks and n_transfer from the CDB, direction, range, the row's check, limits. */
struct scsi_result scsi_command_decode(struct scsi_task *task);

#endif
