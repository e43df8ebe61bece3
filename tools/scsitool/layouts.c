#include "tools/scsitool/layouts.h"

/* clang-format off: rows are filled as the standards draw them */
#define U(w, n) {DECODE_NUMBER, DECODE_PLAIN, (w), (n)}
#define UN(w, n, names_) {DECODE_NUMBER, DECODE_PLAIN, (w), (n), .names = (names_)}
#define RES(w) {DECODE_NUMBER, DECODE_RESERVED, (w), "Reserved"}
#define OBS(w) {DECODE_NUMBER, DECODE_RESERVED, (w), "Obsolete"}
#define VS(w) {DECODE_NUMBER, DECODE_RESERVED, (w), "VS"}
#define LENGTH(w, n, a) {DECODE_NUMBER, DECODE_LENGTH, (w), (n), .add = (a)}
#define SIZE(w, n, a) {DECODE_NUMBER, DECODE_SIZE, (w), (n), .add = (a)}
#define TEXT(w, n) {DECODE_TEXT, DECODE_PLAIN, (w), (n)}
#define BYTES(w, n) {DECODE_BYTES, DECODE_PLAIN, (w), (n)}
#define AUTO(w, n) {DECODE_AUTO, DECODE_PLAIN, (w), (n)}
#define RESBYTES(w) {DECODE_BYTES, DECODE_RESERVED, (w), "Reserved"}
#define LIST(w, n, of) {DECODE_LIST, DECODE_PLAIN, (w), (n), .items = &(of)}
#define PICK(w, n, by) {DECODE_LIST, DECODE_PLAIN, (w), (n), .pick = (by)}
#define DEFINE(name) const struct decode_layout layout_##name = DECODE_LAYOUT(rows_##name)
#define LOCAL(name) static const struct decode_layout item_##name = DECODE_LAYOUT(rows_##name)

static const struct decode_name device_types[] = {
	{0x00, "direct access block device"}, {0x05, "CD/DVD"}, {0x0d, "enclosure"},
	{0x0e, "simplified direct access"}, {0x1f, "no device"}, {0}};
static const struct decode_name qualifiers[] = {
	{0, "connected"}, {1, "not connected"}, {3, "no device can be there"}, {0}};
static const struct decode_name versions[] = {
	{5, "SPC-3"}, {6, "SPC-4"}, {7, "SPC-5"}, {0}};
static const struct decode_name tpgs[] = {
	{0, "no asymmetric access"}, {1, "implicit"}, {2, "explicit"}, {3, "both"}, {0}};

#define PERIPHERAL                                 \
	UN(3, "PERIPHERAL QUALIFIER", qualifiers), \
		UN(5, "PERIPHERAL DEVICE TYPE", device_types)

/* SPC-4 6.6.2; the names of old bits as WinSpd prints them */
static const struct decode_field rows_inquiry[] = {
	PERIPHERAL, U(1, "RMB"), RES(7), UN(8, "VERSION", versions), OBS(1), OBS(1),
	U(1, "NORMACA"), U(1, "HISUP"), U(4, "RESPONSE DATA FORMAT"),
	LENGTH(8, "ADDITIONAL LENGTH (n-4)", 0), U(1, "SCCS"), U(1, "ACC"), UN(2, "TPGS", tpgs),
	U(1, "3PC"), RES(2), U(1, "PROTECT"), U(1, "BQUE"), U(1, "ENCSERV"), VS(1),
	U(1, "MULTIP"), U(1, "MCHNGR"), OBS(1), OBS(1), U(1, "ADDR16"), OBS(1), OBS(1),
	U(1, "WBUS16"), U(1, "SYNC"), U(1, "LINKED"), OBS(1), U(1, "CMDQUE"), VS(1),
	TEXT(8, "T10 VENDOR IDENTIFICATION"), TEXT(16, "PRODUCT IDENTIFICATION"),
	TEXT(4, "PRODUCT REVISION LEVEL"), RESBYTES(20), RES(4), U(2, "CLOCKING"), U(1, "QAS"),
	U(1, "IUS"), RES(8), U(16, "VERSION DESCRIPTOR 1"), U(16, "VERSION DESCRIPTOR 2"),
	U(16, "VERSION DESCRIPTOR 3"), U(16, "VERSION DESCRIPTOR 4"),
	U(16, "VERSION DESCRIPTOR 5"), U(16, "VERSION DESCRIPTOR 6"),
	U(16, "VERSION DESCRIPTOR 7"), U(16, "VERSION DESCRIPTOR 8"), RESBYTES(22),
	BYTES(0, "Vendor specific")};
