/* Breaks when a log page has other bytes than the standard gives it, or counts wrongly what is
 * mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "scsi-util.h"

static void
start(struct scsi_fake *f, uint32_t without)
{
	scsi_fake_init(f);
	f->kinds &= ~without;
	scsi_fake_open(f);
	scsi_fake_clear_attentions(f);
}

static void
check_page(struct scsi_fake *f, uint8_t code, uint8_t subpage, const uint8_t *want, size_t n)
{
	const uint8_t cdb[10] = {0x4d, 0, 0x40 | code, subpage};

	check_truncation(f, cdb, sizeof(cdb), 7, 2, want, n);
}

static void
test_pages(void **state)
{
	const uint8_t list[] = {0x80, 0, 0, 3, 0x00, 0x0c, 0x2f};
	const uint8_t subpages[] = {0xc0, 0xff, 0, 8, 0, 0, 0, 0xff, 0x0c, 0, 0x2f, 0};
	const uint8_t exceptions[] = {0xaf, 0, 0, 8, 0, 0, 3, 4, 0, 0, 0xff, 0};
	struct scsi_fake f;

	(void)state;
	start(&f, 0);
	check_page(&f, 0x00, 0x00, list, sizeof(list));
	check_page(&f, 0x00, 0xff, subpages, sizeof(subpages));
	check_page(&f, 0x2f, 0x00, exceptions, sizeof(exceptions));
	scsi_fake_close(&f);
}

/* Who cannot tell what is mapped has no such page. */
static void
test_without_ranges(void **state)
{
	const uint8_t list[] = {0x80, 0, 0, 2, 0x00, 0x2f};
	struct scsi_fake f;

	(void)state;
	start(&f, SCSI_IO_BIT(SCSI_IO_QUERY_RANGES));
	check_page(&f, 0x00, 0x00, list, sizeof(list));
	assert_bad_cdb(RUN(&f, 0, 0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 64, 0), 2, 5);
	scsi_fake_close(&f);
}

static void
test_provisioning(void **state)
{
	static const uint8_t block[512];
	uint8_t want[] = {0x8c, 0, 0, 12, 0, 2, 3, 8, 0, 0, 0, 0, 1, 0, 0, 0};
	struct scsi_result failure;
	struct scsi_fake f;

	(void)state;
	start(&f, 0);
	check_page(&f, 0x0c, 0, want, sizeof(want));
	/* more runs than are asked for at once */
	for (unsigned lba = 0; lba < 1400; lba += 2)
		assert_good(RUN_OUT(&f, 0, block, 512, 0x2a, 0, 0, 0, (uint8_t)(lba >> 8),
				    (uint8_t)lba, 0, 0, 1, 0));
	put_be32(want + 8, 700);
	check_page(&f, 0x0c, 0, want, sizeof(want));
	failure = scsi_sense(SENSE_UNRECOVERED_READ_ERROR);
	scsi_fake_fail(&f, &failure);
	assert_sense(RUN(&f, 0, 0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 64, 0), SENSE_UNRECOVERED_READ_ERROR);
	scsi_fake_close(&f);
}

static void
test_errors(void **state)
{
	struct scsi_fake f;

	(void)state;
	start(&f, 0);
	for (unsigned code = 0; code < 64; code++)
		if (!memchr("\x00\x0c\x2f", (int)code, 3))
			assert_bad_cdb(RUN(&f, 0, 0x4d, 0, 0x40 | code, 0, 0, 0, 0, 0, 64, 0),
				       2, 5);
	assert_bad_cdb(RUN(&f, 0, 0x4d, 1, 0x40, 0, 0, 0, 0, 0, 64, 0), 1, 0);  /* SP */
	assert_bad_cdb(RUN(&f, 0, 0x4d, 2, 0x40, 0, 0, 0, 0, 0, 64, 0), 1, 1);  /* PPC */
	assert_bad_cdb(RUN(&f, 0, 0x4d, 0, 0x6f, 1, 0, 0, 0, 0, 64, 0), 3, 8);  /* subpage */
	assert_bad_cdb(RUN(&f, 0, 0x4d, 0, 0xaf, 0, 0, 0, 0, 0, 64, 0), 2, 7);  /* defaults */
	assert_good(RUN(&f, 0, 0x4d, 0, 0x00, 0, 0, 0, 0, 0, 64, 0));
	assert_good(RUN(&f, 0, 0x4d, 0, 0x4c, 0, 0, 0, 2, 0, 64, 0));
	assert_bad_cdb(RUN(&f, 0, 0x4d, 0, 0x4c, 0, 0, 0, 3, 0, 64, 0), 5, 8);  /* pointer */
	scsi_fake_close(&f);
}

static void
test_select(void **state)
{
	static const uint8_t list[8];
	struct scsi_fake f;

	(void)state;
	start(&f, 0);
	assert_good(RUN(&f, 0, 0x4c, 2, 0xc0, 0, 0, 0, 0, 0, 0, 0)); /* reset all */
	assert_good(RUN(&f, 0, 0x4c, 2, 0xef, 0, 0, 0, 0, 0, 0, 0));
	assert_good(RUN(&f, 0, 0x4c, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	assert_bad_cdb(RUN(&f, 0, 0x4c, 2, 0xc1, 0, 0, 0, 0, 0, 0, 0), 2, 5);
	assert_bad_cdb(RUN(&f, 0, 0x4c, 0, 0xef, 0, 0, 0, 0, 0, 0, 0), 2, 5);
	assert_bad_cdb(RUN(&f, 0, 0x4c, 1, 0, 0, 0, 0, 0, 0, 0, 0), 1, 0);
	assert_bad_cdb(RUN_OUT(&f, 0, list, 8, 0x4c, 0, 0, 0, 0, 0, 0, 0, 8, 0), 7, 8);
	scsi_fake_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_without_ranges),
		cmocka_unit_test(test_provisioning),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_select),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
