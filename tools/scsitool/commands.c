/* The commands of scsitool: a row each, CDB and all. SPC-4, SBC-3. */
#include "tools/scsitool/layouts.h"
#include "tools/scsitool/tool.h"

#define CDB_ARG(name_, byte_, shift_, bits_, value_)                                   \
	{                                                                              \
		.name = (name_), .where = ARG_CDB, .byte = (byte_), .shift = (shift_), \
		.bits = (bits_), .value = (value_)                                     \
	}
#define CDB_ARG_REQUIRED(name_, byte_, shift_, bits_)                                  \
	{                                                                              \
		.name = (name_), .where = ARG_CDB, .byte = (byte_), .shift = (shift_), \
		.bits = (bits_), .required = true                                      \
	}
#define OUT_ARG(name_, byte_, shift_, bits_)                               \
	{                                                                  \
		.name = (name_), .where = ARG_PARAMETERS, .byte = (byte_), \
		.shift = (shift_), .bits = (bits_)                         \
	}
#define TOOL_NUMBER(name_, value_)                                                \
	{                                                                         \
		.name = (name_), .where = ARG_TOOL, .bits = 64, .value = (value_) \
	}
#define TOOL_WORD(name_, required_)                                  \
	{                                                            \
		.name = (name_), .where = ARG_TOOL, .is_text = true, \
		.required = (required_)                              \
	}
#define LBA16 CDB_ARG("lba", 2, 0, 64, 0)
#define COUNT16(value) CDB_ARG("count", 10, 0, 32, value)

/* ALLOCATION LENGTH of 4096 where it has two bytes or more; INQUIRY and MODE SENSE (6):
 * as WinSpd. */
#define INQUIRY(evpd, page) .cdb = {0x12, (evpd), (page), 0, 255}, .n_cdb = 6, .size = 255
#define MODE_SENSE(page) \
	.cdb = {0x1a, 0, (page), 0, 255}, .n_cdb = 6, .size = 255, .layout = &layout_mode6
#define IN_A3(action) .cdb = {0xa3, (action), [8] = 0x10}, .n_cdb = 12, .size = 4096
#define PR_IN(action) \
	.cdb = {0x5e, (action), [7] = 0x10}, .n_cdb = 10, .size = 4096, .same_nexus = true
#define PR_OUT(action)                                                      \
	.cdb = {0x5f, (action), [8] = 24}, .n_cdb = 10, .n_parameters = 24, \
	.same_nexus = true
#define PR_TYPE CDB_ARG("type", 2, 0, 4, 1)
#define PR_KEY OUT_ARG("key", 0, 0, 64)
#define PR_NEW_KEY OUT_ARG("new-key", 8, 0, 64)
#define PR_APTPL OUT_ARG("aptpl", 20, 0, 1)
#define PR_ALL_PORTS OUT_ARG("all-tg-pt", 20, 2, 1)
#define START_STOP(what) \
	.cdb = {0x1b, [4] = (what)}, .n_cdb = 6, .args = {CDB_ARG("immed", 1, 0, 1, 0)}
#define IO_ARGS TOOL_NUMBER("lba", 0), TOOL_NUMBER("count", 1)