DEFINE(inquiry);

#define VPD_HEAD(code) \
	PERIPHERAL, U(8, "PAGE CODE (" code ")"), LENGTH(16, "PAGE LENGTH (n-3)", 0)

static const struct decode_field rows_vpd[] = {
	PERIPHERAL, U(8, "PAGE CODE"), LENGTH(16, "PAGE LENGTH (n-3)", 0), BYTES(0, "DATA")};
DEFINE(vpd);
static const struct decode_field rows_vpd00[] = {
	VPD_HEAD("00h"), BYTES(0, "Supported VPD page list")};
DEFINE(vpd00);
static const struct decode_field rows_vpd80[] = {
	VPD_HEAD("80h"), TEXT(0, "PRODUCT SERIAL NUMBER")};
DEFINE(vpd80);

static const struct decode_name code_sets[] = {
	{1, "binary"}, {2, "ASCII"}, {3, "UTF-8"}, {0}};
static const struct decode_name associations[] = {
	{0, "logical unit"}, {1, "target port"}, {2, "target device"}, {0}};
static const struct decode_name designators[] = {
	{0, "vendor specific"}, {1, "T10 vendor ID"}, {2, "EUI-64"}, {3, "NAA"},
	{4, "relative target port"}, {5, "target port group"}, {6, "logical unit group"},
	{7, "MD5"}, {8, "SCSI name string"}, {9, "protocol specific port"}, {10, "UUID"}, {0}};
static const struct decode_field rows_designator[] = {
	U(4, "PROTOCOL IDENTIFIER"), UN(4, "CODE SET", code_sets), U(1, "PIV"), RES(1),
	UN(2, "ASSOCIATION", associations), UN(4, "IDENTIFIER TYPE", designators), RES(8),
	LENGTH(8, "IDENTIFIER LENGTH (m-3)", 0), AUTO(0, "IDENTIFIER")};
LOCAL(designator);
static const struct decode_field rows_vpd83[] = {
	VPD_HEAD("83h"), LIST(0, "IDENTIFIERS", item_designator)};
DEFINE(vpd83);

/* SPC-4 7.8.7 */
static const struct decode_field rows_vpd86[] = {
	VPD_HEAD("86h"), U(2, "ACTIVATE MICROCODE"), U(3, "SPT"), U(1, "GRD_CHK"),
	U(1, "APP_CHK"), U(1, "REF_CHK"), RES(2), U(1, "UASK_SUP"), U(1, "GROUP_SUP"),
	U(1, "PRIOR_SUP"), U(1, "HEADSUP"), U(1, "ORDSUP"), U(1, "SIMPSUP"), RES(4),
	U(1, "WU_SUP"), U(1, "CRD_SUP"), U(1, "NV_SUP"), U(1, "V_SUP"), RES(3), U(1, "P_I_I_SUP"),
	RES(3), U(1, "LUICLR"), RES(3), U(1, "R_SUP"), RES(3), U(1, "CBCS"), RES(4),
	U(4, "MULTI I_T NEXUS MICROCODE DOWNLOAD"),
	U(16, "EXTENDED SELF-TEST COMPLETION MINUTES"), U(1, "POA_SUP"), U(1, "HRA_SUP"),
	U(1, "VSA_SUP"), RES(5), U(8, "MAXIMUM SUPPORTED SENSE DATA LENGTH"), RESBYTES(0)};
DEFINE(vpd86);

static const struct decode_field rows_third_party[] = {
	U(16, "THIRD-PARTY COPY DESCRIPTOR TYPE"),
	LENGTH(16, "THIRD-PARTY COPY DESCRIPTOR LENGTH", 0), BYTES(0, "DATA")};
LOCAL(third_party);
static const struct decode_field rows_vpd8f[] = {
	VPD_HEAD("8Fh"), LIST(0, "THIRD-PARTY COPY DESCRIPTORS", item_third_party)};
DEFINE(vpd8f);

