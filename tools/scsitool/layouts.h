/* The data that targets send, as tables: SPC-4, SBC-3. */
#ifndef USERDRIVE_TOOLS_SCSITOOL_LAYOUTS_H
#define USERDRIVE_TOOLS_SCSITOOL_LAYOUTS_H

#include "tools/scsitool/decode.h"

#define SCSITOOL_LAYOUTS(X)                                                            \
	X(inquiry)                                                                     \
	X(vpd) X(vpd00) X(vpd80) X(vpd83) X(vpd86) X(vpd8f) X(vpdb0) X(vpdb1) X(vpdb2) \
		X(luns) X(mode6) X(mode10) X(capacity10) X(capacity16) X(sense)        \
			X(sense_fixed) X(sense_descriptor) X(lba_status) X(log)        \
				X(opcodes) X(opcode) X(tmf) X(port_groups) X(pr_keys)  \
					X(pr_reservation) X(pr_capabilities)           \
						X(pr_status) X(defects)                \
							X(copy_parameters) X(bytes)
#define X(name) extern const struct decode_layout layout_##name;
SCSITOOL_LAYOUTS(X)
#undef X

/* Those that differ by what their first bytes say. */
const struct decode_layout *layout_of_vpd(uint8_t page);
const struct decode_layout *layout_of_sense(const uint8_t *bytes, size_t size);

#endif
