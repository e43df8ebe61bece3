#include "transport/iscsi/digest.h"

#include <pthread.h>
#include "base/endian.h"

#define CASTAGNOLI 0x82f63b78u /* bit-reversed 1EDC6F41h */

/* slices[k][b]: byte b followed by k zero bytes. Eight bytes are then looked up at once. */
static uint32_t slices[8][256];
static pthread_once_t slices_once = PTHREAD_ONCE_INIT;

static void
make_slices(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ CASTAGNOLI : crc >> 1;
		slices[0][byte] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t byte = 0; byte < 256; byte++) {
			uint32_t crc = slices[k - 1][byte];

			slices[k][byte] = crc >> 8 ^ slices[0][crc & 0xff];
		}
}

static uint32_t
add_eight(uint32_t crc, const uint8_t *p)
{
	uint32_t low = crc ^ get_le32(p), high = get_le32(p + 4);
	uint32_t sum = 0;

	for (int i = 0; i < 4; i++) {
		sum ^= slices[7 - i][low >> 8 * i & 0xff];
		sum ^= slices[3 - i][high >> 8 * i & 0xff];
	}
	return sum;
}

uint32_t
iscsi_crc_add_portable(uint32_t crc, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	pthread_once(&slices_once, make_slices);
	for (; size >= 8; size -= 8, p += 8)
		crc = add_eight(crc, p);
	for (; size > 0; size--)
		crc = crc >> 8 ^ slices[0][(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
add_by_instruction(uint32_t crc, const uint8_t *p, size_t size)
{
	uint64_t wide = crc;

	for (; size >= 8; size -= 8, p += 8)
		wide = __builtin_ia32_crc32di(wide, get_le64(p));
	crc = (uint32_t)wide;
	for (; size > 0; size--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}

uint32_t
iscsi_crc_add(uint32_t crc, const void *bytes, size_t size)
{
	if (__builtin_cpu_supports("sse4.2"))
		return add_by_instruction(crc, bytes, size);
	return iscsi_crc_add_portable(crc, bytes, size);
}
#else
uint32_t
iscsi_crc_add(uint32_t crc, const void *bytes, size_t size)
{
	return iscsi_crc_add_portable(crc, bytes, size);
}
#endif

void
iscsi_crc_end(uint32_t crc, uint8_t dst[4])
{
	put_le32(dst, ~crc);
}