/* SBC-3 6.6.4 */
static const struct decode_field rows_vpdb0[] = {
	PERIPHERAL, U(8, "PAGE CODE (B0h)"), LENGTH(16, "PAGE LENGTH (003Ch)", 0), RES(7),
	U(1, "WSNZ"), U(8, "MAXIMUM COMPARE AND WRITE LENGTH"),
	U(16, "OPTIMAL TRANSFER LENGTH GRANULARITY"), U(32, "MAXIMUM TRANSFER LENGTH"),
	U(32, "OPTIMAL TRANSFER LENGTH"),
	U(32, "MAXIMUM PREFETCH XDREAD XDWRITE TRANSFER LENGTH"),
	U(32, "MAXIMUM UNMAP LBA COUNT"), U(32, "MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT"),
	U(32, "OPTIMAL UNMAP GRANULARITY"), U(1, "UGAVALID"),
	U(31, "UNMAP GRANULARITY ALIGNMENT"), U(64, "MAXIMUM WRITE SAME LENGTH"),
	U(32, "MAXIMUM ATOMIC TRANSFER LENGTH"), U(32, "ATOMIC ALIGNMENT"),
	U(32, "ATOMIC TRANSFER LENGTH GRANULARITY"), RESBYTES(0)};
DEFINE(vpdb0);

static const struct decode_name rotations[] = {
	{0, "not reported"}, {1, "solid state"}, {0}};
static const struct decode_field rows_vpdb1[] = {
	VPD_HEAD("B1h"), UN(16, "MEDIUM ROTATION RATE", rotations), U(8, "PRODUCT TYPE"),
	U(2, "WABEREQ"), U(2, "WACEREQ"), U(4, "NOMINAL FORM FACTOR"), RES(6), U(1, "FUAB"),
	U(1, "VBULS"), RESBYTES(0)};
DEFINE(vpdb1);

static const struct decode_name provisioning[] = {
	{0, "full"}, {1, "resource"}, {2, "thin"}, {0}};
static const struct decode_field rows_vpdb2[] = {
	VPD_HEAD("B2h"), U(8, "THRESHOLD EXPONENT"), U(1, "LBPU"), U(1, "LBPWS"), U(1, "LBPWS10"),
	RES(2), U(1, "LBPRZ"), U(1, "ANC_SUP"), U(1, "DP"), RES(5),
	UN(3, "PROVISIONING TYPE", provisioning), RES(8),
	BYTES(0, "PROVISIONING GROUP DESCRIPTOR")};
DEFINE(vpdb2);

/* clang-format on */
const struct decode_layout *
layout_of_vpd(uint8_t page)
{
	static const struct {
		uint8_t page;
		const struct decode_layout *layout;
	} pages[] = {
		{0x00, &layout_vpd00}, {0x80, &layout_vpd80}, {0x83, &layout_vpd83},
		{0x86, &layout_vpd86}, {0x8f, &layout_vpd8f}, {0xb0, &layout_vpdb0},
		{0xb1, &layout_vpdb1}, {0xb2, &layout_vpdb2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i].page == page)
			return pages[i].layout;
	return &layout_vpd;
}

/* clang-format off */
static const struct decode_field rows_lun[] = {
	U(64, "LUN")};
LOCAL(lun);
static const struct decode_field rows_luns[] = {
	LENGTH(32, "LUN LIST LENGTH (n-7)", 4), RES(32), LIST(0, "LUNS", item_lun)};
DEFINE(luns);

/* Mode pages: SBC-3 6.5, SPC-4 7.5 */
#define PAGE_HEAD U(1, "PS"), U(1, "SPF"), U(6, "PAGE CODE"), LENGTH(8, "PAGE LENGTH", 0)
static const struct decode_field rows_page_error[] = {
	PAGE_HEAD, U(1, "AWRE"), U(1, "ARRE"), U(1, "TB"), U(1, "RC"), U(1, "EER"), U(1, "PER"),
	U(1, "DTE"), U(1, "DCR"), U(8, "READ RETRY COUNT"), OBS(24), U(1, "LBPERE"), RES(7),
	U(8, "WRITE RETRY COUNT"), RES(8), U(16, "RECOVERY TIME LIMIT"), RESBYTES(0)};
