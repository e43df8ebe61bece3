/*
 * Breaks when a disk whose program does not answer holds up others: another LUN of the
 * same target, another disk of the same process, logins, or commands to the same disk
 * that need no answer of its program; and when not all that waited is answered, once the
 * program goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "winspd/ext.h"
#include "nt/winerror.h"
#include "tools/disk/client.h"

enum {
	BLOCK = 512,
	N_BLOCKS = 1024,
	SLOTS = 6, /* callbacks at once, more than the network door has threads */
	SESSIONS = 8,
	DEPTH = 4,
	HELD_FROM = 64 /* lba: reads from there on are not answered */
};

#define TARGET "iscsi://127.0.0.1:0/iqn.2026-01.org.example:slow"

struct memory_disk {
	SPD_STORAGE_UNIT *unit;
	uint8_t bytes[N_BLOCKS * BLOCK];
};
static struct memory_disk slow, quick;
static char folder[] = "/tmp/userdrive-slow.XXXXXX";
static char url[256]; /* of the target, without LUN */
static bool has_iscsi;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_open;
	unsigned n_held;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void
pass_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.n_held++;
	pthread_cond_broadcast(&gate.changed);
	while (!gate.is_open)
		pthread_cond_wait(&gate.changed, &gate.lock);
	gate.n_held--;
	pthread_mutex_unlock(&gate.lock);
}

