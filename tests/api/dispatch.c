/* What surrounds a handler: operation context, guard, and answers that come later. */
#include "tests/api/test.h"
#include <pthread.h>
#include <unistd.h>
#include "tests/api/ram.h"
#include "api/winfsp/priv.h"

static struct ram ram;
static struct exchange x;

static int
setup(void **state)
{
	return NT_SUCCESS(ram_create(&ram, NULL)) ? 0 : -1;
}

static int
teardown(void **state)
{
	ram_delete(&ram);
	return 0;
}

/* The answer to request, as a program builds it. */
static void
send_answer(uint64_t hint, UINT32 kind, NTSTATUS st, UINT32 information)
{
	FSP_FSCTL_TRANSACT_RSP rsp;

	memset(&rsp, 0, sizeof(rsp));
	rsp.Size = sizeof(rsp);
	rsp.Kind = kind;
	rsp.Hint = hint;
	rsp.IoStatus.Status = (UINT32)st;
	rsp.IoStatus.Information = information;
	FspFileSystemSendResponse(ram.fs, &rsp);
}

static NTSTATUS
look_around(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	FSP_FILE_SYSTEM_OPERATION_CONTEXT *context = FspFileSystemGetOperationContext();

	assert_non_null(context);
	assert_ptr_equal(context->Request, req);
	assert_ptr_equal(context->Response, rsp);
	rsp->IoStatus.Information = FspFileSystemOperationProcessId();
	return STATUS_SUCCESS;
}

static void
test_operation_context(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactCreateKind, look_around);
	assert_null(FspFileSystemGetOperationContext());
	exchange_create(&x, u"\\a", FILE_OPEN, 0, 0, 5);
	x.req.Req.Create.AccessToken |= 77ull << 32;
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_int_equal(x.rsp.IoStatus.Information, 77);
	assert_null(FspFileSystemGetOperationContext());
	assert_int_equal(FspFileSystemOperationProcessId(), 0);
}

static void
test_no_handler(void **state)
{
	exchange_init(&x, FspFsctlTransactShutdownKind, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
	exchange_init(&x, 1000, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
	exchange_init(&x, FS_KIND_LINK, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
}

static NTSTATUS
scribble(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	rsp->Size = req->Req.Read.Length;
	rsp->Kind = 99;
	rsp->Hint = 99;
	return STATUS_SUCCESS;
}

static void
test_bad_sizes(void **state)
{
	static const UINT16 sizes[] = {0, 127, 16385, 65535};

	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, scribble);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		exchange_init(&x, FspFsctlTransactReadKind, NULL);
		x.req.Req.Read.Length = sizes[i];
		assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
		assert_int_equal(x.rsp.Size, sizeof(x.rsp));
		assert_true(x.rsp.Hint == x.req.Hint);
		assert_int_equal(x.rsp.Kind, x.req.Kind);
	}
}

/* ---------------------------------------------------------------- pending */

struct later {
	pthread_t thread;
	uint64_t hint;
	unsigned delay_us;
};

static struct later later;

static void *
answer_later(void *arg)
{
	usleep(later.delay_us);
	send_answer(later.hint + 1000, FspFsctlTransactReadKind, STATUS_UNSUCCESSFUL, 0);
	send_answer(later.hint, FspFsctlTransactWriteKind, STATUS_UNSUCCESSFUL, 0);
	send_answer(later.hint, FspFsctlTransactReadKind, STATUS_SUCCESS, 11);
	send_answer(later.hint, FspFsctlTransactReadKind, STATUS_UNSUCCESSFUL, 0);
	return NULL;
}

static NTSTATUS
pend_to_thread(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	later.hint = req->Hint;
	assert_int_equal(pthread_create(&later.thread, NULL, answer_later, NULL), 0);
	return STATUS_PENDING;
}

/* Answers with another Hint or Kind are dropped, and only the first answer counts. */
static void
test_pending_from_thread(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, pend_to_thread);
	for (later.delay_us = 0; later.delay_us < 20000; later.delay_us += 5000) {
		exchange_init(&x, FspFsctlTransactReadKind, NULL);
		assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
		assert_int_equal(x.rsp.IoStatus.Information, 11);
		pthread_join(later.thread, NULL);
	}
}

