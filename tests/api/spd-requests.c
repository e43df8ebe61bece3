/* Requests: from a client to the callbacks and back, answered at once or later, by whom and how. */
#include "tests/api/spd-util.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "api/winspd/priv.h"

static uint8_t block[SPD_TEST_TRANSFER];
static struct spd_answer answer;

static void
expect(int fd, UINT64 hint, UINT8 status, UINT8 key, UINT8 asc)
{
	assert_true(spd_test_receive(fd, &answer));
	assert_int_equal(answer.rsp.Hint, hint);
	assert_int_equal(answer.rsp.Status.ScsiStatus, status);
	assert_int_equal(answer.rsp.Status.SenseKey, key);
	assert_int_equal(answer.rsp.Status.ASC, asc);
}

static void
test_read_write(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&spd_test_interface, 2);
	SPD_IOCTL_TRANSACT_REQ unmap = {.Hint = 5, .Kind = SpdIoctlTransactUnmapKind};
	SPD_UNMAP_DESCRIPTOR range = {7, 1, 0};
	int fd = spd_test_open(0);

	memset(block, 0x5a, sizeof(block));
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 1, 7, 2, block);
	expect(fd, 1, 0, 0, 0);
	assert_int_equal(answer.n_data, 0);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 2, 6, 3, NULL);
	expect(fd, 2, 0, 0, 0);
	assert_int_equal(answer.n_data, 3 * SPD_TEST_BLOCK);
	assert_int_equal(answer.data[0], 0);
	assert_memory_equal(answer.data + SPD_TEST_BLOCK, block, 2 * SPD_TEST_BLOCK);
	spd_test_send_rw(fd, SpdIoctlTransactFlushKind, 3, 0, 0, NULL);
	expect(fd, 3, 0, 0, 0);
	unmap.Op.Unmap.Count = 1;
	spd_test_send(fd, &unmap, &range, sizeof(range));
	expect(fd, 5, 0, 0, 0);
	assert_int_equal(spd_test_memory[7 * SPD_TEST_BLOCK], 0);
	assert_int_equal(spd_test_memory[8 * SPD_TEST_BLOCK], 0x5a);
	close(fd);
	spd_test_end(unit);
}

static void
test_missing_operations(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(NULL, 1);
	int fd = spd_test_open(0);

	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 0, 1, NULL);
	expect(fd, 1, 2, 5, 0x20);
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 2, 0, 1, block);
	expect(fd, 2, 2, 5, 0x20);
	close(fd);
	spd_test_end(unit);
}

/* ---------------------------------------------------------------- sense */

static BOOLEAN
failing_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	     SPD_STORAGE_UNIT_STATUS *status)
{
	SpdStorageUnitStatusSetSense(status, SCSI_SENSE_MEDIUM_ERROR,
				     SCSI_ADSENSE_UNRECOVERED_ERROR, &lba);
	return TRUE;
}

static void
test_sense(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = {.Read = failing_read};
	SPD_STORAGE_UNIT *unit = spd_test_start(&interface, 1);
	int fd = spd_test_open(0);

	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 33, 1, NULL);
	expect(fd, 1, 2, 3, 0x11);
	assert_int_equal(answer.n_data, 0);
	assert_int_equal(answer.rsp.Status.InformationValid, 1);
	assert_int_equal(answer.rsp.Status.Information, 33);
	close(fd);
	spd_test_end(unit);
}

/* ---------------------------------------------------------------- context, allocator */

static atomic_uint n_bad, n_calls, n_allocated, n_freed;

static BOOLEAN
checking_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	      SPD_STORAGE_UNIT_STATUS *status)
{
	SPD_STORAGE_UNIT_OPERATION_CONTEXT *c = SpdStorageUnitGetOperationContext();

	if (!c || c->DataBuffer != buffer || c->Request->Hint == 0 ||
	    c->Request->Kind != SpdIoctlTransactReadKind ||
	    c->Request->Op.Read.BlockAddress != lba || c->Request->Op.Read.BlockCount != count ||
	    c->Response->Hint != c->Request->Hint || &c->Response->Status != status)
		atomic_fetch_add(&n_bad, 1);
	atomic_fetch_add(&n_calls, 1);
	memset(buffer, 0x11, (size_t)count * SPD_TEST_BLOCK);
	return TRUE;
}

