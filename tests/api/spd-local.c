/* The local door against its clients: honest, hostile, silent, several; and doors against each
 * other. */
#include "tests/api/spd-util.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "scsi/target.h"
#include "transport/local/protocol.h"

static SPD_STORAGE_UNIT *unit;
static struct spd_answer answer;
static uint8_t block[SPD_TEST_TRANSFER];

static int
setup(void **state)
{
	int err = spd_test_setup(state);

	if (err == 0)
		unit = spd_test_start(&spd_test_interface, 2);
	return err;
}

static int
teardown(void **state)
{
	spd_test_end(unit);
	return spd_test_teardown(state);
}

/* The disk still serves: what a bad client did to it. */
static void
check_alive(void)
{
	int fd = spd_test_open(0);

	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, 0, 1, NULL);
	assert_true(spd_test_receive(fd, &answer));
	assert_int_equal(answer.rsp.Status.ScsiStatus, 0);
	close(fd);
}

static void
expect_sense(int fd, UINT64 hint, UINT8 asc)
{
	assert_true(spd_test_receive(fd, &answer));
	assert_true(answer.rsp.Hint == hint);
	assert_int_equal(answer.rsp.Status.ScsiStatus, 2);
	assert_int_equal(answer.rsp.Status.ASC, asc);
	assert_int_equal(answer.n_data, 0);
}

static void
test_refused_requests(void **state)
{
	SPD_IOCTL_TRANSACT_REQ req = {.Hint = 9, .Kind = 200};
	int fd = spd_test_open(0);

	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 1, SPD_TEST_BLOCKS, 1, NULL);
	expect_sense(fd, 1, 0x21);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 2, UINT64_MAX, 2, NULL);
	expect_sense(fd, 2, 0x21);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 3, 0, 129, NULL);
	expect_sense(fd, 3, 0x24);
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 4, SPD_TEST_BLOCKS - 1, 2, block);
	expect_sense(fd, 4, 0x21);
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 5, 0, 1, NULL); /* no data */
	expect_sense(fd, 5, 0x1a);
	spd_test_send_rw(fd, SpdIoctlTransactReadKind, 0, 0, 1, NULL);
	expect_sense(fd, 0, 0x24);
	spd_test_send(fd, &req, NULL, 0);
	expect_sense(fd, 9, 0x20);
	close(fd);
	check_alive();
}

static void
test_protected(void **state)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	WCHAR name[] = u"\\\\.\\pipe\\disk";
	SPD_STORAGE_UNIT *second;
	int fd;

	params.Guid.Data1++;
	params.WriteProtected = 1;
	assert_int_equal(SpdStorageUnitCreate(name, &params, &spd_test_interface, &second), 0);
	assert_int_equal(SpdStorageUnitStartDispatcher(second, 1), 0);
	fd = spd_test_open(1);
	spd_test_send_rw(fd, SpdIoctlTransactWriteKind, 4, 0, 2, block);
	expect_sense(fd, 4, 0x27);
	close(fd);
	spd_test_end(second);
}

/* The connection ends: nothing that follows could be told from what went wrong. */
static void
expect_closed(const void *bytes, size_t n, const char *suffix)
{
	int fd = *suffix ? spd_test_connect(0, suffix) : spd_test_open(0);
	char c;

	assert_true(fd >= 0);
	spd_test_send_bytes(fd, bytes, n);
	assert_true(recv(fd, &c, 1, 0) <= 0);
	close(fd);
	check_alive();
}

static void
test_broken_framing(void **state)
{
	uint8_t bytes[4 + 48] = {0};

	expect_closed(bytes, 4, ""); /* length 0 */
	put_le32(bytes, 47);
	expect_closed(bytes, sizeof(bytes), "");
	put_le32(bytes, UINT32_MAX);
	expect_closed(bytes, sizeof(bytes), "");
	put_le32(bytes, 48 + SPD_TEST_TRANSFER + 1);
	expect_closed(bytes, sizeof(bytes), "");
	/* a READ with data that it has no room for */
	put_le32(bytes, 48 + 1024);
	bytes[4] = 1;
	bytes[4 + 8] = SpdIoctlTransactReadKind;
	expect_closed(bytes, sizeof(bytes), "");
}