static NTSTATUS
answer_first(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	send_answer(req->Hint, req->Kind, STATUS_END_OF_FILE, 0);
	rsp->IoStatus.Information = 99;
	return (NTSTATUS)req->Req.Read.Key;
}

static void
test_pending_answered_before_return(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, answer_first);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	x.req.Req.Read.Key = (UINT32)STATUS_PENDING;
	assert_status(exchange_run(&x, &ram), STATUS_END_OF_FILE);
	assert_int_equal(x.rsp.IoStatus.Information, 0);
}

/* A handler that answers and yet returns a status: the status counts, nothing leaks. */
static void
test_answered_and_returned(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, answer_first);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	x.req.Req.Read.Key = (UINT32)STATUS_ACCESS_DENIED;
	assert_status(exchange_run(&x, &ram), STATUS_ACCESS_DENIED);
}

static NTSTATUS
answer_oversize(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	FSP_FSCTL_TRANSACT_RSP answer;

	memset(&answer, 0, sizeof(answer));
	answer.Size = 16385;
	answer.Kind = req->Kind;
	answer.Hint = req->Hint;
	FspFileSystemSendResponse(fs, &answer);
	return STATUS_PENDING;
}

static void
test_pending_oversize(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, answer_oversize);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
}

static NTSTATUS
answer_pending(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	send_answer(req->Hint, req->Kind, STATUS_PENDING, 0);
	return STATUS_PENDING;
}

static void
test_pending_must_not_be_sent(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, answer_pending);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_INVALID_DEVICE_REQUEST);
}

/* ---------------------------------------------------------------- guard */

enum held { FREE, SHARED, EXCLUSIVE };

static enum held held_by_other;

static void *
probe(void *arg)
{
	pthread_rwlock_t *lock = &fsp_of(ram.fs)->guard.l;

	if (pthread_rwlock_trywrlock(lock) == 0)
		held_by_other = FREE;
	else if (pthread_rwlock_tryrdlock(lock) == 0)
		held_by_other = SHARED;
	else
		held_by_other = EXCLUSIVE;
	if (held_by_other != EXCLUSIVE)
		pthread_rwlock_unlock(lock);
	return NULL;
}

static enum held
guard_of(void)
{
	pthread_t thread;

	assert_status(FspFileSystemOpEnter(ram.fs, &x.req, &x.rsp), STATUS_SUCCESS);
	pthread_create(&thread, NULL, probe, NULL);
	pthread_join(thread, NULL);
	assert_status(FspFileSystemOpLeave(ram.fs, &x.req, &x.rsp), STATUS_SUCCESS);
	return held_by_other;
}

static void
expect_guard(UINT32 kind, enum held expected)
{
	exchange_init(&x, kind, NULL);
	/* no context is a request on the volume */
	((FSP_FSCTL_TRANSACT_FULL_CONTEXT *)(void *)&x.req.Req)->UserContext = 0;
	assert_int_equal(guard_of(), expected);
}

static void
test_guard_fine_by_kind(void **state)
{
	expect_guard(FspFsctlTransactOverwriteKind, EXCLUSIVE);
	expect_guard(FspFsctlTransactCleanupKind, FREE);
	expect_guard(FspFsctlTransactCloseKind, FREE);
	expect_guard(FspFsctlTransactReadKind, FREE);
	expect_guard(FspFsctlTransactWriteKind, FREE);
	expect_guard(FspFsctlTransactQueryInformationKind, FREE);
	expect_guard(FspFsctlTransactFlushBuffersKind, EXCLUSIVE);
	expect_guard(FspFsctlTransactQueryVolumeInformationKind, SHARED);
	expect_guard(FspFsctlTransactSetVolumeInformationKind, EXCLUSIVE);
	expect_guard(FspFsctlTransactQueryDirectoryKind, SHARED);
	expect_guard(FspFsctlTransactFileSystemControlKind, FREE);
	expect_guard(FspFsctlTransactSetSecurityKind, FREE);
	expect_guard(FS_KIND_LINK, EXCLUSIVE);
	expect_guard(FS_KIND_RENAME_POSIX, EXCLUSIVE);
}

