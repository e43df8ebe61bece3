/* Between the parts of the verifying mode. */
#ifndef USERDRIVE_TOOLS_STGTEST_VERIFY_PRIV_H
#define USERDRIVE_TOOLS_STGTEST_VERIFY_PRIV_H

#include "tools/stgtest/journal.h"
#include "tools/stgtest/stgtest.h"

enum cell_state { CELL_UNKNOWN, CELL_WRITTEN, CELL_UNMAPPED };

/* What is known of one block of the range. */
struct cell {
	uint32_t generation; /* acknowledged; 0: none */
	uint32_t previous;   /* before that */
	uint8_t state;	     /* enum cell_state */
	bool seen;	     /* it has been read back since it was written */
	bool busy;	     /* a request that covers it is under way */
};

struct verify_slot {
	struct disk_req req;
	struct disk_range range;
	uint32_t generation;
	uint64_t flush_id;
	uint8_t *data;
	bool busy;
};

enum { SUSPECTS_MAX = 64 };

struct verify {
	const struct stgtest_params *params;
	struct disk *disk;
	struct disk_geometry g;
	struct stgtest_report report;
	struct journal *journal;
	uint64_t device, run, random;
	uint64_t first, n_range; /* blocks under test */
	uint32_t max_blocks;
	struct cell *cells; /* n_range */
	struct verify_slot *slots;
	unsigned n_slots;
	uint32_t generation; /* last one given */
	uint64_t flush_id;
	uint64_t next_lba;		    /* sequential pattern */
	uint8_t *block_a, *block_b, *again; /* one block each; max_blocks */
	uint64_t suspects[SUSPECTS_MAX];
	uint8_t *suspect_data; /* a block for each */
	unsigned n_suspects;
	bool stop; /* too many faults, or the way in has ended */
};

static inline struct cell *
verify_cell(const struct verify *v, uint64_t lba)
{
	return &v->cells[lba - v->first];
}

/* diagnose.c. Looks at a block that was read; what is wrong goes to the suspects. */
void verify_check(struct verify *v, uint64_t lba, const uint8_t *data);
/* Reads again and names what is wrong; nothing is under way. */
void verify_diagnose(struct verify *v);
/* Reads blocks, waiting; nothing else is under way. */
bool verify_read(struct verify *v, uint64_t lba, uint32_t n_blocks, void *data);
void verify_failed(struct verify *v, const struct disk_req *req);
void verify_label(const struct verify *v, uint64_t lba, uint32_t generation,
		  uint8_t *dst);

#endif