static void
test_gone_in_the_middle(void **state)
{
	uint8_t bytes[4 + 48] = {0};
	int fd;

	put_le32(bytes, 48 + 512);
	bytes[4] = 1;
	bytes[4 + 8] = SpdIoctlTransactWriteKind;
	bytes[4 + 24] = 1;
	for (size_t n = 1; n <= sizeof(bytes); n += 17) {
		fd = spd_test_open(0);
		spd_test_send_bytes(fd, bytes, n);
		close(fd);
	}
	for (int i = 0; i < 10; i++) { /* gone before the answers */
		fd = spd_test_open(0);
		for (UINT64 h = 1; h <= 50; h++)
			spd_test_send_rw(fd, SpdIoctlTransactReadKind, h, 0, 128, NULL);
		close(fd);
	}
	check_alive();
}

static void
test_client_that_does_not_read(void **state)
{
	int lazy = spd_test_open(0), cdb;

	/* More answers than a socket holds: they wait in the door, and nobody else does. */
	for (UINT64 h = 1; h <= 100; h++)
		spd_test_send_rw(lazy, SpdIoctlTransactReadKind, h, 0, 128, NULL);
	cdb = spd_test_connect(0, ".cdb");
	assert_true(cdb >= 0);
	close(cdb);
	for (UINT64 h = 1; h <= 100; h++) {
		assert_true(spd_test_receive(lazy, &answer));
		assert_int_equal(answer.n_data, SPD_TEST_TRANSFER);
	}
	for (UINT64 h = 1; h <= 100; h++)
		spd_test_send_rw(lazy, SpdIoctlTransactReadKind, h, 0, 128, NULL);
	/* and the end of the unit does not wait for it: teardown */
	close(spd_test_connect(0, ""));
	SpdStorageUnitShutdown(unit);
	SpdStorageUnitWaitDispatcher(unit);
	close(lazy);
}

static void
test_one_client_at_a_time(void **state)
{
	int first = spd_test_open(0), second = spd_test_connect(0, "");
	struct pollfd p = {.fd = second, .events = POLLIN};
	uint8_t params[4 + 128];

	spd_test_send_rw(first, SpdIoctlTransactReadKind, 1, 0, 1, NULL);
	assert_true(spd_test_receive(first, &answer));
	assert_int_equal(poll(&p, 1, 50), 0);
	close(first);
	assert_int_equal(recv(second, params, sizeof(params), MSG_WAITALL), sizeof(params));
	close(second);
}

static void
test_half_closed(void **state)
{
	int fd = spd_test_open(0);

	for (UINT64 h = 1; h <= 5; h++)
		spd_test_send_rw(fd, SpdIoctlTransactReadKind, h, 0, 1, NULL);
	shutdown(fd, SHUT_WR);
	for (UINT64 h = 1; h <= 5; h++)
		assert_true(spd_test_receive(fd, &answer));
	assert_false(spd_test_receive(fd, &answer));
	close(fd);
}

static void
test_other_process(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/proc/self/exe", "spd-local", "child", (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	check_alive();
}

/* In a process of its own: number 0 of that name is taken. */
static int
child(void)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	WCHAR name[] = u"\\\\.\\pipe\\disk";
	SPD_STORAGE_UNIT *other;

	return SpdStorageUnitCreate(name, &params, NULL, &other) == ERROR_ADDRESS_ALREADY_ASSOCIATED
		       ? 0
		       : 1;
}

static void
test_stale_socket(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	spd_test_end(unit);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/pipe/disk", spd_test_dir());
	assert_int_equal(mkdir(address.sun_path, 0700), 0);
	strcat(address.sun_path, "/0");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); /* as a process that was killed leaves it */
	unit = spd_test_start(&spd_test_interface, 2);
	check_alive();
}

static void
test_foreign_directory(void **state)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	WCHAR name[] = u"\\\\.\\pipe\\open\\x";
	SPD_STORAGE_UNIT *other;
	char path[128];

	snprintf(path, sizeof(path), "%s/pipe/open", spd_test_dir());
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	params.Guid.Data1++;
	assert_int_equal(SpdStorageUnitCreate(name, &params, NULL, &other), ERROR_ACCESS_DENIED);
	assert_non_null(strstr(SpdxLastError(), path));
	assert_int_equal(rmdir(path), 0);
}