LOCAL(page_error);
static const struct decode_field rows_page_caching[] = {
	PAGE_HEAD, U(1, "IC"), U(1, "ABPF"), U(1, "CAP"), U(1, "DISC"), U(1, "SIZE"), U(1, "WCE"),
	U(1, "MF"), U(1, "RCD"), U(4, "DEMAND READ RETENTION PRIORITY"),
	U(4, "WRITE RETENTION PRIORITY"), U(16, "DISABLE PRE-FETCH TRANSFER LENGTH"),
	U(16, "MINIMUM PRE-FETCH"), U(16, "MAXIMUM PRE-FETCH"),
	U(16, "MAXIMUM PRE-FETCH CEILING"), U(1, "FSW"), U(1, "LBCSS"), U(1, "DRA"), VS(2),
	U(2, "SYNC_PROG"), U(1, "NV_DIS"), U(8, "NUMBER OF CACHE SEGMENTS"),
	U(16, "CACHE SEGMENT SIZE"), RES(8), RESBYTES(0)};
LOCAL(page_caching);
static const struct decode_field rows_page_control[] = {
	PAGE_HEAD, U(3, "TST"), U(1, "TMF_ONLY"), U(1, "DPICZ"), U(1, "D_SENSE"), U(1, "GLTSD"),
	U(1, "RLEC"), U(4, "QUEUE ALGORITHM MODIFIER"), U(1, "NUAR"), U(2, "QERR"), OBS(1), VS(1),
	U(1, "RAC"), U(2, "UA_INTLCK_CTRL"), U(1, "SWP"), OBS(3), U(1, "ATO"), U(1, "TAS"),
	U(1, "ATMPE"), U(1, "RWWP"), RES(1), U(3, "AUTOLOAD MODE"), OBS(16),
	U(16, "BUSY TIMEOUT PERIOD"), U(16, "EXTENDED SELF-TEST COMPLETION TIME")};
LOCAL(page_control);
static const struct decode_field rows_page_exceptions[] = {
	PAGE_HEAD, U(1, "PERF"), RES(1), U(1, "EBF"), U(1, "EWASC"), U(1, "DEXCPT"), U(1, "TEST"),
	U(1, "EBACKERR"), U(1, "LOGERR"), RES(4), U(4, "MRIE"), U(32, "INTERVAL TIMER"),
	U(32, "REPORT COUNT")};
LOCAL(page_exceptions);
static const struct decode_field rows_page_other[] = {
	PAGE_HEAD, BYTES(0, "DATA")};
LOCAL(page_other);
static const struct decode_field rows_subpage[] = {
	U(1, "PS"), U(1, "SPF"), U(6, "PAGE CODE"), U(8, "SUBPAGE CODE"),
	LENGTH(16, "PAGE LENGTH", 0), BYTES(0, "DATA")};
LOCAL(subpage);

/* clang-format on */
static const struct decode_layout *
pick_mode_page(const uint8_t *item, size_t size UNUSED)
{
	switch (item[0] & 0x7f) {
	case 0x01:
		return &item_page_error;
	case 0x08:
		return &item_page_caching;
	case 0x0a:
		return &item_page_control;
	case 0x1c:
		return &item_page_exceptions;
	default:
		return item[0] & 0x40 ? &item_subpage : &item_page_other;
	}
}

/* clang-format off */
static const struct decode_field rows_mode6[] = {
	LENGTH(8, "MODE DATA LENGTH (n-0)", 0), U(8, "MEDIUM TYPE"), U(1, "WP"), RES(2),
	U(1, "DPOFUA"), RES(4), SIZE(8, "BLOCK DESCRIPTOR LENGTH", 0),
	BYTES(0, "BLOCK DESCRIPTORS"), PICK(0, "MODE PAGES", pick_mode_page)};
DEFINE(mode6);
static const struct decode_field rows_mode10[] = {
	LENGTH(16, "MODE DATA LENGTH (n-1)", 0), U(8, "MEDIUM TYPE"), U(1, "WP"), RES(2),
	U(1, "DPOFUA"), RES(4), RES(7), U(1, "LONGLBA"), RES(8),
	SIZE(16, "BLOCK DESCRIPTOR LENGTH", 0), BYTES(0, "BLOCK DESCRIPTORS"),
	PICK(0, "MODE PAGES", pick_mode_page)};
DEFINE(mode10);

static const struct decode_field rows_capacity10[] = {
	U(32, "RETURNED LOGICAL BLOCK ADDRESS"), U(32, "BLOCK LENGTH IN BYTES")};
