/* Partition tables, guards, the version. */
#include "winspd/winspd.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/endian.h"

/* ---------------------------------------------------------------- partition table */

enum {
	MBR_SIZE = 512,
	MBR_ENTRIES = 446,
	MBR_ENTRY_SIZE = 16,
	MBR_SIGNATURE = 510,
	HEADS = 255,
	SECTORS = 63,
	CYLINDER_MAX = 1023
};

/* Cylinder, head and sector as the original computes them: those of the last block are of the one
 * behind it. */
static void
put_chs(uint8_t dst[3], uint64_t lba)
{
	uint64_t c = lba / (HEADS * SECTORS);
	unsigned h = (unsigned)(lba / SECTORS % HEADS), s = (unsigned)(lba % SECTORS + 1);

	if (c > CYLINDER_MAX) {
		c = CYLINDER_MAX;
		h = HEADS - 1;
		s = SECTORS;
	}
	dst[0] = (uint8_t)h;
	dst[1] = (uint8_t)(s | (c >> 2 & 0xc0));
	dst[2] = (uint8_t)c;
}

static BOOLEAN
partition_is_valid(const SPD_PARTITION *p)
{
	return p->BlockCount >= 1 && p->BlockCount <= UINT32_MAX &&
	       p->BlockAddress <= UINT32_MAX - p->BlockCount;
}

DWORD
SpdDefinePartitionTable(SPD_PARTITION Partitions[], ULONG Count, UINT8 Buffer[512])
{
	/* int 18h, then halt for ever */
	static const uint8_t code[] = {0xcd, 0x18, 0xf4, 0xeb, 0xfd};

	if (Count > 4)
		return ERROR_INVALID_PARAMETER;
	for (ULONG i = 0; i < Count; i++)
		if (!partition_is_valid(&Partitions[i]))
			return ERROR_INVALID_PARAMETER;
	memset(Buffer, 0, MBR_SIZE);
	memcpy(Buffer, code, sizeof(code));
	for (ULONG i = 0; i < Count; i++) {
		const SPD_PARTITION *p = &Partitions[i];
		uint8_t *entry = Buffer + MBR_ENTRIES + i * MBR_ENTRY_SIZE;

		entry[0] = p->Active;
		put_chs(entry + 1, p->BlockAddress);
		entry[4] = p->Type;
		put_chs(entry + 5, p->BlockAddress + p->BlockCount);
		put_le32(entry + 8, (uint32_t)p->BlockAddress);
		put_le32(entry + 12, (uint32_t)p->BlockCount);
	}
	Buffer[MBR_SIGNATURE] = 0x55;
	Buffer[MBR_SIGNATURE + 1] = 0xaa;
	return ERROR_SUCCESS;
}

/* ---------------------------------------------------------------- guard */

/*
 * A reader-writer lock in the first 32 bits of an SRWLOCK, which has no function to end it, so
 * nothing may hang on it: bit 31 a writer, the rest readers.
 */
#define GUARD_WRITER 0x80000000u

static _Atomic uint32_t *
guard_word(SPD_GUARD *guard)
{
	return (_Atomic uint32_t *)(void *)&guard->Lock.Ptr;
}

static void
guard_wait(_Atomic uint32_t *word, uint32_t seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void
guard_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

VOID
SpdGuardSet(SPD_GUARD *Guard, PVOID Pointer)
{
	_Atomic uint32_t *word = guard_word(Guard);
	uint32_t seen = 0;

	while (!atomic_compare_exchange_strong(word, &seen, GUARD_WRITER)) {
		guard_wait(word, seen);
		seen = 0;
	}
	Guard->Pointer = Pointer;
	atomic_store(word, 0);
	guard_wake(word);
}

VOID
SpdGuardExecute(SPD_GUARD *Guard, VOID (*Function)(PVOID))
{
	_Atomic uint32_t *word = guard_word(Guard);
	uint32_t seen = atomic_load(word);

	for (;;) {
		if (seen == GUARD_WRITER) {
			guard_wait(word, seen);
			seen = atomic_load(word);
		} else if (atomic_compare_exchange_weak(word, &seen, seen + 1)) {
			break;
		}
	}
	if (Guard->Pointer)
		Function(Guard->Pointer);
	if (atomic_fetch_sub(word, 1) == 1)
		guard_wake(word);
}

/* ---------------------------------------------------------------- version */

/* The level of WinSpd's API that the headers follow: 1.0. */
DWORD
SpdVersion(PUINT32 PVersion)
{
	*PVersion = 1u << 16;
	return ERROR_SUCCESS;
}