static void
test_context(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = {.Read = checking_read};
	SPD_STORAGE_UNIT *unit = spd_test_start(&interface, 2);
	int fd = spd_test_open(0);

	n_bad = n_calls = 0;
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 33, 2, NULL);
	expect(fd, 1, 0, 0, 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(n_bad, 0);
	assert_null(SpdStorageUnitGetOperationContext());
	close(fd);
	spd_test_end(unit);
}

static PVOID
allocate(size_t size)
{
	if (size != SPD_TEST_TRANSFER)
		atomic_fetch_add(&n_bad, 1);
	atomic_fetch_add(&n_allocated, 1);
	return malloc(size);
}

static VOID
release(PVOID p)
{
	atomic_fetch_add(&n_freed, 1);
	free(p);
}

static void
test_allocator(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(&spd_test_interface);
	int fd;

	n_bad = n_allocated = n_freed = 0;
	SpdStorageUnitSetBufferAllocatorF(unit, allocate, release);
	assert_int_equal(SpdStorageUnitStartDispatcher(unit, 2), 0);
	fd = spd_test_open(0);
	memset(block, 0x77, sizeof(block));
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 1, 1, 4, block);
	expect(fd, 1, 0, 0, 0);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 2, 1, 4, NULL);
	expect(fd, 2, 0, 0, 0);
	assert_memory_equal(answer.data, block, 4 * SPD_TEST_BLOCK);
	close(fd);
	spd_test_end(unit);
	assert_true(n_allocated > 0);
	assert_int_equal(n_allocated, n_freed);
	assert_int_equal(n_bad, 0);
}

/* ---------------------------------------------------------------- one thread at a time */

static atomic_int n_inside, n_most;

static BOOLEAN
counting_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	      SPD_STORAGE_UNIT_STATUS *status)
{
	int n = atomic_fetch_add(&n_inside, 1) + 1, most = atomic_load(&n_most);

	while (n > most && !atomic_compare_exchange_weak(&n_most, &most, n))
		;
	usleep(200);
	atomic_fetch_sub(&n_inside, 1);
	return TRUE;
}

static void
test_one_thread(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = {.Read = counting_read};
	SPD_STORAGE_UNIT *unit = spd_test_start(&interface, 1);
	int fd = spd_test_open(0);

	n_inside = n_most = 0;
	for (UINT64 i = 1; i <= 100; i++)
		spd_test_send_rw(fd, SpdIoctlTransactReadKind, i, i, 1, NULL);
	for (UINT64 i = 1; i <= 100; i++)
		assert_true(spd_test_receive(fd, &answer));
	assert_int_equal(n_most, 1);
	close(fd);
	spd_test_end(unit);
}

/* ---------------------------------------------------------------- asynchronous answers */

enum { MANY = 200 };
static struct {
	pthread_mutex_t lock;
	struct {
		UINT64 hint, lba;
		UINT8 kind;
		PVOID buffer;
	} requests[MANY * 2];
	unsigned n;
} parked = {.lock = PTHREAD_MUTEX_INITIALIZER};

static BOOLEAN
park(PVOID buffer, UINT64 lba)
{
	SPD_STORAGE_UNIT_OPERATION_CONTEXT *c = SpdStorageUnitGetOperationContext();

	pthread_mutex_lock(&parked.lock);
	parked.requests[parked.n].hint = c->Request->Hint;
	parked.requests[parked.n].kind = c->Request->Kind;
	parked.requests[parked.n].lba = lba;
	parked.requests[parked.n].buffer = buffer;
	parked.n++;
	pthread_mutex_unlock(&parked.lock);
	return FALSE;
}

static BOOLEAN
parking_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	     SPD_STORAGE_UNIT_STATUS *status)
{
	return park(buffer, lba);
}

