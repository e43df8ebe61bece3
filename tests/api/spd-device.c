/* Devices as handles: names, SCSI commands by every way, lists, and units that a program serves
 * itself. */
#include "tests/api/spd-util.h"
#include <pthread.h>
#include <unistd.h>

static WCHAR hardware[] = u"root\\winspd", pipe_name[] = u"\\\\.\\pipe\\disk";

static void
test_names(void **state)
{
	WCHAR missing[] = u"\\\\.\\pipe\\missing", node[] = u"/dev/null/no", out[64];
	HANDLE handle;

	assert_int_equal(SpdIoctlGetDevicePath(NULL, NULL, out, sizeof(out)), 0);
	assert_memory_equal(out, hardware, sizeof(hardware));
	assert_int_equal(SpdIoctlGetDevicePath(NULL, hardware, out, 4), ERROR_MORE_DATA);
	assert_int_equal(SpdIoctlGetDevicePath(NULL, missing, out, sizeof(out)),
			 ERROR_FILE_NOT_FOUND);
	assert_int_equal(SpdIoctlOpenDevice(missing, &handle), ERROR_FILE_NOT_FOUND);
	assert_ptr_equal(handle, INVALID_HANDLE_VALUE);
	assert_int_equal(SpdIoctlOpenDevice(node, &handle), ERROR_FILE_NOT_FOUND);
	SpdxIoctlCloseDevice(INVALID_HANDLE_VALUE);
	SpdxIoctlCloseDevice(NULL);
}

static UCHAR status, sense[32];

static DWORD
execute(HANDLE h, UINT32 btl, const char *cdb, INT direction, PVOID data, UINT32 *length)
{
	CDB c;

	memset(&c, 0, sizeof(c));
	memcpy(c.AsByte, cdb, 10);
	return SpdIoctlScsiExecute(h, btl, &c, direction, data, length, &status, sense);
}

/* The same through a handle of this process and through the door's socket. */
static void
check_commands(HANDLE h)
{
	INQUIRYDATA inquiry;
	UINT32 list[4], length = sizeof(list), btl;
	UCHAR data[SPD_TEST_BLOCK * 2];

	assert_int_equal(SpdIoctlGetList(h, list, &length), 0);
	assert_int_equal(length, 4);
	btl = list[0];
	length = 0;
	assert_int_equal(SpdIoctlGetList(h, list, &length), ERROR_INSUFFICIENT_BUFFER);
	assert_int_equal(SpdIoctlScsiInquiry(h, btl, &inquiry, 0), 0);
	assert_memory_equal(inquiry.VendorId, SPD_IOCTL_VENDOR_ID, 8);
	assert_memory_equal(inquiry.ProductId, "Test disk       ", 16);
	memset(data, 0x3c, sizeof(data));
	length = sizeof(data);
	assert_int_equal(execute(h, btl, "\x2a\0\0\0\0\x05\0\0\x02\0", 1, data, &length), 0);
	assert_int_equal(status, 0);
	assert_int_equal(length, sizeof(data));
	assert_int_equal(spd_test_memory[5 * SPD_TEST_BLOCK], 0x3c);
	memset(data, 0, sizeof(data));
	length = sizeof(data);
	assert_int_equal(execute(h, btl, "\x28\0\0\0\0\x06\0\0\x01\0", -1, data, &length), 0);
	assert_int_equal(status, 0);
	assert_int_equal(length, SPD_TEST_BLOCK);
	assert_int_equal(data[0], 0x3c);
	length = sizeof(data);
	assert_int_equal(execute(h, btl, "\x28\0\0\xff\0\0\0\0\x01\0", -1, data, &length), 0);
	assert_int_equal(status, 2);
	assert_int_equal(sense[2] & 15, 5);
	assert_int_equal(sense[12], 0x21);
	assert_int_equal(length, 0);
	/* Nothing there */
	assert_int_equal(SpdIoctlScsiInquiry(h, SPD_IOCTL_BTL(0, 9, 0), &inquiry, 0),
			 ERROR_FILE_NOT_FOUND);
	assert_int_equal(SpdIoctlScsiInquiry(h, SPD_IOCTL_BTL(1, 0, 0), &inquiry, 0),
			 ERROR_FILE_NOT_FOUND);
	assert_int_equal(execute(h, btl, "\0\0\0\0\0\0\0\0\0\0", 2, NULL, NULL),
			 ERROR_INVALID_PARAMETER);
}