DEFINE(capacity10);
static const struct decode_field rows_capacity16[] = {
	U(64, "RETURNED LOGICAL BLOCK ADDRESS"), U(32, "BLOCK LENGTH IN BYTES"), RES(4),
	U(3, "P_TYPE"), U(1, "PROT_EN"), U(4, "P_I_EXPONENT"),
	U(4, "LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT"), U(1, "LBPME"), U(1, "LBPRZ"),
	U(14, "LOWEST ALIGNED LOGICAL BLOCK ADDRESS"), RESBYTES(16)};
DEFINE(capacity16);

static const struct decode_name keys[] = {
	{0, "NO SENSE"}, {1, "RECOVERED ERROR"}, {2, "NOT READY"}, {3, "MEDIUM ERROR"},
	{4, "HARDWARE ERROR"}, {5, "ILLEGAL REQUEST"}, {6, "UNIT ATTENTION"}, {7, "DATA PROTECT"},
	{8, "BLANK CHECK"}, {10, "COPY ABORTED"}, {11, "ABORTED COMMAND"},
	{13, "VOLUME OVERFLOW"}, {14, "MISCOMPARE"}, {15, "COMPLETED"}, {0}};
/* SPC-4 4.5.3, with the rows that WinSpd prints */
static const struct decode_field rows_sense_fixed[] = {
	U(1, "VALID"), U(7, "RESPONSE CODE (70h or 71h)"), OBS(8), U(1, "FILEMARK"), U(1, "EOM"),
	U(1, "ILI"), RES(1), UN(4, "SENSE KEY", keys), U(32, "INFORMATION"),
	LENGTH(8, "ADDITIONAL SENSE LENGTH (n-7)", 0), U(32, "COMMAND-SPECIFIC INFORMATION"),
	U(8, "ADDITIONAL SENSE CODE"), U(8, "ADDITIONAL SENSE CODE QUALIFIER"),
	U(8, "FIELD REPLACEABLE UNIT CODE"), U(1, "SKSV"), U(23, "SENSE KEY SPECIFIC"),
	BYTES(0, "Additional sense bytes")};
DEFINE(sense_fixed);
static const struct decode_field rows_sense_item[] = {
	U(8, "DESCRIPTOR TYPE"), LENGTH(8, "ADDITIONAL LENGTH", 0), BYTES(0, "DATA")};
LOCAL(sense_item);
static const struct decode_field rows_sense_descriptor[] = {
	RES(1), U(7, "RESPONSE CODE (72h or 73h)"), RES(4), UN(4, "SENSE KEY", keys),
	U(8, "ADDITIONAL SENSE CODE"), U(8, "ADDITIONAL SENSE CODE QUALIFIER"), RES(24),
	LENGTH(8, "ADDITIONAL SENSE LENGTH (n-7)", 0),
	LIST(0, "SENSE DATA DESCRIPTORS", item_sense_item)};
DEFINE(sense_descriptor);
static const struct decode_field rows_sense[] = {
	BYTES(0, "SENSE DATA")};
DEFINE(sense);

/* clang-format on */
const struct decode_layout *
layout_of_sense(const uint8_t *bytes, size_t size)
{
	uint8_t code = size ? bytes[0] & 0x7f : 0;

	if (code == 0x70 || code == 0x71)
		return &layout_sense_fixed;
	return code == 0x72 || code == 0x73 ? &layout_sense_descriptor : &layout_sense;
}

/* clang-format off */
static const struct decode_name lba_states[] = {
	{0, "mapped"}, {1, "deallocated"}, {2, "anchored"}, {0}};
static const struct decode_field rows_lba_extent[] = {
	U(64, "LOGICAL BLOCK ADDRESS"), U(32, "NUMBER OF LOGICAL BLOCKS"), RES(4),
	UN(4, "PROVISIONING STATUS", lba_states), RES(24)};
LOCAL(lba_extent);
static const struct decode_field rows_lba_status[] = {
	LENGTH(32, "PARAMETER DATA LENGTH (n-3)", 0), RES(32),
	LIST(0, "LBA STATUS DESCRIPTORS", item_lba_extent)};
DEFINE(lba_status);

