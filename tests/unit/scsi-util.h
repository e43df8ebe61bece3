/* Assertions on replies of scsi-fake: included after cmocka.h by the tests of scsi/. */
#ifndef USERDRIVE_TESTS_SCSI_UTIL_H
#define USERDRIVE_TESTS_SCSI_UTIL_H

#include <string.h>
#include "base/endian.h"
#include "scsi-fake.h"
#include "scsi/lu.h"

#define RUN(f, nexus, ...)                                                               \
	scsi_fake_run(f, nexus, (const uint8_t[]){__VA_ARGS__},                          \
		      sizeof((const uint8_t[]){__VA_ARGS__}), NULL, 0)
#define RUN_OUT(f, nexus, out, n_out, ...)                                               \
	scsi_fake_run(f, nexus, (const uint8_t[]){__VA_ARGS__},                          \
		      sizeof((const uint8_t[]){__VA_ARGS__}), out, n_out)

#define assert_good(r) assert_sense(r, SENSE_NONE)
#define assert_conflict(r) assert_int_equal((r).res.status, SCSI_RESERVATION_CONFLICT)
#define assert_bad_cdb(r, byte, bit) assert_field(r, true, byte, bit)
#define assert_bad_parameter(r, byte, bit) assert_field(r, false, byte, bit)

/* As macros, so that a failure names the test's line; the reply is made once. */
#define assert_sense(r, name)                                                            \
	do {                                                                             \
		struct scsi_result got_ = (r).res, want_ = wanted(name);                 \
                                                                                         \
		assert_int_equal(got_.status, want_.status);                             \
		assert_int_equal(got_.key << 16 | got_.asc << 8 | got_.ascq,             \
				 want_.key << 16 | want_.asc << 8 | want_.ascq);         \
	} while (0)

#define assert_field(r, in_cdb, at, at_bit)                                              \
	do {                                                                             \
		struct scsi_result field_ = (r).res;                                     \
                                                                                         \
		assert_sense((struct scsi_fake_reply){.res = field_},                    \
			     (in_cdb) ? SENSE_INVALID_FIELD_IN_CDB :                     \
					SENSE_INVALID_FIELD_IN_PARAMETER_LIST);          \
		assert_true(field_.field_valid);                                         \
		assert_int_equal(field_.field_in_cdb, in_cdb);                           \
		assert_int_equal(field_.field, at);                                      \
		assert_int_equal(field_.field_bit, at_bit);                              \
	} while (0)

static inline struct scsi_result
wanted(enum scsi_sense sense)
{
	return sense == SENSE_NONE ? scsi_good() : scsi_sense(sense);
}

static inline void
set_length(uint8_t *cdb, unsigned at, unsigned size, uint32_t n)
{
	for (unsigned i = 0; i < size; i++)
		cdb[at + i] = (uint8_t)(n >> 8 * (size - 1 - i));
}

/* The whole reply is want; with each ALLOCATION LENGTH (size bytes at CDB byte at) from 0 to beyond
 * its end it is want's first bytes, and not one more is written. */
static inline void
check_truncation(struct scsi_fake *f, const uint8_t *cdb, size_t n_cdb, unsigned at, unsigned size,
		 const uint8_t *want, size_t n_want)
{
	uint8_t copy[SCSI_CDB_MAX];

	memcpy(copy, cdb, n_cdb);
	for (uint32_t n = 0; n <= n_want + 2 && (size > 1 || n < 256); n++) {
		struct scsi_fake_reply r;

		set_length(copy, at, size, n);
		r = scsi_fake_run(f, 0, copy, n_cdb, NULL, 0);
		assert_good(r);
		assert_int_equal(r.n_transfer, n);
		assert_int_equal(r.n_in, n < n_want ? n : n_want);
		assert_memory_equal(r.in, want, r.n_in);
		assert_int_equal(r.in[r.n_in], 0xa5);
	}
}

/* A program of any size that is never asked for anything that matters. */
static inline bool
huge_submit(void *backend, struct scsi_backend_req *req, struct scsi_result *ret_res)
{
	(void)backend;
	(void)req;
	*ret_res = scsi_good();
	return true;
}

#endif