static void
wait_until_held(unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.n_held < n)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void
set_gate(bool is_open)
{
	pthread_mutex_lock(&gate.lock);
	gate.is_open = is_open;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* ---------------------------------------------------------------- the disks */

static BOOLEAN
memory_read(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n, BOOLEAN flush,
	    SPD_STORAGE_UNIT_STATUS *status)
{
	struct memory_disk *disk = unit->UserContext;

	(void)flush, (void)status;
	if (disk == &slow && lba >= HELD_FROM)
		pass_gate();
	memcpy(buffer, disk->bytes + lba * BLOCK, (size_t)n * BLOCK);
	return TRUE;
}

static BOOLEAN
memory_write(SPD_STORAGE_UNIT *unit, PVOID buffer, UINT64 lba, UINT32 n, BOOLEAN flush,
	     SPD_STORAGE_UNIT_STATUS *status)
{
	struct memory_disk *disk = unit->UserContext;

	(void)flush, (void)status;
	memcpy(disk->bytes + lba * BLOCK, buffer, (size_t)n * BLOCK);
	return TRUE;
}

static const SPD_STORAGE_UNIT_INTERFACE interface = {.Read = memory_read,
						     .Write = memory_write};

static void
to_utf16(const char *text, WCHAR *dst)
{
	do
		*dst++ = (WCHAR)(unsigned char)*text;
	while (*text++);
}

static void
disk_start(struct memory_disk *disk, const char *local, const char *network)
{
	WCHAR name[256];
	SPD_STORAGE_UNIT_PARAMS p = {.Guid = {disk == &slow ? 1 : 2, 3, 4, {5}},
				     .BlockCount = N_BLOCKS,
				     .BlockLength = BLOCK,
				     .ProductId = "Slow or quick",
				     .ProductRevisionLevel = "1",
				     .MaxTransferLength = 65536};

	to_utf16(local, name);
	if (SpdStorageUnitCreate(name, &p, &interface, &disk->unit) != ERROR_SUCCESS)
		fail_msg("create: %s", SpdxLastError());
	disk->unit->UserContext = disk;
	to_utf16(network, name);
	if (SpdxStorageUnitAddDoor(disk->unit, name) != ERROR_SUCCESS)
		fail_msg("%s: %s", network, SpdxLastError());
	if (SpdStorageUnitStartDispatcher(disk->unit, SLOTS) != ERROR_SUCCESS)
		fail_msg("start: %s", SpdxLastError());
}

static void
disk_end(struct memory_disk *disk)
{
	SpdStorageUnitShutdown(disk->unit);
	SpdStorageUnitWaitDispatcher(disk->unit);
	SpdStorageUnitDelete(disk->unit);
}

/* The address that the system chose, up to the name of the target. */
static void
find_url(void)
{
	char json[2048];
	const char *at;
	size_t n;

	assert_int_equal(SpdxStorageUnitDescribe(slow.unit, json, sizeof(json)),
			 ERROR_SUCCESS);
	at = strstr(json, "iscsi://");
	assert_non_null(at);
	n = strcspn(at, "\"");
	assert_true(n < sizeof(url));
	memcpy(url, at, n);
	url[n] = '\0';
	/* What it says may have the LUN at its end. */
	char *slash = strrchr(url, '/');
	if (slash && strcmp(slash, "/0") == 0)
		*slash = '\0';
}

static unsigned
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int
set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	setenv("USERDRIVE_RUNTIME_DIR", folder, 1);
	disk_start(&slow, "\\\\.\\pipe\\slow", TARGET "/0");
	find_url();
	/* The same portal: doors are compared by what was asked for. */
	disk_start(&quick, "\\\\.\\pipe\\quick", TARGET "/1");
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	set_gate(true);
	disk_end(&quick);
	disk_end(&slow);
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---------------------------------------------------------------- their clients */

/* lun -1: by the local door. NULL: there is no iSCSI here. */
static struct disk *
client(const struct memory_disk *disk)
{
	struct disk_options options = {.depth = DEPTH, .lun = -1};
	struct disk_error error;
	struct disk *client;
	char target[300];

	snprintf(target, sizeof(target), "%s/%d", url, disk == &quick);
	int err = disk_open(target, &options, &error, &client);
	if (err && err != -EPROTONOSUPPORT)
		fail_msg("%s: %s", target, error.text);
	has_iscsi = err == 0;
	return err ? NULL : client;
}

static struct disk *
local_client(const struct memory_disk *disk)
{
	struct disk_options options = {.depth = DEPTH, .lun = -1};
	struct disk_error error;
	struct disk *client;

	if (disk_open(disk == &slow ? "\\\\.\\pipe\\slow\\0" : "\\\\.\\pipe\\quick\\1",
		      &options, &error, &client) != 0)
		fail_msg("%s", error.text);
	return client;
}

/* Writes and reads, all of which are answered. */
static void
use(struct disk *disk)
{
	uint8_t *data = disk_alloc(8 * BLOCK);
	struct disk_req req = {.n_blocks = 8, .data = data};

	if (!disk)
		return;
	assert_non_null(data);
	for (unsigned i = 0; i < 100; i++) {
		req.kind = i % 2 ? DISK_READ : DISK_WRITE;
		req.lba = HELD_FROM + i / 2 * 8;
		memset(data, (int)(i % 2 ? 0 : i + 1), 8 * BLOCK);
		struct disk_outcome out = disk_io(disk, &req);
		assert_true(disk_good(&out));
		assert_int_equal(data[8 * BLOCK - 1], i % 2 ? i : i + 1);
	}
	free(data);
}

static void
use_and_close(struct disk *disk)
{
	use(disk);
	disk_close(disk);
}

struct waiting {
	struct disk *disk;
	struct disk_req reqs[DEPTH];
	uint8_t *data;
};

static void
begin_waiting(struct waiting *w, struct disk *disk)
{
	*w = (struct waiting){.disk = disk, .data = disk_alloc(DEPTH * BLOCK)};
	assert_non_null(w->data);
	for (unsigned i = 0; disk && i < DEPTH; i++) {
		w->reqs[i] = (struct disk_req){.kind = DISK_READ,
					       .lba = HELD_FROM + i,
					       .n_blocks = 1,
					       .data = w->data + i * BLOCK};
		disk_submit(disk, &w->reqs[i]);
	}
	/* What is queued goes out with the next turn. */
	if (disk)
		assert_null(disk_next(disk, 0));
}

static void
end_waiting(struct waiting *w)
{
	for (unsigned i = 0; w->disk && i < DEPTH; i++) {
		struct disk_req *req = disk_next(w->disk, 20000);

		assert_non_null(req);
		assert_true(disk_good(&req->out));
	}
	disk_close(w->disk);
	free(w->data);
}

/* A greeting needs no program. */
static void
ask_the_slow_one(void)
{
	struct disk *disk = client(&slow);
	uint8_t reply[36] = {0};
	struct disk_cdb inquiry = {.cdb = {0x12, 0, 0, 0, sizeof(reply)},
				   .n_cdb = 6,
				   .direction = DISK_IN,
				   .data = reply,
				   .n_data = sizeof(reply)};

	if (!disk)
		return;
	assert_int_equal(disk_execute(disk, &inquiry), 0);
	assert_int_equal(inquiry.out.status, 0);
	assert_memory_equal(reply + 16, "Slow or quick", 13);
	disk_close(disk);
}

static void
a_held_disk_holds_no_other(void **state)
{
	struct waiting network[SESSIONS], local;
	struct disk *before;

	(void)state;
	set_gate(false);
	before = client(&quick);
	for (unsigned i = 0; i < SESSIONS; i++)
		begin_waiting(&network[i], client(&slow));
	begin_waiting(&local, local_client(&slow));
	/* Of one connection the first may be held on the thread that would read the
	 * others. */
	wait_until_held(has_iscsi ? SLOTS : 1);

	use_and_close(before);
	use_and_close(client(&quick));
	use_and_close(local_client(&quick));
	ask_the_slow_one();
	/* Who goes away with requests under way is not waited for by those who come. */
	disk_close(network[0].disk);
	network[0].disk = NULL;
	use_and_close(client(&quick));
	ask_the_slow_one();

	set_gate(true);
	for (unsigned i = 0; i < SESSIONS; i++)
		end_waiting(&network[i]);
	end_waiting(&local);
	use_and_close(client(&slow));
	use_and_close(local_client(&slow));
}

/* The end of a disk waits for its program, and no longer. */
static void
the_other_disk_can_end(void **state)
{
	struct waiting local;

	(void)state;
	set_gate(false);
	begin_waiting(&local, local_client(&slow));
	wait_until_held(1);
	disk_end(&quick);
	disk_start(&quick, "\\\\.\\pipe\\quick", TARGET "/1");
	use_and_close(local_client(&quick));
	use_and_close(client(&quick));
	set_gate(true);
	end_waiting(&local);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_disk_holds_no_other),
		cmocka_unit_test(the_other_disk_can_end),
	};
	unsigned n_before = count_descriptors(), n_after;
	int n_failed = cmocka_run_group_tests(tests, set_up, tear_down);

	n_after = count_descriptors();
	if (n_after != n_before)
		fprintf(stderr, "descriptors: %u before, %u after\n", n_before, n_after);
	if (!has_iscsi)
		printf("not done: sessions over iSCSI (built without libiscsi)\n");
	return n_failed + (n_after != n_before);
}
