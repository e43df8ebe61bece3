/* Sizes as people write them: "10G", "512M", "4096". */
#ifndef USERDRIVE_BASE_TEXT_SIZE_H
#define USERDRIVE_BASE_TEXT_SIZE_H

#include "base/compiler.h"

/*
 * A whole decimal number, and after it K, M, G, T or P (powers of 1024; "KiB" is the same). 0;
 * -EINVAL for anything else, a sign and an empty text included; -ERANGE above INT64_MAX, which
 * no file can have.
 */
NODISCARD int size_parse(const char *text, uint64_t *ret_bytes);
/* "10 GiB", or "1.5 TiB"; rounded down. dst is returned. */
const char *size_format(uint64_t bytes, char *dst, size_t cap);

#endif