static void
test_commands(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&spd_test_interface, 1);
	INQUIRYDATA inquiry;
	HANDLE process, door;

	assert_int_equal(SpdIoctlOpenDevice(hardware, &process), 0);
	assert_int_equal(SpdIoctlOpenDevice(pipe_name, &door), 0);
	check_commands(process);
	check_commands(door);
	spd_test_end(unit);
	/* It is gone, and then there is another in its place. */
	assert_int_equal(SpdIoctlScsiInquiry(process, 0, &inquiry, 0), ERROR_FILE_NOT_FOUND);
	assert_int_equal(SpdIoctlScsiInquiry(door, 0, &inquiry, 0), ERROR_FILE_NOT_FOUND);
	unit = spd_test_start(&spd_test_interface, 1);
	check_commands(process);
	check_commands(door);
	SpdxIoctlCloseDevice(process);
	SpdxIoctlCloseDevice(door);
	spd_test_end(unit);
}

/* ---------------------------------------------------------------- provisioning */

static void
test_provision(void **state)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params(), bad = params;
	UINT32 btl[2], list[4], length = sizeof(list);
	HANDLE h;

	assert_int_equal(SpdIoctlOpenDevice(NULL, &h), 0);
	bad.BlockCount = 0;
	assert_int_equal(SpdIoctlProvision(h, &bad, &btl[0]), ERROR_INVALID_PARAMETER);
	assert_int_equal(SpdIoctlProvision(h, &params, &btl[0]), 0);
	assert_int_equal(SpdIoctlProvision(h, &params, &btl[1]), ERROR_ALREADY_EXISTS);
	params.Guid.Data1++;
	assert_int_equal(SpdIoctlProvision(h, &params, &btl[1]), 0);
	assert_int_equal(btl[1], SPD_IOCTL_BTL(0, 1, 0));
	assert_int_equal(SpdIoctlGetList(h, list, &length), 0);
	assert_int_equal(length, 8);
	assert_int_equal(SpdIoctlUnprovision(h, &params.Guid), 0);
	assert_int_equal(SpdIoctlUnprovision(h, &params.Guid), ERROR_FILE_NOT_FOUND);
	params.Guid.Data1--;
	assert_int_equal(SpdIoctlUnprovision(h, &params.Guid), 0);
	length = sizeof(list);
	assert_int_equal(SpdIoctlGetList(h, list, &length), 0);
	assert_int_equal(length, 0);
	SpdxIoctlCloseDevice(h);
}

static HANDLE server;
static DWORD last_error;

/* Serves a unit by fetching its requests, until it is unprovisioned. */
static void *
serve(void *arg)
{
	static UINT8 buffer[SPD_TEST_TRANSFER];
	UINT32 btl = *(UINT32 *)arg;
	SPD_IOCTL_TRANSACT_REQ req;
	SPD_IOCTL_TRANSACT_RSP rsp, *answer = NULL;

	while ((last_error = SpdIoctlTransact(server, btl, answer, &req, buffer)) == 0) {
		UINT8 *at = spd_test_memory + req.Op.Read.BlockAddress * SPD_TEST_BLOCK;
		size_t size = (size_t)req.Op.Read.BlockCount * SPD_TEST_BLOCK;

		answer = NULL;
		if (req.Hint == 0)
			continue;
		memset(&rsp, 0, sizeof(rsp));
		rsp.Hint = req.Hint;
		rsp.Kind = req.Kind;
		if (req.Kind == SpdIoctlTransactReadKind)
			memcpy(buffer, at, size);
		else if (req.Kind == SpdIoctlTransactWriteKind)
			memcpy(at, buffer, size);
		answer = &rsp;
	}
	return NULL;
}

static void
test_transact(void **state)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	UINT32 btl;
	pthread_t thread;

	assert_int_equal(SpdIoctlOpenDevice(hardware, &server), 0);
	assert_int_equal(SpdIoctlProvision(server, &params, &btl), 0);
	pthread_create(&thread, NULL, serve, &btl);
	check_commands(server);
	assert_int_equal(SpdIoctlUnprovision(server, &params.Guid), 0);
	pthread_join(thread, NULL);
	assert_int_equal(last_error, ERROR_CANCELLED);
	SpdxIoctlCloseDevice(server);
}