static const struct decode_field rows_log_item[] = {
	U(16, "PARAMETER CODE"), U(1, "DU"), OBS(1), U(1, "TSD"), U(1, "ETC"), U(2, "TMC"),
	U(2, "FORMAT AND LINKING"), LENGTH(8, "PARAMETER LENGTH", 0), BYTES(0, "PARAMETER VALUE")};
LOCAL(log_item);
/* SPC-4 7.3.17: page 00h is a list of page codes, all others are parameters. */
static const struct decode_field rows_log_head[] = {
	U(1, "DS"), U(1, "SPF"), U(6, "PAGE CODE"), U(8, "SUBPAGE CODE"),
	LENGTH(16, "PAGE LENGTH", 0), LIST(0, "LOG PARAMETERS", item_log_item)};
LOCAL(log_head);
static const struct decode_field rows_log_list[] = {
	U(1, "DS"), U(1, "SPF"), U(6, "PAGE CODE"), U(8, "SUBPAGE CODE"),
	LENGTH(16, "PAGE LENGTH", 0), BYTES(0, "SUPPORTED PAGES")};
LOCAL(log_list);
static const struct decode_layout *
pick_log(const uint8_t *item, size_t size UNUSED)
{
	return (item[0] & 0x3f) == 0 ? &item_log_list : &item_log_head;
}
static const struct decode_field rows_log[] = {
	PICK(0, "LOG PAGE", pick_log)};
DEFINE(log);

/* SPC-4 6.35 */
static const struct decode_field rows_opcode_row[] = {
	U(8, "OPERATION CODE"), RES(8), U(16, "SERVICE ACTION"), RES(8), RES(6), U(1, "CTDP"),
	U(1, "SERVACTV"), U(16, "CDB LENGTH")};
LOCAL(opcode_row);
static const struct decode_field rows_opcodes[] = {
	LENGTH(32, "COMMAND DATA LENGTH (n-3)", 0), LIST(0, "COMMANDS", item_opcode_row)};
DEFINE(opcodes);
static const struct decode_name supports[] = {
	{0, "not known now"}, {1, "not supported"}, {3, "as the standard says"},
	{5, "vendor specific"}, {0}};
static const struct decode_field rows_opcode[] = {
	RES(8), U(1, "CTDP"), RES(4), UN(3, "SUPPORT", supports), SIZE(16, "CDB SIZE", 0),
	BYTES(0, "CDB USAGE DATA")};
DEFINE(opcode);

static const struct decode_field rows_tmf[] = {
	U(1, "ATS"), U(1, "ATSS"), U(1, "CACAS"), U(1, "CTSS"), U(1, "LURS"), U(1, "QTS"),
	U(1, "TRS"), U(1, "WAKES"), RES(5), U(1, "QAES"), U(1, "QTSS"), U(1, "ITNRS"), RES(8),
	U(8, "ADDITIONAL DATA LENGTH"), BYTES(0, "DATA")};
DEFINE(tmf);

static const struct decode_name access_states[] = {
	{0, "active/optimized"}, {1, "active/non-optimized"}, {2, "standby"}, {3, "unavailable"},
	{0xe, "offline"}, {0xf, "transitioning"}, {0}};
static const struct decode_field rows_port[] = {
	OBS(16), U(16, "RELATIVE TARGET PORT IDENTIFIER")};
LOCAL(port);
static const struct decode_field rows_port_group[] = {
	U(1, "PREF"), RES(3), UN(4, "ASYMMETRIC ACCESS STATE", access_states), U(1, "T_SUP"),
	U(1, "O_SUP"), RES(2), U(1, "U_SUP"), U(1, "S_SUP"), U(1, "AN_SUP"), U(1, "AO_SUP"),
	U(16, "TARGET PORT GROUP"), RES(8), U(8, "STATUS CODE"), U(8, "Vendor specific"),
	SIZE(8, "TARGET PORT COUNT", 4), LIST(0, "PORTS", item_port)};
LOCAL(port_group);
static const struct decode_field rows_port_groups[] = {
	LENGTH(32, "RETURN DATA LENGTH (n-3)", 0), LIST(0, "TARGET PORT GROUPS", item_port_group)};
DEFINE(port_groups);

static const struct decode_name pr_types[] = {
	{1, "Write Exclusive"}, {3, "Exclusive Access"}, {5, "Write Exclusive, Registrants Only"},
	{6, "Exclusive Access, Registrants Only"}, {7, "Write Exclusive, All Registrants"},
	{8, "Exclusive Access, All Registrants"}, {0}};
