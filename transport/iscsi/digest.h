/* CRC32C (Castagnoli), the digest of iSCSI headers and data: RFC 7143 13.1. Pure; any thread. */
#ifndef USERDRIVE_ISCSI_DIGEST_H
#define USERDRIVE_ISCSI_DIGEST_H

#include "base/compiler.h"

/* Continues with more bytes; start with ISCSI_CRC_START, end with iscsi_crc_end. */
#define ISCSI_CRC_START 0xffffffffu
uint32_t iscsi_crc_add(uint32_t crc, const void *bytes, size_t size);
/* The same by tables alone, what runs where the CPU has no instruction for it; for tests. */
uint32_t iscsi_crc_add_portable(uint32_t crc, const void *bytes, size_t size);
/* The digest's four bytes as they travel. */
void iscsi_crc_end(uint32_t crc, uint8_t dst[4]);

#endif
