/* Helpers of the native storage API: partition tables to the byte, sense, guards, text. */
#include "tests/api/spd-util.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static void
test_partition_bytes(void **state)
{
	SPD_PARTITION p[4] = {{.Type = 7, .Active = 0x80, .BlockAddress = 63, .BlockCount = 16002},
			      {.Type = 0x83, .BlockAddress = 16065ull * 1024, .BlockCount = 2}};
	static const UINT8 code[] = {0xcd, 0x18, 0xf4, 0xeb, 0xfd};
	/* first block 63: cylinder 0, head 1, sector 1; behind the last, 16065: 1, 0, 1 */
	static const UINT8 first[16] = {0x80, 1, 1, 0, 7, 0, 1, 1, 63, 0, 0, 0, 0x82, 0x3e, 0, 0};
	/* beyond cylinder 1023 */
	static const UINT8 second[16] = {0, 254, 255, 255, 0x83, 254, 255, 255,
					 0, 0x04, 0xfb, 0, 2, 0, 0, 0};
	UINT8 mbr[512], zero[446] = {0};

	memset(mbr, 0xee, sizeof(mbr));
	assert_int_equal(SpdDefinePartitionTable(p, 2, mbr), ERROR_SUCCESS);
	assert_memory_equal(mbr, code, sizeof(code));
	assert_memory_equal(mbr + 5, zero, 446 - 5);
	assert_memory_equal(mbr + 446, first, 16);
	assert_memory_equal(mbr + 462, second, 16);
	assert_memory_equal(mbr + 478, zero, 32);
	assert_int_equal(mbr[510], 0x55);
	assert_int_equal(mbr[511], 0xaa);
}

static void
test_partition_limits(void **state)
{
	SPD_PARTITION p[4] = {{.Type = 7, .BlockAddress = 1, .BlockCount = 1}};
	UINT8 mbr[512];

	assert_int_equal(SpdDefinePartitionTable(p, 5, mbr), ERROR_INVALID_PARAMETER);
	assert_int_equal(SpdDefinePartitionTable(p, 0, mbr), ERROR_SUCCESS);
	p[0].BlockCount = 0;
	assert_int_equal(SpdDefinePartitionTable(p, 1, mbr), ERROR_INVALID_PARAMETER);
	p[0].BlockCount = 0xfffffffeull;
	assert_int_equal(SpdDefinePartitionTable(p, 1, mbr), ERROR_SUCCESS);
	p[0].BlockCount++;
	assert_int_equal(SpdDefinePartitionTable(p, 1, mbr), ERROR_INVALID_PARAMETER);
	p[0].BlockAddress = UINT64_MAX;
	assert_int_equal(SpdDefinePartitionTable(p, 1, mbr), ERROR_INVALID_PARAMETER);
}

static void
test_sense(void **state)
{
	SPD_STORAGE_UNIT_STATUS s;
	UINT64 lba = 1ull << 40;

	memset(&s, 0, sizeof(s));
	s.ASCQ = 9;
	SpdStorageUnitStatusSetSense(&s, 3, 0x11, NULL);
	assert_int_equal(s.ScsiStatus, 2);
	assert_int_equal(s.SenseKey, 3);
	assert_int_equal(s.ASC, 0x11);
	assert_int_equal(s.ASCQ, 9);
	assert_int_equal(s.InformationValid, 0);
	SpdStorageUnitStatusSetSense(&s, 3, 0x11, &lba);
	assert_int_equal(s.InformationValid, 1);
	assert_true(s.Information == lba);
}

static SPD_GUARD guard = SPD_GUARD_INIT;
static atomic_int n_uses, n_wrong;

static VOID
use(PVOID pointer)
{
	if (atomic_load((atomic_int *)pointer) != 1)
		atomic_fetch_add(&n_wrong, 1);
	atomic_fetch_add(&n_uses, 1);
}

static void *
use_often(void *arg)
{
	for (int i = 0; i < 5000; i++)
		SpdGuardExecute(&guard, use);
	return NULL;
}

static void
test_guard(void **state)
{
	pthread_t threads[4];
	atomic_int alive = 1;

	SpdGuardInit(&guard);
	n_uses = n_wrong = 0;
	SpdGuardExecute(&guard, use);
	assert_int_equal(n_uses, 0);
	SpdGuardSet(&guard, &alive);
	SpdGuardExecute(&guard, use);
	assert_int_equal(n_uses, 1);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, use_often, NULL);
	for (int i = 0; i < 1000; i++) {
		SpdGuardSet(&guard, NULL);
		atomic_store(&alive, 0); /* nobody looks at it now */
		atomic_store(&alive, 1);
		SpdGuardSet(&guard, &alive);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n_wrong, 0);
}

static void
test_print_log(void **state)
{
	WCHAR format[] = u"%s has %d of %hs, %lx", name[] = u"dis\u00e9";
	char text[128] = "";
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	SpdPrintLog((HANDLE)(intptr_t)fds[1], format, name, 5, "ten", 0xabcdu);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "dis\u00e9 has 5 of ten, abcd\n");
	close(fds[0]);
	close(fds[1]);
}

static void
test_version(void **state)
{
	UINT32 version = 0;

	assert_int_equal(SpdVersion(&version), ERROR_SUCCESS);
	assert_int_equal(version, 0x10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partition_bytes), cmocka_unit_test(test_partition_limits),
		cmocka_unit_test(test_sense), cmocka_unit_test(test_guard),
		cmocka_unit_test(test_print_log), cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
