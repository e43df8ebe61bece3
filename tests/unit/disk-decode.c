/* Breaks when the answers of a target are printed otherwise, or when lengths that lie are
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/scsitool/layouts.h"
#include "tools/scsitool/tool.h"

static void
expect(enum tool_format format, const struct decode_layout *layout, const char *bytes,
       size_t size, const char *want)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	/* its own allocation: what is read beyond is seen by sanitizers and valgrind */
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, bytes, size);
	tool_print(format, layout, copy, size, &text);
	free(copy);
	assert_string_equal(buf_str(&text), want);
}
#define EXPECT(format, layout, bytes, want) \
	expect((format), &layout_##layout, (bytes), sizeof(bytes) - 1, (want))

static void
capacity(void **state UNUSED)
{
	static const char bytes[] = "\0\0\0\0\0\0\x7f\xff\0\0\x02\0\0\x03\xc0\0\0\0\0\0\0"
				    "\0\0\0\0\0\0\0\0\0\0\0";

	EXPECT(TOOL_CANONICAL, capacity16, bytes,
	       "RETURNED LOGICAL BLOCK ADDRESS=32767 7fffh\n"
	       "BLOCK LENGTH IN BYTES=512 200h\n"
	       "Reserved=0\n"
	       "P_TYPE=0\n"
	       "PROT_EN=0\n"
	       "P_I_EXPONENT=0\n"
	       "LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT=3\n"
	       "LBPME=1\n"
	       "LBPRZ=1\n"
	       "LOWEST ALIGNED LOGICAL BLOCK ADDRESS=0\n"
	       "Reserved=00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n");
	EXPECT(TOOL_JSON, capacity16, bytes,
	       "{\"returned_logical_block_address\":32767,\"block_length_in_bytes\":512,"
	       "\"p_type\":0,"
	       "\"prot_en\":0,\"p_i_exponent\":0,\"logical_blocks_per_physical_block_"
	       "exponent\":3,"
	       "\"lbpme\":1,\"lbprz\":1,\"lowest_aligned_logical_block_address\":0}");
	EXPECT(TOOL_TABLE, capacity10, "\0\0\x7f\xff\0\0\x02\0",
	       "   0    RETURNED LOGICAL BLOCK ADDRESS                32767 7fffh\n"
	       "   4    BLOCK LENGTH IN BYTES                         512 200h\n");
}

/* Numbers of 10 and more have two forms, those over 32 bits one. */
static void
numbers(void **state UNUSED)
{
	EXPECT(TOOL_CANONICAL, luns,
	       "\0\0\0\x10\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\x09",
	       "LUN LIST LENGTH (n-7)=16 10h\nReserved=0\nLUN=5000000000000h\nLUN=9\n");
	EXPECT(TOOL_JSON, luns, "\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x0a",
	       "{\"lun_list_length\":8,\"luns\":[{\"lun\":10}]}");
}

static void
designators(void **state UNUSED)
{
	static const char bytes[] = "\0\x83\0\x14\x02\0\0\x04"
				    "abc\0"
				    "\x01\x03\0\x08\x36\0\0\0\0\0\0\x01";

	EXPECT(TOOL_TABLE, vpd83, bytes,
	       "   0.7  PERIPHERAL QUALIFIER                          0  connected\n"
	       "   0.4  PERIPHERAL DEVICE TYPE                        0  direct access "
	       "block device\n"
	       "   1    PAGE CODE (83h)                               131 83h\n"
	       "   2    PAGE LENGTH (n-3)                             20 14h\n"
	       "   4    IDENTIFIERS 1\n"
	       "   4.7    PROTOCOL IDENTIFIER                         0\n"
	       "   4.3    CODE SET                                    2  ASCII\n"
	       "   5.7    PIV                                         0\n"
	       "   5.5    ASSOCIATION                                 0  logical unit\n"
	       "   5.3    IDENTIFIER TYPE                             0  vendor "
	       "specific\n"
	       "   7      IDENTIFIER LENGTH (m-3)                     4\n"
	       "   8      IDENTIFIER                                  abc\n"
	       "  12    IDENTIFIERS 2\n"
	       "  12.7    PROTOCOL IDENTIFIER                         0\n"
	       "  12.3    CODE SET                                    1  binary\n"
	       "  13.7    PIV                                         0\n"
	       "  13.5    ASSOCIATION                                 0  logical unit\n"
	       "  13.3    IDENTIFIER TYPE                             3  NAA\n"
	       "  15      IDENTIFIER LENGTH (m-3)                     8\n"
	       "  16      IDENTIFIER                                  36 00 00 00 00 00 "
	       "00 01\n");
}

static void
mode_pages(void **state UNUSED)
{
	static const char bytes[] =
		"\x15\0\x90\0\x08\x0a\x04\0\0\0\0\0\0\0\0\0\x3e\x04\x01\x02\x03\x04";

	EXPECT(TOOL_JSON, mode6, bytes,
	       "{\"mode_data_length\":21,\"medium_type\":0,\"wp\":1,\"dpofua\":1,\"block_"
	       "descriptor_length\":0,"
	       "\"block_descriptors\":\"\",\"mode_pages\":[{\"ps\":0,\"spf\":0,\"page_"
	       "code\":8,"
	       "\"page_length\":10,\"ic\":0,\"abpf\":0,\"cap\":0,\"disc\":0,\"size\":0,"
	       "\"wce\":1,\"mf\":0,"
	       "\"rcd\":0,\"demand_read_retention_priority\":0,\"write_retention_"
	       "priority\":0,"
	       "\"disable_pre_fetch_transfer_length\":0,\"minimum_pre_fetch\":0,"
	       "\"maximum_pre_fetch\":0,"
	       "\"maximum_pre_fetch_ceiling\":0},{\"ps\":0,\"spf\":0,\"page_code\":62,"
	       "\"page_length\":4,"
	       "\"data\":\"01 02 03 04\"}]}");
}

/* What is not there is left out; what is said to be there is warned of. */
static void
short_answers(void **state UNUSED)
{
	EXPECT(TOOL_CANONICAL, capacity16, "", "");
	EXPECT(TOOL_CANONICAL, capacity10, "\x01\x02",
	       "RETURNED LOGICAL BLOCK ADDRESS=258 102h\n");
	EXPECT(TOOL_CANONICAL, vpd80,
	       "\0\x80\0\x24"
	       "ab",
	       "PERIPHERAL QUALIFIER=0\nPERIPHERAL DEVICE TYPE=0\nPAGE CODE (80h)=128 "
	       "80h\n"
	       "PAGE LENGTH (n-3)=36 24h (WARN: data buffer length mismatch)\nPRODUCT "
	       "SERIAL NUMBER=ab\n");
	/* an item that says to be longer than its list */
	EXPECT(TOOL_JSON, vpd8f, "\0\x8f\0\x06\0\x01\0\xff\x01\x02",
	       "{\"peripheral_qualifier\":0,\"peripheral_device_type\":0,\"page_code\":"
	       "143,\"page_length\":6,"
	       "\"third_party_copy_descriptors\":[{\"third_party_copy_descriptor_type\":"
	       "1,"
	       "\"third_party_copy_descriptor_length\":255,\"data\":\"01 02\"}]}");
	/* a length that is less than the field itself says */
	EXPECT(TOOL_CANONICAL, pr_capabilities, "\0\x01\xff",
	       "LENGTH (0008h)=1 (WARN: a length that cannot be)\nRLR_C=1\nReserved=3 "
	       "(WARN: non-zero reserved value)\n"
	       "CRH=1\nSIP_C=1\nATP_C=1\nReserved=1 (WARN: non-zero reserved "
	       "value)\nPTPL_C=1\n");
}

/* Bytes that are no text do not reach a terminal. */
static void
hostile_text(void **state UNUSED)
{
	EXPECT(TOOL_CANONICAL, vpd80,
	       "\0\x80\0\x05"
	       "a\x1b[2\xff",
	       "PERIPHERAL QUALIFIER=0\nPERIPHERAL DEVICE TYPE=0\nPAGE CODE (80h)=128 "
	       "80h\nPAGE LENGTH (n-3)=5\n"
	       "PRODUCT SERIAL NUMBER=a.[2.\n");
}

static void
sense(void **state UNUSED)
{
	static const uint8_t fixed[] = {0x70, 0, 5}, descriptor[] = {0x72, 5},
			     other[] = {0x12};

	assert_ptr_equal(layout_of_sense(fixed, 3), &layout_sense_fixed);
	assert_ptr_equal(layout_of_sense(descriptor, 2), &layout_sense_descriptor);
	assert_ptr_equal(layout_of_sense(other, 1), &layout_sense);
	assert_ptr_equal(layout_of_sense(other, 0), &layout_sense);
}

static void
outcomes(void **state UNUSED)
{
	static const uint8_t field[] = {0x70, 0, 5, 0,	  0, 0, 0,    10, 0,
					0,    0, 0, 0x24, 0, 0, 0xcf, 0,  4};
	struct disk_outcome out = {.status = 0x02, .n_sense = sizeof(field)};
	char text[256], tiny[8];

	memcpy(out.sense, field, sizeof(field));
	disk_outcome_format(NULL, &out, text, sizeof(text));
	assert_string_equal(text, "CHECK CONDITION: ILLEGAL REQUEST, INVALID FIELD IN "
				  "CDB (24h/00h), CDB byte 4 "
				  "bit 7");
	disk_outcome_format(NULL, &out, tiny, sizeof(tiny));
	assert_string_equal(tiny, "CHECK C");
	out.n_sense = 0;
	disk_outcome_format(NULL, &out, text, sizeof(text));
	assert_string_equal(text, "CHECK CONDITION, without sense data that can be read");
	out.status = 0x18;
	disk_outcome_format(NULL, &out, text, sizeof(text));
	assert_string_equal(text, "RESERVATION CONFLICT");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity),	 cmocka_unit_test(numbers),
		cmocka_unit_test(designators),	 cmocka_unit_test(mode_pages),
		cmocka_unit_test(short_answers), cmocka_unit_test(hostile_text),
		cmocka_unit_test(sense),	 cmocka_unit_test(outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