static void *
unprovision_later(void *guid)
{
	usleep(1000);
	SpdIoctlUnprovision(server, guid);
	return NULL;
}

static void
test_unprovision_under_request(void **state)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	UCHAR data[SPD_TEST_BLOCK];
	UINT32 btl, length = sizeof(data);
	pthread_t thread;

	assert_int_equal(SpdIoctlOpenDevice(hardware, &server), 0);
	assert_int_equal(SpdIoctlProvision(server, &params, &btl), 0);
	pthread_create(&thread, NULL, unprovision_later, &params.Guid);
	/* Nobody serves: the command ends with the unit, as a failure. */
	if (execute(server, btl, "\x28\0\0\0\0\0\0\0\x01\0", -1, data, &length) == 0)
		assert_int_not_equal(status, 0);
	pthread_join(thread, NULL);
	SpdxIoctlCloseDevice(server);
}

static void
test_transact_process(void **state)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	SPD_IOCTL_TRANSACT_RSP rsp = {.Hint = 0};
	UINT32 btl;
	HANDLE h, door;
	SPD_STORAGE_UNIT *unit;

	assert_int_equal(SpdIoctlOpenDevice(hardware, &h), 0);
	assert_int_equal(SpdIoctlProvision(h, &params, &btl), 0);
	assert_int_equal(SpdIoctlTransact(h, btl, &rsp, NULL, NULL), 0);
	assert_int_equal(SpdIoctlSetTransactProcessId(h, btl, (ULONG)getpid() + 1), 0);
	assert_int_equal(SpdIoctlTransact(h, btl, &rsp, NULL, NULL), ERROR_ACCESS_DENIED);
	assert_int_equal(SpdIoctlSetTransactProcessId(h, btl, (ULONG)getpid()), 0);
	assert_int_equal(SpdIoctlTransact(h, btl, &rsp, NULL, NULL), 0);
	assert_int_equal(SpdIoctlTransact(h, SPD_IOCTL_BTL(0, 7, 0), &rsp, NULL, NULL),
			 ERROR_CANCELLED);
	assert_int_equal(SpdIoctlUnprovision(h, &params.Guid), 0);
	/* A unit with callbacks is not the handle's to take away. */
	unit = spd_test_start(&spd_test_interface, 1);
	assert_int_equal(SpdIoctlUnprovision(h, &params.Guid), ERROR_ACCESS_DENIED);
	assert_int_equal(SpdIoctlOpenDevice(pipe_name, &door), 0);
	assert_int_equal(SpdIoctlProvision(door, &params, &btl), ERROR_INVALID_FUNCTION);
	SpdxIoctlCloseDevice(door);
	SpdxIoctlCloseDevice(h);
	spd_test_end(unit);
}

/* ---------------------------------------------------------------- optional operations */

static struct {
	unsigned zeroes, same, compare, query;
} n_called;
static bool query_later;

static BOOLEAN
write_zeroes(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 count, BOOLEAN may_unmap, BOOLEAN flush,
	     SPD_STORAGE_UNIT_STATUS *s)
{
	n_called.zeroes++;
	memset(spd_test_memory + lba * SPD_TEST_BLOCK, 0, (size_t)count * SPD_TEST_BLOCK);
	return TRUE;
}

static BOOLEAN
write_same(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	   SPD_STORAGE_UNIT_STATUS *s)
{
	n_called.same++;
	for (UINT32 i = 0; i < count; i++)
		memcpy(spd_test_memory + (lba + i) * SPD_TEST_BLOCK, buffer, SPD_TEST_BLOCK);
	return TRUE;
}

static BOOLEAN
compare_and_write(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
		  SPD_STORAGE_UNIT_STATUS *s)
{
	size_t size = (size_t)count * SPD_TEST_BLOCK;
	UINT8 *at = spd_test_memory + lba * SPD_TEST_BLOCK;
	UINT64 offset = 0;

	n_called.compare++;
	while (offset < size && at[offset] == ((UINT8 *)buffer)[offset])
		offset++;
	if (offset == size)
		memcpy(at, (UINT8 *)buffer + size, size);
	else
		SpdStorageUnitStatusSetSense(s, SCSI_SENSE_MISCOMPARE, 0x1d, &offset);
	return TRUE;
}