static void
test_guard_fine_by_argument(void **state)
{
	static const struct {
		UINT32 info_class;
		enum held held;
	} classes[] = {{FileRenameInformation, EXCLUSIVE}, {FileRenameInformationEx, EXCLUSIVE},
		       {FileDispositionInformation, SHARED}, {FileDispositionInformationEx, SHARED},
		       {FileBasicInformation, FREE}, {FileEndOfFileInformation, FREE}};

	exchange_create(&x, u"\\a", FILE_OPEN, 0, 0, 0);
	assert_int_equal(guard_of(), SHARED);
	exchange_create(&x, u"\\a", FILE_OPEN_IF, 0, 0, 0);
	assert_int_equal(guard_of(), EXCLUSIVE);
	exchange_init(&x, FspFsctlTransactCleanupKind, u"\\a");
	x.req.Req.Cleanup.Delete = 1;
	assert_int_equal(guard_of(), EXCLUSIVE);
	exchange_init(&x, FspFsctlTransactFlushBuffersKind, NULL);
	x.req.Req.FlushBuffers.UserContext2 = 1;
	assert_int_equal(guard_of(), FREE);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		exchange_init(&x, FspFsctlTransactSetInformationKind, NULL);
		x.req.Req.SetInformation.FileInformationClass = classes[i].info_class;
		assert_int_equal(guard_of(), classes[i].held);
	}
}

static void
test_guard_coarse(void **state)
{
	FspFileSystemSetOperationGuardStrategy(
		ram.fs, FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_COARSE);
	expect_guard(FspFsctlTransactReadKind, EXCLUSIVE);
	expect_guard(FspFsctlTransactCloseKind, EXCLUSIVE);
	FspFileSystemSetOperationGuardStrategy(
		ram.fs, FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_FINE);
}

static unsigned n_left;

static NTSTATUS
enter_refuses(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	return STATUS_CANCELLED;
}

static NTSTATUS
leave_counts(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	n_left++;
	return STATUS_SUCCESS;
}

static void
test_guard_of_program(void **state)
{
	FspFileSystemSetOperation(ram.fs, FspFsctlTransactReadKind, look_around);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	FspFileSystemSetOperationGuard(ram.fs, enter_refuses, leave_counts);
	assert_status(exchange_run(&x, &ram), STATUS_CANCELLED);
	assert_int_equal(n_left, 0);
	FspFileSystemSetOperationGuard(ram.fs, NULL, leave_counts);
	exchange_init(&x, FspFsctlTransactReadKind, NULL);
	assert_status(exchange_run(&x, &ram), STATUS_SUCCESS);
	assert_int_equal(n_left, 1);
	FspFileSystemSetOperationGuard(ram.fs, FspFileSystemOpEnter, FspFileSystemOpLeave);
}

/* ---------------------------------------------------------------- debug log */

static void
test_debug_log(void **state)
{
	char text[512] = "";
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	FspDebugLogSetHandle((HANDLE)(intptr_t)fds[1]);
	FspFileSystemSetDebugLog(ram.fs, 1u << FspFsctlTransactCloseKind);
	exchange_init(&x, FspFsctlTransactCleanupKind, u"\\silent");
	exchange_run(&x, &ram);
	exchange_init(&x, FspFsctlTransactCloseKind, NULL);
	x.req.Req.Close.UserContext = 0x1234;
	exchange_run(&x, &ram);
	FspFileSystemSetDebugLog(ram.fs, 0);
	FspDebugLogSetHandle((HANDLE)(intptr_t)STDERR_FILENO);
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	assert_non_null(strstr(text, "[TID="));
	assert_non_null(strstr(text, ">>Close 0:1234\n"));
	assert_null(strstr(text, "silent"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operation_context),
		cmocka_unit_test(test_no_handler),
		cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_pending_from_thread),
		cmocka_unit_test(test_pending_answered_before_return),
		cmocka_unit_test(test_answered_and_returned),
		cmocka_unit_test(test_pending_oversize),
		cmocka_unit_test(test_pending_must_not_be_sent),
		cmocka_unit_test(test_guard_fine_by_kind),
		cmocka_unit_test(test_guard_fine_by_argument),
		cmocka_unit_test(test_guard_coarse),
		cmocka_unit_test(test_guard_of_program),
		cmocka_unit_test(test_debug_log),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
