/*
 * What was asked of a disk and what it promised, written outside of it, so that after a
 *crash one can tell which data must be there. An append-only file: a header, then records
 *of 32 bytes, each with a checksum; what a crash cuts off at the end only makes the claim
 *weaker.
 *
 *	ISSUE  a write or unmap is about to be sent; in the file before it is sent
 *	ACK    it was acknowledged
 *	BEGIN  a flush is about to be sent
 *	FLUSH  it was acknowledged: all whose ACK is before its BEGIN are durable
 */
#ifndef USERDRIVE_TOOLS_STGTEST_JOURNAL_H
#define USERDRIVE_TOOLS_STGTEST_JOURNAL_H

#include "base/compiler.h"

struct journal;

struct journal_header {
	uint64_t device, run, n_blocks, first, n_range, seed;
	uint32_t block_length;
	bool write_through; /* no volatile cache: acknowledged is durable */
	char target[400];   /* "": not known */
};

enum journal_type { JOURNAL_ISSUE = 1, JOURNAL_ACK, JOURNAL_BEGIN, JOURNAL_FLUSH };
struct journal_record {
	uint8_t type, kind; /* kind: enum disk_kind, of ISSUE */
	bool fua;
	uint32_t n_blocks;
	uint64_t lba;
	uint64_t id; /* the generation; of flushes, their number */
};

/* 0 or -errno. The file is made anew. */
NODISCARD int journal_create(const char *path, const struct journal_header *header,
			     struct journal **ret_journal);
/* ISSUE and BEGIN are in the file when this returns. */
NODISCARD int journal_add(struct journal *journal, const struct journal_record *record);
int journal_close(struct journal *journal); /* NULL is fine; -errno when the end could not
					       be written */

NODISCARD int journal_open(const char *path, struct journal_header *ret_header,
			   struct journal **ret_journal);
/* 1: a record; 0: the end. From the start again after journal_rewind. */
int journal_next(struct journal *journal, struct journal_record *ret_record);
void journal_rewind(struct journal *journal);

#endif
