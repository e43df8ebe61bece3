/*
 * Numbers on a wire, byte by byte: no alignment, no casts of packed structures. Callers have
 * checked the bounds.
 */
#ifndef USERDRIVE_BASE_ENDIAN_H
#define USERDRIVE_BASE_ENDIAN_H

#include <endian.h>
#include <string.h>
#include "base/compiler.h"

#define DEFINE_WIRE_ACCESSORS_(order, bits)                                              \
	static inline uint##bits##_t get_##order##bits(const void *p)                    \
	{                                                                                \
		uint##bits##_t v;                                                        \
                                                                                         \
		memcpy(&v, p, sizeof(v));                                                \
		return order##bits##toh(v);                                              \
	}                                                                                \
	static inline void put_##order##bits(void *p, uint##bits##_t v)                  \
	{                                                                                \
		v = hto##order##bits(v);                                                 \
		memcpy(p, &v, sizeof(v));                                                \
	}
DEFINE_WIRE_ACCESSORS_(be, 16)
DEFINE_WIRE_ACCESSORS_(be, 32)
DEFINE_WIRE_ACCESSORS_(be, 64)
DEFINE_WIRE_ACCESSORS_(le, 16)
DEFINE_WIRE_ACCESSORS_(le, 32)
DEFINE_WIRE_ACCESSORS_(le, 64)
#undef DEFINE_WIRE_ACCESSORS_

/* 24 bits, as SCSI and iSCSI have them */
static inline uint32_t
get_be24(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
}

static inline void
put_be24(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 16);
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)v;
}

#endif
