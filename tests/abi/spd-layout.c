/*
 * Sizes and offsets of the public structures of the native storage API, 64-bit, as the original
 * documents them. A program that was compiled against one build of the headers must work with every
 * other; the structures of ioctl.h are also what travels on the local door's socket.
 */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>
#include "winspd/ext.h"

#define SIZE(type, n) assert_int_equal(sizeof(type), n)
#define OFFSET(type, field, n) assert_int_equal(offsetof(type, field), n)

static void
test_params(void **state)
{
	SIZE(SPD_STORAGE_UNIT_PARAMS, 128);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, Guid, 0);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, BlockCount, 16);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, BlockLength, 24);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, ProductId, 28);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, ProductRevisionLevel, 44);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, DeviceType, 48);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, MaxTransferLength, 56);
	OFFSET(SPD_STORAGE_UNIT_PARAMS, Reserved, 64);
}

/* Bit fields have no offset: their numbers show in the word that holds them. */
#define FLAG(type, field, offset, value)                                                 \
	do {                                                                             \
		type s_;                                                                 \
		UINT32 word_;                                                            \
		memset(&s_, 0, sizeof(s_));                                              \
		s_.field = 1;                                                            \
		memcpy(&word_, (const char *)&s_ + (offset), 4);                         \
		assert_int_equal(word_, value);                                          \
	} while (0)

static void
test_flags(void **state)
{
	FLAG(SPD_STORAGE_UNIT_PARAMS, WriteProtected, 52, 1);
	FLAG(SPD_STORAGE_UNIT_PARAMS, CacheSupported, 52, 2);
	FLAG(SPD_STORAGE_UNIT_PARAMS, UnmapSupported, 52, 4);
	FLAG(SPD_STORAGE_UNIT_PARAMS, EjectDisabled, 52, 8);
	FLAG(SPD_STORAGE_UNIT_STATUS, ReservedFRU, 28, 1);
	FLAG(SPD_STORAGE_UNIT_STATUS, InformationValid, 28, 0x100);
	FLAG(SPD_IOCTL_TRANSACT_REQ, Op.Read.ForceUnitAccess, 28, 1);
	FLAG(SPD_IOCTL_TRANSACT_REQ, Op.Write.ForceUnitAccess, 28, 1);
	FLAG(SPD_IOCTL_TRANSACT_PARAMS, ReqValid, 12, 1);
	FLAG(SPD_IOCTL_TRANSACT_PARAMS, RspValid, 12, 2);
}

static void
test_messages(void **state)
{
	SIZE(SPD_STORAGE_UNIT_STATUS, 32);
	OFFSET(SPD_STORAGE_UNIT_STATUS, ASCQ, 3);
	OFFSET(SPD_STORAGE_UNIT_STATUS, Information, 8);
	OFFSET(SPD_STORAGE_UNIT_STATUS, ReservedCSI, 16);
	OFFSET(SPD_STORAGE_UNIT_STATUS, ReservedSKS, 24);
	SIZE(SPD_UNMAP_DESCRIPTOR, 16);
	OFFSET(SPD_UNMAP_DESCRIPTOR, BlockCount, 8);
	SIZE(SPD_IOCTL_TRANSACT_REQ, 32);
	OFFSET(SPD_IOCTL_TRANSACT_REQ, Kind, 8);
	OFFSET(SPD_IOCTL_TRANSACT_REQ, Op.Read.BlockAddress, 16);
	OFFSET(SPD_IOCTL_TRANSACT_REQ, Op.Read.BlockCount, 24);
	OFFSET(SPD_IOCTL_TRANSACT_REQ, Op.Flush.BlockCount, 24);
	OFFSET(SPD_IOCTL_TRANSACT_REQ, Op.Unmap.Count, 16);
	SIZE(SPD_IOCTL_TRANSACT_RSP, 48);
	OFFSET(SPD_IOCTL_TRANSACT_RSP, Kind, 8);
	OFFSET(SPD_IOCTL_TRANSACT_RSP, Status, 16);
}

