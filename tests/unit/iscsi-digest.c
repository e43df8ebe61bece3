/* A wrong digest makes every PDU of every initiator that asks for digests an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "transport/iscsi/digest.h"

typedef uint32_t crc_fn(uint32_t crc, const void *bytes, size_t size);

static void
check(crc_fn *crc, const uint8_t *bytes, size_t size, const uint8_t want[4])
{
	uint8_t got[4];

	iscsi_crc_end(crc(ISCSI_CRC_START, bytes, size), got);
	assert_memory_equal(got, want, 4);
}

/* RFC 7143 appendix A.4, as the bytes lie on the wire */
static void
check_vectors(crc_fn *crc)
{
	static const uint8_t read_pdu[48] = {
		0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0, 0, 0,    0,	   0, 0, 0, 0, 0x14, 0, 0, 0,	0,
		0,    0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0,    0, 0, 0x02};
	uint8_t bytes[32] = {0};

	check(crc, bytes, 32, (const uint8_t[]){0xaa, 0x36, 0x91, 0x8a});
	memset(bytes, 0xff, 32);
	check(crc, bytes, 32, (const uint8_t[]){0x43, 0xab, 0xa8, 0x62});
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	check(crc, bytes, 32, (const uint8_t[]){0x4e, 0x79, 0xdd, 0x46});
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(31 - i);
	check(crc, bytes, 32, (const uint8_t[]){0x5c, 0xdb, 0x3f, 0x11});
	check(crc, read_pdu, 48, (const uint8_t[]){0x56, 0x3a, 0x96, 0xd9});
}

static void
vectors_of_the_standard(void **state)
{
	check_vectors(iscsi_crc_add);
	check_vectors(iscsi_crc_add_portable);
}

/* Any cut of the bytes gives the same, at any alignment, with either code. */
static void
pieces_add_up(void **state)
{
	uint8_t bytes[67];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t from = 0; from < 9; from++) {
		size_t n = sizeof(bytes) - from;
		uint32_t whole = iscsi_crc_add(ISCSI_CRC_START, bytes + from, n);

		assert_int_equal(whole, iscsi_crc_add_portable(ISCSI_CRC_START, bytes + from, n));
		for (size_t cut = 0; cut <= n; cut++) {
			uint32_t crc = iscsi_crc_add(ISCSI_CRC_START, bytes + from, cut);

			assert_int_equal(whole, iscsi_crc_add(crc, bytes + from + cut, n - cut));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_standard),
		cmocka_unit_test(pieces_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