/* Answered at once, or by a response whose Information is the number of ranges. */
static BOOLEAN
query_ranges(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 count, SPDX_RANGE *ranges, PUINT32 n,
	     SPD_STORAGE_UNIT_STATUS *s)
{
	SPD_STORAGE_UNIT_OPERATION_CONTEXT *c = SpdStorageUnitGetOperationContext();
	SPD_IOCTL_TRANSACT_RSP rsp = {.Hint = c->Request->Hint, .Kind = c->Request->Kind};

	n_called.query++;
	ranges[0] = (SPDX_RANGE){lba, 5, 1};
	*n = 1;
	rsp.Status.Information = 1;
	if (query_later)
		SpdStorageUnitSendResponse(unit, &rsp, NULL);
	return !query_later;
}

static DWORD
execute16(HANDLE h, const char *cdb, INT direction, PVOID data, UINT32 length)
{
	CDB c;

	memcpy(c.AsByte, cdb, 16);
	return SpdIoctlScsiExecute(h, 0, &c, direction, data, &length, &status, sense);
}

static void
test_optional_operations(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = spd_test_interface;
	SPD_STORAGE_UNIT *unit;
	UINT8 data[SPD_TEST_BLOCK * 2];
	HANDLE h;

	memset(&n_called, 0, sizeof(n_called));
	SpdxInterfaceSetWriteZeroes(&interface, write_zeroes);
	SpdxInterfaceSetWriteSame(&interface, write_same);
	SpdxInterfaceSetCompareAndWrite(&interface, compare_and_write);
	SpdxInterfaceSetQueryRanges(&interface, query_ranges);
	unit = spd_test_start(&interface, 1);
	assert_int_equal(SpdIoctlOpenDevice(hardware, &h), 0);
	memset(data, 0x99, sizeof(data));
	/* WRITE SAME (16) of 3 blocks at 10 */
	assert_int_equal(execute16(h, "\x93\0\0\0\0\0\0\0\0\x0a\0\0\0\x03\0\0", 1, data,
				   SPD_TEST_BLOCK), 0);
	assert_int_equal(status, 0);
	assert_int_equal(n_called.same, 1);
	assert_int_equal(spd_test_memory[12 * SPD_TEST_BLOCK + 511], 0x99);
	/* COMPARE AND WRITE of one block at 10: equal, then not */
	memset(data + SPD_TEST_BLOCK, 0x11, SPD_TEST_BLOCK);
	assert_int_equal(execute16(h, "\x89\0\0\0\0\0\0\0\0\x0a\0\0\0\x01\0\0", 1, data,
				   sizeof(data)), 0);
	assert_int_equal(status, 0);
	assert_int_equal(spd_test_memory[10 * SPD_TEST_BLOCK], 0x11);
	assert_int_equal(execute16(h, "\x89\0\0\0\0\0\0\0\0\x0a\0\0\0\x01\0\0", 1, data,
				   sizeof(data)), 0);
	assert_int_equal(status, 2);
	assert_int_equal(sense[2] & 15, SCSI_SENSE_MISCOMPARE);
	assert_int_equal(n_called.compare, 2);
	/* GET LBA STATUS from 20 on */
	for (int later = 0; later < 2; later++) {
		query_later = later;
		memset(data, 0, sizeof(data));
		assert_int_equal(execute16(h, "\x9e\x12\0\0\0\0\0\0\0\x14\0\0\x02\0\0\0", -1,
					   data, SPD_TEST_BLOCK), 0);
		assert_int_equal(status, 0);
		assert_int_equal(data[8 + 7], 20);
		assert_int_equal(data[8 + 11], 5);
		assert_int_equal(data[8 + 12] & 15, 1);
	}
	assert_true(n_called.query >= 2);
	SpdxIoctlCloseDevice(h);
	spd_test_end(unit);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spd_test_setup, spd_test_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_names), TEST(test_commands), TEST(test_provision), TEST(test_transact),
		TEST(test_unprovision_under_request), TEST(test_transact_process),
		TEST(test_optional_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