static const struct decode_field rows_pr_key[] = {
	U(64, "RESERVATION KEY")};
LOCAL(pr_key);
static const struct decode_field rows_pr_keys[] = {
	U(32, "PRGENERATION"), LENGTH(32, "ADDITIONAL LENGTH (n-7)", 0),
	LIST(0, "RESERVATION KEYS", item_pr_key)};
DEFINE(pr_keys);
static const struct decode_field rows_pr_holder[] = {
	U(64, "RESERVATION KEY"), OBS(32), RES(8), U(4, "SCOPE"), UN(4, "TYPE", pr_types), OBS(16)};
LOCAL(pr_holder);
static const struct decode_field rows_pr_reservation[] = {
	U(32, "PRGENERATION"), LENGTH(32, "ADDITIONAL LENGTH (n-7)", 0),
	LIST(0, "RESERVATION", item_pr_holder)};
DEFINE(pr_reservation);
static const struct decode_field rows_pr_capabilities[] = {
	LENGTH(16, "LENGTH (0008h)", -2), U(1, "RLR_C"), RES(2), U(1, "CRH"), U(1, "SIP_C"),
	U(1, "ATP_C"), RES(1), U(1, "PTPL_C"), U(1, "TMV"), U(3, "ALLOW COMMANDS"), RES(3),
	U(1, "PTPL_A"), U(1, "WR_EX_AR"), U(1, "EX_AC_RO"), U(1, "WR_EX_RO"), RES(1),
	U(1, "EX_AC"), RES(1), U(1, "WR_EX"), RES(1), RES(7), U(1, "EX_AC_AR"), RES(16)};
DEFINE(pr_capabilities);
static const struct decode_field rows_pr_nexus[] = {
	U(64, "RESERVATION KEY"), RES(32), RES(6), U(1, "ALL_TG_PT"), U(1, "R_HOLDER"),
	U(4, "SCOPE"), UN(4, "TYPE", pr_types), RES(32), U(16, "RELATIVE TARGET PORT IDENTIFIER"),
	LENGTH(32, "ADDITIONAL DESCRIPTOR LENGTH", 0), AUTO(0, "TRANSPORTID")};
LOCAL(pr_nexus);
static const struct decode_field rows_pr_status[] = {
	U(32, "PRGENERATION"), LENGTH(32, "ADDITIONAL LENGTH (n-7)", 0),
	LIST(0, "FULL STATUS", item_pr_nexus)};
DEFINE(pr_status);

static const struct decode_field rows_defects[] = {
	RES(8), RES(3), U(1, "PLISTV"), U(1, "GLISTV"), U(3, "DEFECT LIST FORMAT"),
	U(16, "GENERATION"), LENGTH(32, "DEFECT LIST LENGTH (n-7)", 0), BYTES(0, "DEFECT LIST")};
DEFINE(defects);
/* SPC-4 6.22 */
static const struct decode_field rows_copy_parameters[] = {
	LENGTH(32, "AVAILABLE DATA (n-3)", 0), RES(7), U(1, "SNLID"), RES(24),
	U(16, "MAXIMUM CSCD DESCRIPTOR COUNT"), U(16, "MAXIMUM SEGMENT DESCRIPTOR COUNT"),
	U(32, "MAXIMUM DESCRIPTOR LIST LENGTH"), U(32, "MAXIMUM SEGMENT LENGTH"),
	U(32, "MAXIMUM INLINE DATA LENGTH"), U(32, "HELD DATA LIMIT"),
	U(32, "MAXIMUM STREAM DEVICE TRANSFER SIZE"), RES(16), U(16, "TOTAL CONCURRENT COPIES"),
	U(8, "MAXIMUM CONCURRENT COPIES"), U(8, "DATA SEGMENT GRANULARITY"),
	U(8, "INLINE DATA GRANULARITY"), U(8, "HELD DATA GRANULARITY"), RES(24),
	SIZE(8, "IMPLEMENTED DESCRIPTOR LIST LENGTH", 0), BYTES(0, "IMPLEMENTED DESCRIPTOR TYPES")};
DEFINE(copy_parameters);
static const struct decode_field rows_bytes[] = {
	BYTES(0, "DATA")};
DEFINE(bytes);