static const SPD_STORAGE_UNIT_INTERFACE parking_interface = {.Read = parking_read};

static unsigned
n_parked(void)
{
	unsigned n;

	pthread_mutex_lock(&parked.lock);
	n = parked.n;
	pthread_mutex_unlock(&parked.lock);
	return n;
}

static void
respond(SPD_STORAGE_UNIT *unit, unsigned i, PVOID data)
{
	SPD_IOCTL_TRANSACT_RSP rsp = {.Hint = parked.requests[i].hint,
				      .Kind = parked.requests[i].kind};

	SpdStorageUnitSendResponse(unit, &rsp, data);
}

/* From the last to the first, each with its address in its data. */
static void *
respond_to_all(void *arg)
{
	SPD_STORAGE_UNIT *unit = arg;

	for (unsigned i = parked.n; i-- > 0;) {
		memset(parked.requests[i].buffer, 0, SPD_TEST_BLOCK);
		memcpy(parked.requests[i].buffer, &parked.requests[i].lba, 8);
		respond(unit, i, parked.requests[i].buffer);
	}
	return NULL;
}

static void
test_hundreds_outstanding(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&parking_interface, 1);
	int fd = spd_test_open(0);
	bool seen[MANY + 1] = {false};
	pthread_t thread;

	parked.n = 0;
	for (UINT64 i = 1; i <= MANY; i++)
		spd_test_send_rw(fd, SpdIoctlTransactReadKind, i, i * 3, 1, NULL);
	SPD_TEST_WAIT(n_parked() == MANY);
	pthread_create(&thread, NULL, respond_to_all, unit);
	for (unsigned i = 0; i < MANY; i++) {
		UINT64 lba;

		assert_true(spd_test_receive(fd, &answer));
		assert_int_equal(answer.rsp.Status.ScsiStatus, 0);
		assert_true(answer.rsp.Hint >= 1 && answer.rsp.Hint <= MANY);
		assert_false(seen[answer.rsp.Hint]);
		seen[answer.rsp.Hint] = true;
		memcpy(&lba, answer.data, 8);
		assert_int_equal(lba, answer.rsp.Hint * 3);
	}
	pthread_join(thread, NULL);
	close(fd);
	spd_test_end(unit);
}

static void
test_response_rules(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&parking_interface, 1);
	SPD_IOCTL_TRANSACT_RSP rsp = {.Hint = 987654, .Kind = SpdIoctlTransactReadKind};
	int fd = spd_test_open(0);

	parked.n = 0;
	memset(block, 0x42, sizeof(block));
	SpdStorageUnitSendResponse(unit, &rsp, block); /* unknown: no effect */
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 0, 1, NULL);
	SPD_TEST_WAIT(n_parked() == 1);
	respond(unit, 0, NULL); /* zeroes */
	expect(fd, 1, 0, 0, 0);
	assert_int_equal(answer.n_data, SPD_TEST_BLOCK);
	for (unsigned i = 0; i < SPD_TEST_BLOCK; i++)
		assert_int_equal(answer.data[i], 0);
	respond(unit, 0, block); /* a second time: no effect */
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 2, 0, 1, NULL);
	SPD_TEST_WAIT(n_parked() == 2);
	respond(unit, 1, block); /* a copy of another buffer */
	expect(fd, 2, 0, 0, 0);
	assert_memory_equal(answer.data, block, SPD_TEST_BLOCK);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 3, 0, 1, NULL);
	SPD_TEST_WAIT(n_parked() == 3);
	parked.requests[2].kind = SpdIoctlTransactWriteKind;
	respond(unit, 2, NULL); /* of another kind: fails, hangs nobody */
	expect(fd, 3, 2, 4, 0x44);
	close(fd);
	spd_test_end(unit);
}