static void
test_control(void **state)
{
	SIZE(SPD_IOCTL_BASE_PARAMS, 8);
	OFFSET(SPD_IOCTL_BASE_PARAMS, Code, 2);
	SIZE(SPD_IOCTL_PROVISION_PARAMS, 136);
	OFFSET(SPD_IOCTL_PROVISION_PARAMS, Dir.Par.StorageUnitParams, 8);
	OFFSET(SPD_IOCTL_PROVISION_PARAMS, Dir.Ret.Btl, 8);
	SIZE(SPD_IOCTL_UNPROVISION_PARAMS, 24);
	SIZE(SPD_IOCTL_LIST_PARAMS, 8);
	SIZE(SPD_IOCTL_TRANSACT_PARAMS, 72);
	OFFSET(SPD_IOCTL_TRANSACT_PARAMS, Btl, 8);
	OFFSET(SPD_IOCTL_TRANSACT_PARAMS, DataBuffer, 16);
	OFFSET(SPD_IOCTL_TRANSACT_PARAMS, Dir.Rsp, 24);
	SIZE(SPD_IOCTL_SET_TRANSACT_PID_PARAMS, 16);
	OFFSET(SPD_IOCTL_SET_TRANSACT_PID_PARAMS, ProcessId, 12);
}

static void
test_objects(void **state)
{
	SIZE(SPD_STORAGE_UNIT, 208);
	OFFSET(SPD_STORAGE_UNIT, UserContext, 8);
	OFFSET(SPD_STORAGE_UNIT, StorageUnitParams, 16);
	OFFSET(SPD_STORAGE_UNIT, Interface, 144);
	OFFSET(SPD_STORAGE_UNIT, BufferAlloc, 152);
	OFFSET(SPD_STORAGE_UNIT, Handle, 168);
	OFFSET(SPD_STORAGE_UNIT, Btl, 176);
	OFFSET(SPD_STORAGE_UNIT, DispatcherThread, 184);
	OFFSET(SPD_STORAGE_UNIT, DispatcherError, 196);
	OFFSET(SPD_STORAGE_UNIT, DebugLog, 200);
	SIZE(SPD_STORAGE_UNIT_INTERFACE, 16 * sizeof(void *));
	OFFSET(SPD_STORAGE_UNIT_INTERFACE, Unmap, 3 * 8);
	OFFSET(SPD_STORAGE_UNIT_INTERFACE, Reserved, 4 * 8);
	SIZE(SPD_STORAGE_UNIT_OPERATION_CONTEXT, 24);
	SIZE(SPD_PARTITION, 24);
	SIZE(SPD_GUARD, 16);
	SIZE(SPDX_UNIT_OPTIONS, 32);
	SIZE(SPDX_RANGE, 16);
	SIZE(CDB, 16);
	SIZE(INQUIRYDATA, 104);
	OFFSET(INQUIRYDATA, VendorId, 8);
	OFFSET(INQUIRYDATA, ProductId, 16);
	OFFSET(INQUIRYDATA, ProductRevisionLevel, 32);
	OFFSET(INQUIRYDATA, VersionDescriptors, 58);
}

static void
test_constants(void **state)
{
	assert_int_equal(SPD_IOCTL_BTL(1, 2, 3), 0x010203);
	assert_int_equal(SPD_IOCTL_BTL_B(0x010203), 1);
	assert_int_equal(SPD_IOCTL_BTL_T(0x010203), 2);
	assert_int_equal(SPD_IOCTL_BTL_L(0x010203), 3);
	assert_int_equal(SPD_IOCTL_DEFAULT_ALIGN_UP(9), 16);
	assert_int_equal(SpdIoctlTransactUnmapKind, 4);
	assert_int_equal(SpdIoctlTransactKindCount, 5);
	assert_int_equal(strlen(SPD_IOCTL_VENDOR_ID), 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_messages), cmocka_unit_test(test_control),
		cmocka_unit_test(test_objects), cmocka_unit_test(test_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