const struct tool_command tool_commands[] = {
	/* WinSpd's */
	{"devpath", "the path by which a device is reached", .run = tool_run_devpath,
	 .no_device = true},
	{"luns", "REPORT LUNS", .cdb = {0xa0, [8] = 4}, .n_cdb = 12, .size = 1024,
	 .layout = &layout_luns},
	{"inquiry", "INQUIRY, standard data", INQUIRY(0, 0), .layout = &layout_inquiry},
	{"vpd0", "supported VPD pages", INQUIRY(1, 0), .layout = &layout_vpd00},
	{"vpd80", "VPD page: unit serial number", INQUIRY(1, 0x80),
	 .layout = &layout_vpd80},
	{"vpd83", "VPD page: device identification", INQUIRY(1, 0x83),
	 .layout = &layout_vpd83},
	{"vpdb0", "VPD page: block limits", INQUIRY(1, 0xb0), .layout = &layout_vpdb0},
	{"vpdb2", "VPD page: logical block provisioning", INQUIRY(1, 0xb2),
	 .layout = &layout_vpdb2},
	{"mode-sense", "MODE SENSE, all pages", MODE_SENSE(0x3f),
	 .args = {CDB_ARG("page", 2, 0, 6, 0x3f), CDB_ARG("subpage", 3, 0, 8, 0),
		  CDB_ARG("pc", 2, 6, 2, 0), CDB_ARG("dbd", 1, 3, 1, 0)}},
	{"mode-caching", "MODE SENSE, caching page", MODE_SENSE(0x08)},
	{"capacity", "READ CAPACITY (10)", .cdb = {0x25}, .n_cdb = 10, .size = 8,
	 .layout = &layout_capacity10},
	{"capacity16", "READ CAPACITY (16)", .cdb = {0x9e, 0x10, [13] = 32}, .n_cdb = 16,
	 .size = 32, .layout = &layout_capacity16},
	/* more to ask */
	{"vpd86", "VPD page: extended INQUIRY data", INQUIRY(1, 0x86),
	 .layout = &layout_vpd86},
	{"vpd8f", "VPD page: third-party copy", INQUIRY(1, 0x8f),
	 .layout = &layout_vpd8f},
	{"vpdb1", "VPD page: block device characteristics", INQUIRY(1, 0xb1),
	 .layout = &layout_vpdb1},
	{"vpd", "any VPD page", INQUIRY(1, 0),
	 .args = {CDB_ARG_REQUIRED("page", 2, 0, 8)}, .run = tool_run_vpd},
	{"mode-control", "MODE SENSE, control page", MODE_SENSE(0x0a)},
	{"ready", "TEST UNIT READY", .cdb = {0x00}, .n_cdb = 6},
	{"request-sense", "REQUEST SENSE", .cdb = {0x03, [4] = 252}, .n_cdb = 6,
	 .size = 252, .args = {CDB_ARG("desc", 1, 0, 1, 0)}},
	{"get-lba-status", "GET LBA STATUS", .cdb = {0x9e, 0x12, [12] = 0x10},
	 .n_cdb = 16, .size = 4096, .layout = &layout_lba_status, .args = {LBA16}},
	{"log-sense", "LOG SENSE", .cdb = {0x4d, 0, 0x40, [7] = 0x10}, .n_cdb = 10,
	 .size = 4096, .layout = &layout_log,
	 .args = {CDB_ARG("page", 2, 0, 6, 0), CDB_ARG("subpage", 3, 0, 8, 0),
		  CDB_ARG("parameter", 5, 0, 16, 0)}},
	{"opcodes", "REPORT SUPPORTED OPERATION CODES", IN_A3(0x0c),
	 .layout = &layout_opcodes},
	{"opcode", "the same of one opcode: its CDB usage", IN_A3(0x0c),
	 .layout = &layout_opcode,
	 .args = {CDB_ARG_REQUIRED("opcode", 3, 0, 8), CDB_ARG("action", 4, 0, 16, 0)},
	 .run = tool_run_opcode},
	{"tmf-list", "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", IN_A3(0x0d),
	 .layout = &layout_tmf},
	{"port-groups", "REPORT TARGET PORT GROUPS", IN_A3(0x0a),
	 .layout = &layout_port_groups},
	{"defects", "READ DEFECT DATA (12)", .cdb = {0xb7, 0x18, [8] = 0x10}, .n_cdb = 12,
	 .size = 4096, .layout = &layout_defects},
	/* reservations */
	{"reserve", "RESERVE (6)", .cdb = {0x16}, .n_cdb = 6, .same_nexus = true},
	{"release", "RELEASE (6)", .cdb = {0x17}, .n_cdb = 6, .same_nexus = true},
	{"pr-keys", "PERSISTENT RESERVE IN, keys", PR_IN(0), .layout = &layout_pr_keys},
	{"pr-reservation", "PERSISTENT RESERVE IN, reservation", PR_IN(1),
	 .layout = &layout_pr_reservation},
	{"pr-capabilities", "PERSISTENT RESERVE IN, capabilities", PR_IN(2),
	 .layout = &layout_pr_capabilities},
	{"pr-status", "PERSISTENT RESERVE IN, full status", PR_IN(3),
	 .layout = &layout_pr_status},
	{"pr-register", "PERSISTENT RESERVE OUT: register new-key", PR_OUT(0),
	 .args = {PR_KEY, PR_NEW_KEY, PR_APTPL, PR_ALL_PORTS}},
	{"pr-register-ignore", "the same whatever key there is", PR_OUT(6),
	 .args = {PR_NEW_KEY, PR_APTPL, PR_ALL_PORTS}},
	{"pr-reserve", "PERSISTENT RESERVE OUT: reserve", PR_OUT(1),
	 .args = {PR_KEY, PR_TYPE}},
	{"pr-release", "PERSISTENT RESERVE OUT: release", PR_OUT(2),
	 .args = {PR_KEY, PR_TYPE}},
	{"pr-clear", "PERSISTENT RESERVE OUT: clear", PR_OUT(3), .args = {PR_KEY}},
	{"pr-preempt", "PERSISTENT RESERVE OUT: preempt victim", PR_OUT(4),
	 .args = {PR_KEY, OUT_ARG("victim", 8, 0, 64), PR_TYPE}},
	{"pr-preempt-abort", "the same, aborting its tasks", PR_OUT(5),
	 .args = {PR_KEY, OUT_ARG("victim", 8, 0, 64), PR_TYPE}},
	/* the medium */
	{"start", "START STOP UNIT: start", START_STOP(1)},
	{"stop", "START STOP UNIT: stop", START_STOP(0)},
	{"eject", "START STOP UNIT: eject", START_STOP(2)},
	{"load", "START STOP UNIT: load", START_STOP(3)},
	{"prevent", "PREVENT ALLOW MEDIUM REMOVAL: prevent", .cdb = {0x1e, [4] = 1},
	 .n_cdb = 6, .same_nexus = true},
	{"allow", "PREVENT ALLOW MEDIUM REMOVAL: allow", .cdb = {0x1e}, .n_cdb = 6,
	 .same_nexus = true},
	{"mode-select", "MODE SELECT (10): change fields of a page",
	 .run = tool_run_mode_select, .rest = true,
	 .args = {TOOL_NUMBER("page", 0x3f), TOOL_NUMBER("sp", 0)}},
	{"sanitize", "SANITIZE: block-erase, overwrite, crypto-erase, exit",
	 .run = tool_run_sanitize,
	 .args = {TOOL_WORD("action", true), TOOL_NUMBER("immed", 0)}},
	/* blocks */
	{"read", "blocks, as hexadecimal or into a file", .run = tool_run_io,
	 .geometry = true, .any_way = true, .args = {IO_ARGS, TOOL_WORD("file", false)}},
	{"write", "blocks from a file, hex:…, zero", .run = tool_run_io, .geometry = true,
	 .any_way = true,
	 .args = {IO_ARGS, TOOL_WORD("data", true), TOOL_NUMBER("fua", 0)}},
	{"sync", "SYNCHRONIZE CACHE (16)", .run = tool_run_io, .geometry = true,
	 .any_way = true, .args = {TOOL_NUMBER("lba", 0), TOOL_NUMBER("count", 0)}},
	{"unmap", "UNMAP", .run = tool_run_io, .geometry = true, .any_way = true,
	 .args = {IO_ARGS}},
	{"verify", "VERIFY (16), with data to compare if given", .cdb = {0x8f},
	 .n_cdb = 16, .geometry = true,
	 .args = {LBA16, COUNT16(1), TOOL_WORD("data", false)}, .run = tool_run_data_out},
	{"write-same", "WRITE SAME (16): one block over a range", .cdb = {0x93},
	 .n_cdb = 16, .geometry = true,
	 .args = {LBA16, COUNT16(1), TOOL_WORD("data", false),
		  CDB_ARG("unmap", 1, 3, 1, 0), CDB_ARG("anchor", 1, 4, 1, 0),
		  CDB_ARG("ndob", 1, 0, 1, 0)},
	 .run = tool_run_data_out},
	{"compare-and-write", "COMPARE AND WRITE: old blocks, then new ones",
	 .cdb = {0x89}, .n_cdb = 16, .geometry = true,
	 .args = {LBA16, CDB_ARG("count", 13, 0, 8, 1), TOOL_WORD("data", true)},
	 .run = tool_run_data_out},
	{"orwrite", "ORWRITE (16)", .cdb = {0x8b}, .n_cdb = 16, .geometry = true,
	 .args = {LBA16, COUNT16(1), TOOL_WORD("data", true)}, .run = tool_run_data_out},
	{"prefetch", "PRE-FETCH (16)", .cdb = {0x90}, .n_cdb = 16,
	 .args = {LBA16, COUNT16(0)}},
	{"copy", "EXTENDED COPY within the unit", .run = tool_run_copy, .geometry = true,
	 .args = {TOOL_NUMBER("from", 0), TOOL_NUMBER("to", 0), TOOL_NUMBER("count", 1)}},
	{"copy-parameters", "RECEIVE COPY OPERATING PARAMETERS",
	 .cdb = {0x84, 0x03, [12] = 0x10}, .n_cdb = 16, .size = 4096,
	 .layout = &layout_copy_parameters},
	/* anything */
	{"raw", "a CDB of hexadecimal bytes; in=BYTES or out=DATA,n=BYTES",
	 .run = tool_run_raw, .rest = true,
	 .args = {TOOL_NUMBER("in", 0), TOOL_WORD("out", false), TOOL_NUMBER("n", 0)}},
	{"reset", "task management: what=lun, what=target", .run = tool_run_reset,
	 .args = {TOOL_WORD("what", false)}},
};
const size_t n_tool_commands = ARRAY_SIZE(tool_commands);