/* ---------------------------------------------------------------- CDBs */

static int
open_cdb(uint64_t initiator)
{
	struct local_cdb_hello hello = {.version = LOCAL_CDB_VERSION, .initiator = initiator};
	uint8_t bytes[4 + LOCAL_CDB_HELLO_SIZE];
	int fd = spd_test_connect(0, ".cdb");

	assert_true(fd >= 0);
	put_le32(bytes, LOCAL_CDB_HELLO_SIZE);
	local_cdb_hello_encode(&hello, bytes + 4);
	spd_test_send_bytes(fd, bytes, sizeof(bytes));
	assert_int_equal(recv(fd, bytes, sizeof(bytes), MSG_WAITALL), sizeof(bytes));
	assert_true(local_cdb_hello_decode(bytes + 4, LOCAL_CDB_HELLO_SIZE, &hello));
	assert_true(initiator ? hello.initiator == initiator : hello.initiator != 0);
	assert_int_equal(hello.limit, SCSI_TRANSFER_MAX);
	return fd;
}

static void
send_request(int fd, const struct local_cdb_request *r, const void *data)
{
	uint8_t bytes[4 + LOCAL_CDB_REQUEST_SIZE];
	uint32_t n = r->direction == SCSI_DATA_OUT ? r->expected : 0;

	put_le32(bytes, LOCAL_CDB_REQUEST_SIZE + n);
	local_cdb_request_encode(r, bytes + 4);
	spd_test_send_bytes(fd, bytes, sizeof(bytes));
	spd_test_send_bytes(fd, data, n);
}

static uint8_t reply[4 + 256 + SPD_TEST_TRANSFER];

static struct local_cdb_answer
receive_reply(int fd)
{
	struct local_cdb_answer a;
	uint32_t n;

	assert_int_equal(recv(fd, reply, 4, MSG_WAITALL), 4);
	n = get_le32(reply);
	assert_true(n <= sizeof(reply) - 4);
	assert_int_equal(recv(fd, reply + 4, n, MSG_WAITALL), n);
	assert_true(local_cdb_answer_decode(reply + 4, n, &a));
	return a;
}

static const uint8_t *
sense_of_reply(void)
{
	return reply + 4 + LOCAL_CDB_ANSWER_SIZE;
}

static struct local_cdb_answer
command(int fd, const char *cdb, uint8_t n_cdb, uint8_t direction, uint32_t expected,
	const void *data)
{
	static uint64_t tag;
	struct local_cdb_request r = {.type = LOCAL_CDB_COMMAND, .n_cdb = n_cdb, .tag = ++tag,
				      .direction = direction, .expected = expected};
	struct local_cdb_answer a;

	memcpy(r.cdb, cdb, n_cdb);
	send_request(fd, &r, data);
	a = receive_reply(fd);
	assert_true(a.tag == tag);
	return a;
}

/* The power-on attention of a new nexus. */
static void
settle(int fd)
{
	struct local_cdb_answer a = command(fd, "\0\0\0\0\0\0", 6, SCSI_DATA_NONE, 0, NULL);

	assert_int_equal(a.status, SCSI_CHECK_CONDITION);
	assert_int_equal(sense_of_reply()[2], SCSI_KEY_UNIT_ATTENTION);
}

