#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "tools/stgtest/block.h"
#include "tools/stgtest/journal.h"

enum { VERSION = 1, HEADER_SIZE = 512, RECORD_SIZE = 32, TARGET_AT = 96 };
static const char magic[8] = {'U', 'S', 'R', 'D', 'R', 'V', 'J', 'N'};

struct journal {
	FILE *file;
};

static uint64_t
checksum(const uint8_t *p, size_t size)
{
	uint64_t sum = size;

	for (size_t i = 0; i < size; i += 8)
		sum = block_hash(sum + get_le64(p + i) + i);
	return sum;
}

static void
encode_header(uint8_t p[HEADER_SIZE], const struct journal_header *h)
{
	memset(p, 0, HEADER_SIZE);
	memcpy(p, magic, sizeof(magic));
	put_le32(p + 8, VERSION);
	put_le32(p + 12, h->block_length);
	put_le64(p + 16, h->device);
	put_le64(p + 24, h->run);
	put_le64(p + 32, h->n_blocks);
	put_le64(p + 40, h->first);
	put_le64(p + 48, h->n_range);
	put_le64(p + 56, h->seed);
	p[64] = h->write_through;
	memcpy(p + TARGET_AT, h->target, strnlen(h->target, sizeof(h->target) - 1));
	put_le64(p + HEADER_SIZE - 8, checksum(p, HEADER_SIZE - 8));
}

static int
decode_header(const uint8_t p[HEADER_SIZE], struct journal_header *h)
{
	if (memcmp(p, magic, sizeof(magic)) != 0 || get_le32(p + 8) != VERSION ||
	    get_le64(p + HEADER_SIZE - 8) != checksum(p, HEADER_SIZE - 8))
		return -EINVAL;
	*h = (struct journal_header){
		.block_length = get_le32(p + 12),
		.device = get_le64(p + 16),
		.run = get_le64(p + 24),
		.n_blocks = get_le64(p + 32),
		.first = get_le64(p + 40),
		.n_range = get_le64(p + 48),
		.seed = get_le64(p + 56),
		.write_through = p[64],
	};
	memcpy(h->target, p + TARGET_AT, sizeof(h->target) - 1);
	return h->first <= h->n_blocks && h->n_range <= h->n_blocks - h->first ? 0
									       : -EINVAL;
}

static int
open_file(const char *path, const char *mode, struct journal **ret_journal)
{
	struct journal *j = calloc(1, sizeof(*j));
	int err;

	if (!j)
		return -ENOMEM;
	j->file = fopen(path, mode);
	if (!j->file) {
		err = errno;
		free(j);
		return err > 0 ? -err : -EIO;
	}
	*ret_journal = j;
	return 0;
}

int
journal_create(const char *path, const struct journal_header *header,
	       struct journal **ret_journal)
{
	uint8_t p[HEADER_SIZE];
	struct journal *j = NULL;
	int err = open_file(path, "we", &j);

	if (err)
		return err;
	assert(j);
	encode_header(p, header);
	if (fwrite(p, HEADER_SIZE, 1, j->file) != 1 || fflush(j->file) != 0) {
		err = -errno;
		journal_close(j);
		return err;
	}
	*ret_journal = j;
	return 0;
}

int
journal_add(struct journal *j, const struct journal_record *r)
{
	uint8_t p[RECORD_SIZE] = {r->type, r->kind, r->fua};

	put_le32(p + 4, r->n_blocks);
	put_le64(p + 8, r->lba);
	put_le64(p + 16, r->id);
	put_le64(p + 24, checksum(p, 24));
	if (fwrite(p, RECORD_SIZE, 1, j->file) != 1)
		return -errno;
	if ((r->type == JOURNAL_ISSUE || r->type == JOURNAL_BEGIN) &&
	    fflush(j->file) != 0)
		return -errno;
	return 0;
}

int
journal_close(struct journal *j)
{
	int err = 0;

	if (!j)
		return 0;
	if (fclose(j->file) != 0)
		err = -errno;
	free(j);
	return err;
}

int
journal_open(const char *path, struct journal_header *ret_header,
	     struct journal **ret_journal)
{
	uint8_t p[HEADER_SIZE];
	struct journal *j = NULL;
	int err = open_file(path, "re", &j);

	if (err)
		return err;
	assert(j);
	err = fread(p, HEADER_SIZE, 1, j->file) == 1 ? decode_header(p, ret_header)
						     : -EINVAL;
	if (err) {
		journal_close(j);
		return err;
	}
	*ret_journal = j;
	return 0;
}

int
journal_next(struct journal *j, struct journal_record *r)
{
	uint8_t p[RECORD_SIZE];

	if (fread(p, RECORD_SIZE, 1, j->file) != 1 || get_le64(p + 24) != checksum(p, 24))
		return 0;
	*r = (struct journal_record){
		.type = p[0],
		.kind = p[1],
		.fua = p[2],
		.n_blocks = get_le32(p + 4),
		.lba = get_le64(p + 8),
		.id = get_le64(p + 16),
	};
	return 1;
}

void
journal_rewind(struct journal *j)
{
	fseek(j->file, HEADER_SIZE, SEEK_SET);
}
