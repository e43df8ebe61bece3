/* CDBs by value, and what a test expects of an answer: for the tests of block commands. */
#ifndef USERDRIVE_TESTS_SCSI_CDB_H
#define USERDRIVE_TESTS_SCSI_CDB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/endian.h"
#include "scsi-fake.h"
#include "scsi/lu.h"

enum { BLOCK = 512 };

struct cdb {
	uint8_t bytes[16];
	size_t n;
};

static inline struct cdb
cdb_6(uint8_t op, uint32_t lba, uint8_t count)
{
	struct cdb c = {{op, 0, 0, 0, count}, 6};

	put_be24(c.bytes + 1, lba);
	return c;
}

static inline struct cdb
cdb_10(uint8_t op, uint8_t byte1, uint32_t lba, uint16_t count)
{
	struct cdb c = {{op, byte1}, 10};

	put_be32(c.bytes + 2, lba);
	put_be16(c.bytes + 7, count);
	return c;
}

static inline struct cdb
cdb_12(uint8_t op, uint8_t byte1, uint32_t lba, uint32_t count)
{
	struct cdb c = {{op, byte1}, 12};

	put_be32(c.bytes + 2, lba);
	put_be32(c.bytes + 6, count);
	return c;
}

static inline struct cdb
cdb_16(uint8_t op, uint8_t byte1, uint64_t lba, uint32_t count)
{
	struct cdb c = {{op, byte1}, 16};

	put_be64(c.bytes + 2, lba);
	put_be32(c.bytes + 10, count);
	return c;
}

static inline struct scsi_fake_reply
run_on(struct scsi_fake *f, unsigned nexus, struct cdb c, const void *out, size_t n_out)
{
	return scsi_fake_run(f, nexus, c.bytes, c.n, out, n_out);
}

static inline struct scsi_fake_reply
run(struct scsi_fake *f, struct cdb c, const void *out, size_t n_out)
{
	return run_on(f, 0, c, out, n_out);
}

/* A command without data-out */
static inline struct scsi_fake_reply
ask(struct scsi_fake *f, struct cdb c)
{
	return run(f, c, NULL, 0);
}

#define assert_good(r) assert_int_equal((r).res.status, SCSI_GOOD)

static inline void
expect_sense(struct scsi_result got, enum scsi_sense sense, const char *file, int line)
{
	struct scsi_result want = scsi_sense(sense);

	_assert_int_equal(got.status, SCSI_CHECK_CONDITION, file, line);
	_assert_int_equal(got.key << 16 | got.asc << 8 | got.ascq,
			  want.key << 16 | want.asc << 8 | want.ascq, file, line);
}
#define assert_sense(r, name) expect_sense((r).res, SENSE_##name, __FILE__, __LINE__)

static inline void
expect_field(struct scsi_result got, bool in_cdb, unsigned byte, unsigned bit, const char *file,
	     int line)
{
	expect_sense(got,
		     in_cdb ? SENSE_INVALID_FIELD_IN_CDB : SENSE_INVALID_FIELD_IN_PARAMETER_LIST,
		     file, line);
	_assert_true(got.field_valid, "field_valid", file, line);
	_assert_int_equal(got.field_in_cdb, in_cdb, file, line);
	_assert_int_equal(got.field, byte, file, line);
	_assert_int_equal(got.field_bit, bit, file, line);
}
#define assert_bad_cdb(r, byte, bit) expect_field((r).res, true, byte, bit, __FILE__, __LINE__)
#define assert_bad_parameter(r, byte, bit)                                               \
	expect_field((r).res, false, byte, bit, __FILE__, __LINE__)

/* Set up and tear down of a test with one fake, ready to take commands. */
static inline struct scsi_fake *
fake_new(void (*change)(struct scsi_fake *f))
{
	struct scsi_fake *f = malloc(sizeof(*f));

	assert_non_null(f);
	scsi_fake_init(f);
	if (change)
		change(f);
	scsi_fake_open(f);
	scsi_fake_clear_attentions(f);
	return f;
}

static inline void
fake_free(struct scsi_fake *f)
{
	scsi_fake_close(f);
	free(f);
}

static inline int
fake_setup(void **state)
{
	*state = fake_new(NULL);
	return 0;
}

static inline int
fake_teardown(void **state)
{
	fake_free(*state);
	return 0;
}

static inline uint64_t
n_requests(const struct scsi_fake *f)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SCSI_IO_KIND_LIMIT; i++)
		n += f->n_requests[i];
	return n;
}

#endif