static void
test_cdbs(void **state)
{
	int fd = open_cdb(0);
	struct local_cdb_answer a;

	settle(fd);
	memset(block, 0x21, sizeof(block));
	a = command(fd, "\x2a\0\0\0\0\x03\0\0\x02\0", 10, SCSI_DATA_OUT, 1024, block);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.flags, 0);
	assert_int_equal(spd_test_memory[3 * 512 + 1023], 0x21);
	a = command(fd, "\x28\0\0\0\0\x03\0\0\x01\0", 10, SCSI_DATA_IN, 4096, NULL);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.n_data, 512);
	assert_int_equal(a.flags, LOCAL_CDB_UNDERFLOW);
	assert_int_equal(a.residual, 4096 - 512);
	a = command(fd, "\x28\0\0\0\0\x03\0\0\x02\0", 10, SCSI_DATA_IN, 512, NULL);
	assert_int_equal(a.n_data, 512);
	assert_int_equal(a.flags, LOCAL_CDB_OVERFLOW);
	assert_int_equal(a.residual, 512);
	a = command(fd, "\x28\0\0\0\0\x03\0\0\x02\0", 10, SCSI_DATA_OUT, 512, block);
	assert_int_equal(a.status, 2); /* a READ to which data are sent */
	a = command(fd, "\xff\0\0\0\0\0", 6, SCSI_DATA_NONE, 0, NULL);
	assert_int_equal(a.status, 2);
	assert_int_equal(sense_of_reply()[12], 0x20);
	a = command(fd, "\x2a\0\0\0\0\x03\0\0\x02\0", 10, SCSI_DATA_OUT, 0, NULL);
	/* Too little for the CDB: what came is written, here nothing, and the rest is told. */
	assert_int_equal(a.flags, LOCAL_CDB_OVERFLOW);
	assert_int_equal(a.residual, 1024);
	assert_int_equal(spd_test_memory[3 * 512 + 1023], 0x21);
	close(fd);
	check_alive();
}

static void
test_nexuses(void **state)
{
	int first = open_cdb(77), second = open_cdb(78);
	struct local_cdb_answer a;

	settle(first);
	settle(second);
	a = command(first, "\x16\0\0\0\0\0", 6, SCSI_DATA_NONE, 0, NULL); /* RESERVE(6) */
	assert_int_equal(a.status, 0);
	a = command(second, "\0\0\0\0\0\0", 6, SCSI_DATA_NONE, 0, NULL);
	assert_int_equal(a.status, SCSI_RESERVATION_CONFLICT);
	close(first); /* the nexus is lost, and with it the reservation */
	SPD_TEST_WAIT(command(second, "\0\0\0\0\0\0", 6, SCSI_DATA_NONE, 0, NULL).status !=
		      SCSI_RESERVATION_CONFLICT);
	close(second);
}

static void
test_management(void **state)
{
	struct local_cdb_request r = {.type = LOCAL_CDB_MANAGEMENT, .tag = 5,
				      .function = SCSI_TMF_LU_RESET};
	int fd = open_cdb(0);
	struct local_cdb_answer a;

	settle(fd);
	send_request(fd, &r, NULL);
	a = receive_reply(fd);
	assert_int_equal(a.type, LOCAL_CDB_MANAGEMENT);
	assert_true(a.tag == 5);
	assert_int_equal(a.response, SCSI_TMF_COMPLETE);
	r.function = SCSI_TMF_ABORT_TASK;
	r.task = 4711;
	send_request(fd, &r, NULL);
	assert_int_not_equal(receive_reply(fd).response, SCSI_TMF_SUCCEEDED);
	r.function = 200;
	send_request(fd, &r, NULL);
	assert_int_equal(receive_reply(fd).response, SCSI_TMF_NOT_SUPPORTED);
	close(fd);
}

static void
test_broken_cdb_clients(void **state)
{
	uint8_t bytes[4 + LOCAL_CDB_HELLO_SIZE] = {0};
	struct local_cdb_hello hello = {.version = 99};
	int fds[80];

	put_le32(bytes, LOCAL_CDB_HELLO_SIZE);
	expect_closed(bytes, sizeof(bytes), ".cdb"); /* no magic */
	local_cdb_hello_encode(&hello, bytes + 4);
	expect_closed(bytes, sizeof(bytes), ".cdb"); /* another version */
	put_le32(bytes, UINT32_MAX);
	expect_closed(bytes, sizeof(bytes), ".cdb");
	/* Silent ones, more than there is room for: none keeps the door from serving or ending. */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = spd_test_connect(0, ".cdb");
	check_alive();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

int
main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_refused_requests), TEST(test_protected), TEST(test_broken_framing),
		TEST(test_gone_in_the_middle), TEST(test_client_that_does_not_read),
		TEST(test_one_client_at_a_time), TEST(test_half_closed), TEST(test_other_process),
		TEST(test_stale_socket), TEST(test_foreign_directory), TEST(test_cdbs),
		TEST(test_nexuses), TEST(test_management), TEST(test_broken_cdb_clients),
	};

	if (argc > 1)
		return child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
