/*
 * What was asked of a disk, when, and what it answered; and from that, what each sector
 * may hold after a crash at any moment. Sectors say by which request they were written.
 *
 * Two requests that touch one block are never under way together, so for each block the
 * order of issue is the order of what happened to it. After a crash it holds the newest
 * contents that were promised, or those of a request that was issued later; sector by
 * sector, since what was not promised may be torn.
 *
 * Threads: oracle_issue and oracle_answer from any; the rest from one.
 */
#ifndef USERDRIVE_TESTS_ORACLE_H
#define USERDRIVE_TESTS_ORACLE_H

#include "tests/durability/crashlog.h"

enum dur_kind {
	DUR_WRITE,
	DUR_WRITE_AND_VERIFY, /* promised by its answer: SBC-3 5.33 verifies the medium */
	DUR_WRITE_SAME,
	DUR_COMPARE_AND_WRITE,
	DUR_ZEROES,
	DUR_UNMAP,
	DUR_FLUSH,
	DUR_N_KINDS
};

struct dur_request {
	enum dur_kind kind;
	bool fua;
	bool differs;	/* of a compare: it is to fail, and to change nothing */
	bool immediate; /* of a flush: with the IMMED bit, where there is one */
	uint64_t lba;
	uint32_t n_blocks;
	uint32_t number;	 /* from 1 on */
	size_t issued, answered; /* moments; answered: SIZE_MAX when it was not */
};

struct oracle {
	struct mutex *lock; /* rules n_requests and the requests' moments */
	struct dur_request *requests;
	uint32_t n_requests, cap;
	uint32_t block_length;
	uint64_t n_blocks;
	bool write_through; /* every answer is a promise */
};

void oracle_init(struct oracle *o, uint32_t cap, uint32_t block_length,
		 uint64_t n_blocks);
void oracle_fini(struct oracle *o);
/* Takes the request over; the copy has its number. */
struct dur_request *oracle_issue(struct oracle *o, const struct dur_request *r);
void oracle_answer(struct oracle *o, struct dur_request *r);
/* What a request leaves in one sector of a block; dst: CRASHLOG_SECTOR bytes. */
void oracle_contents(const struct dur_request *r, uint64_t lba, uint32_t sector,
		     uint8_t *dst);
/* The data of a write, block_length * n_blocks bytes (of WRITE SAME: one block). */
void oracle_fill(const struct oracle *o, const struct dur_request *r, uint8_t *dst);
/* What a block holds now, when nothing is under way. */
void oracle_current(const struct oracle *o, uint64_t lba, uint8_t *dst);
/*
 * Sectors of the image that are neither what was promised at that moment nor what came
 * later. The first one is described in text (cap bytes).
 */
unsigned oracle_judge(const struct oracle *o, const struct crash *crash, char *text,
		      size_t cap);

#endif