/* Answers before it returns, and then says TRUE as well. */
static BOOLEAN
twice_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	   SPD_STORAGE_UNIT_STATUS *status)
{
	SPD_STORAGE_UNIT_OPERATION_CONTEXT *c = SpdStorageUnitGetOperationContext();
	SPD_IOCTL_TRANSACT_RSP rsp = {.Hint = c->Request->Hint, .Kind = c->Request->Kind};

	SpdStorageUnitSendResponse(unit, &rsp, NULL);
	return lba == 1;
}

static void
test_answered_within(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = {.Read = twice_read};
	SPD_STORAGE_UNIT *unit = spd_test_start(&interface, 1);
	int fd = spd_test_open(0);

	for (UINT64 i = 1; i < 10; i++) {
		spd_test_send_rw(fd, SpdIoctlTransactReadKind, i, i % 2, 1, NULL);
		expect(fd, i, 0, 0, 0);
	}
	close(fd);
	spd_test_end(unit);
}

static void
test_never_answered(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&parking_interface, 1);
	int fd = spd_test_open(0);

	parked.n = 0;
	spd_cancel_grace_ms = 10;
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 0, 1, NULL);
	SPD_TEST_WAIT(n_parked() == 1);
	SpdStorageUnitShutdown(unit);
	SpdStorageUnitWaitDispatcher(unit); /* comes back */
	respond(unit, 0, NULL);
	SpdStorageUnitDelete(unit);
	close(fd);
}

/* ---------------------------------------------------------------- end */

static atomic_uint n_final;

static BOOLEAN
final_flush(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 count, SPD_STORAGE_UNIT_STATUS *status)
{
	if (lba == 0 && count == 0)
		atomic_fetch_add(&n_final, 1);
	return TRUE;
}

static void
test_final_flush(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = {.Flush = final_flush};

	n_final = 0;
	spd_test_end(spd_test_start(&interface, 2));
	assert_int_equal(n_final, 1);
	SpdStorageUnitDelete(spd_test_create(&interface)); /* never ran: nothing to flush */
	assert_int_equal(n_final, 1);
}

static BOOLEAN
ending_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	    SPD_STORAGE_UNIT_STATUS *status)
{
	memset(buffer, 1, (size_t)count * SPD_TEST_BLOCK);
	SpdStorageUnitShutdown(unit);
	return TRUE;
}

static void
test_shutdown_within(void **state)
{
	SPD_STORAGE_UNIT_INTERFACE interface = {.Read = ending_read};
	SPD_STORAGE_UNIT *unit = spd_test_start(&interface, 1);
	int fd = spd_test_open(0);

	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 0, 1, NULL);
	SpdStorageUnitWaitDispatcher(unit);
	SpdStorageUnitDelete(unit);
	close(fd);
}

static void
test_debug_log(void **state)
{
	SPD_STORAGE_UNIT *unit = spd_test_start(&spd_test_interface, 1);
	char path[128], text[4096] = "";
	int fd, log;

	snprintf(path, sizeof(path), "%s/log", spd_test_dir());
	log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	SpdDebugLogSetHandle((HANDLE)(intptr_t)log);
	SpdStorageUnitSetDebugLog(unit, 1u << SpdIoctlTransactReadKind);
	fd = spd_test_open(0);
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 1, 9, 1, block);
	expect(fd, 1, 0, 0, 0);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 2, 9, 1, NULL);
	expect(fd, 2, 0, 0, 0);
	close(fd);
	spd_test_end(unit);
	assert_true(pread(log, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, ">>Read BlockAddress=0:9, BlockCount=1, ForceUnitAccess="));
	assert_non_null(strstr(text, "<<Read Status={ScsiStatus=0}"));
	assert_null(strstr(text, "Write"));
	SpdDebugLogSetHandle((HANDLE)(intptr_t)STDERR_FILENO);
	close(log);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spd_test_setup, spd_test_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_read_write), TEST(test_missing_operations), TEST(test_sense),
		TEST(test_context), TEST(test_allocator), TEST(test_one_thread),
		TEST(test_hundreds_outstanding), TEST(test_response_rules),
		TEST(test_answered_within), TEST(test_final_flush), TEST(test_shutdown_within),
		TEST(test_debug_log), TEST(test_never_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
