#include "tests/api/spd-util.h"

#include <errno.h>
#include <ftw.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/endian.h"

uint8_t spd_test_memory[SPD_TEST_BLOCKS * SPD_TEST_BLOCK];
static char dir[64];

int
spd_test_setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/spd-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	setenv("USERDRIVE_RUNTIME_DIR", dir, 1);
	memset(spd_test_memory, 0, sizeof(spd_test_memory));
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int
spd_test_teardown(void **state)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
spd_test_dir(void)
{
	return dir;
}

SPD_STORAGE_UNIT_PARAMS
spd_test_params(void)
{
	SPD_STORAGE_UNIT_PARAMS p = {.Guid = {0x01020304, 0x0506, 0x0708, {1, 2, 3, 4, 5, 6, 7, 8}},
				     .BlockCount = SPD_TEST_BLOCKS,
				     .BlockLength = SPD_TEST_BLOCK,
				     .ProductId = "Test disk",
				     .ProductRevisionLevel = "1.0",
				     .CacheSupported = 1,
				     .UnmapSupported = 1,
				     .MaxTransferLength = SPD_TEST_TRANSFER};
	return p;
}

static BOOLEAN
memory_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	    SPD_STORAGE_UNIT_STATUS *status)
{
	memcpy(buffer, spd_test_memory + lba * SPD_TEST_BLOCK, (size_t)count * SPD_TEST_BLOCK);
	return TRUE;
}

static BOOLEAN
memory_write(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 count, BOOLEAN flush,
	     SPD_STORAGE_UNIT_STATUS *status)
{
	memcpy(spd_test_memory + lba * SPD_TEST_BLOCK, buffer, (size_t)count * SPD_TEST_BLOCK);
	return TRUE;
}

static BOOLEAN
memory_flush(SPD_STORAGE_UNIT *unit, UINT64 lba, UINT32 count, SPD_STORAGE_UNIT_STATUS *status)
{
	return TRUE;
}

static BOOLEAN
memory_unmap(SPD_STORAGE_UNIT *unit, SPD_UNMAP_DESCRIPTOR descriptors[], UINT32 count,
	     SPD_STORAGE_UNIT_STATUS *status)
{
	for (UINT32 i = 0; i < count; i++)
		memset(spd_test_memory + descriptors[i].BlockAddress * SPD_TEST_BLOCK, 0,
		       (size_t)descriptors[i].BlockCount * SPD_TEST_BLOCK);
	return TRUE;
}

const SPD_STORAGE_UNIT_INTERFACE spd_test_interface = {.Read = memory_read, .Write = memory_write,
						       .Flush = memory_flush,
						       .Unmap = memory_unmap};

SPD_STORAGE_UNIT *
spd_test_create(const SPD_STORAGE_UNIT_INTERFACE *interface)
{
	SPD_STORAGE_UNIT_PARAMS params = spd_test_params();
	WCHAR name[] = u"\\\\.\\pipe\\disk";
	SPD_STORAGE_UNIT *unit = NULL;
	DWORD error = SpdStorageUnitCreate(name, &params, interface, &unit);

	if (error)
		fail_msg("create: error %u: %s", error, SpdxLastError());
	return unit;
}

SPD_STORAGE_UNIT *
spd_test_start(const SPD_STORAGE_UNIT_INTERFACE *interface, ULONG n_threads)
{
	SPD_STORAGE_UNIT *unit = spd_test_create(interface);
	DWORD error = SpdStorageUnitStartDispatcher(unit, n_threads);

	if (error)
		fail_msg("start: error %u: %s", error, SpdxLastError());
	return unit;
}

void
spd_test_end(SPD_STORAGE_UNIT *unit)
{
	SpdStorageUnitShutdown(unit);
	SpdStorageUnitWaitDispatcher(unit);
	SpdStorageUnitDelete(unit);
}

int
spd_test_connect(unsigned t, const char *suffix)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/pipe/disk/%u%s", dir, t, suffix);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool
receive_bytes(int fd, void *bytes, size_t n)
{
	return n == 0 || recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n;
}

int
spd_test_open(unsigned t)
{
	uint8_t params[4 + 128];
	int fd = spd_test_connect(t, "");

	assert_true(fd >= 0);
	assert_true(receive_bytes(fd, params, sizeof(params)));
	assert_int_equal(get_le32(params), 128);
	return fd;
}

void
spd_test_send_bytes(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done <= 0)
			return; /* the other side has closed: what the test then sees of it counts
				 */
		p += done;
		n -= (size_t)done;
	}
}

void
spd_test_send(int fd, const SPD_IOCTL_TRANSACT_REQ *req, const void *data, size_t n_data)
{
	uint8_t head[4 + 48] = {0};

	put_le32(head, (uint32_t)(48 + n_data));
	memcpy(head + 4, req, sizeof(*req));
	spd_test_send_bytes(fd, head, sizeof(head));
	spd_test_send_bytes(fd, data, n_data);
}

void
spd_test_send_rw(int fd, UINT8 kind, UINT64 hint, UINT64 lba, UINT32 count, const void *data)
{
	SPD_IOCTL_TRANSACT_REQ req = {.Hint = hint, .Kind = kind};

	req.Op.Write.BlockAddress = lba;
	req.Op.Write.BlockCount = count;
	spd_test_send(fd, &req, data, data ? (size_t)count * SPD_TEST_BLOCK : 0);
}

bool
spd_test_receive(int fd, struct spd_answer *ret)
{
	uint8_t length[4];

	if (!receive_bytes(fd, length, sizeof(length)))
		return false;
	ret->n_data = get_le32(length) - (uint32_t)sizeof(ret->rsp);
	assert_true(ret->n_data <= sizeof(ret->data));
	return receive_bytes(fd, &ret->rsp, sizeof(ret->rsp)) &&
	       receive_bytes(fd, ret->data, ret->n_data);
}
