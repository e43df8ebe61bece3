/*
 * memfs that changes behind the kernel's back, as a file system on a network does, and announces it
 * with FspFileSystemNotify. SIGUSR1: "watched" grows by a byte, "born" appears, "gone" goes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "examples/memfs/memfs.h"

static FSP_FILE_SYSTEM_INTERFACE interface;
static struct memfs *memfs;

static void
announce(void)
{
	static const struct {
		const WCHAR *name;
		UINT32 filter, action;
	} changes[] = {
		{u"\\watched", FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE,
		 FILE_ACTION_MODIFIED},
		{u"\\born", FILE_NOTIFY_CHANGE_FILE_NAME, FILE_ACTION_ADDED},
		{u"\\gone", FILE_NOTIFY_CHANGE_FILE_NAME, FILE_ACTION_REMOVED},
	};
	union {
		FSP_FSCTL_NOTIFY_INFO info;
		UINT8 bytes[64];
	} record;
	UINT8 buffer[512];
	ULONG n = 0;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		size_t bytes = wide_len(changes[i].name) * sizeof(WCHAR);

		memset(&record, 0, sizeof(record));
		record.info.Size = (UINT16)(sizeof(record.info) + bytes);
		record.info.Filter = changes[i].filter;
		record.info.Action = changes[i].action;
		memcpy(record.info.FileNameBuf, changes[i].name, bytes);
		FspFileSystemAddNotifyInfo(&record.info, buffer, sizeof(buffer), &n);
	}
	if (FspFileSystemNotifyBegin(memfs->fs, 500) == STATUS_SUCCESS) {
		FspFileSystemNotify(memfs->fs, (FSP_FSCTL_NOTIFY_INFO *)buffer, n);
		FspFileSystemNotifyEnd(memfs->fs);
	}
}

/* Straight into the tree: neither engine nor kernel sees it happen. */
static void
change(void)
{
	FSP_FSCTL_FILE_INFO info[2]; /* room for what follows the information of an open */
	PVOID context;
	ULONG done;

	if (!interface.Open(memfs->fs, (PWSTR)u"\\watched", 0, 0, &context, info)) {
		interface.Write(memfs->fs, context, (PVOID) "!", 0, 1, TRUE, FALSE, &done, info);
		interface.Close(memfs->fs, context);
	}
	if (!interface.CreateEx(memfs->fs, (PWSTR)u"\\born", 0, 0, 0, memfs->tree.root->sd, 0, NULL,
				0, FALSE, &context, info))
		interface.Close(memfs->fs, context);
	if (!interface.Open(memfs->fs, (PWSTR)u"\\gone", 0, 0, &context, info)) {
		interface.Cleanup(memfs->fs, context, (PWSTR)u"\\gone", FspCleanupDelete);
		interface.Close(memfs->fs, context);
	}
}

static void *
wait_for_signals(void *arg)
{
	sigset_t set;
	int number;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	while (sigwait(&set, &number) == 0) {
		change();
		announce();
	}
	return NULL;
}

static NTSTATUS
create(FSPX_PROGRAM *program, FSP_FILE_SYSTEM **ret_fs, char *error, SIZE_T cap)
{
	struct memfs_params params = {.file_info_timeout = UINT32_MAX,
				      .max_nodes = UINT32_MAX,
				      .max_file_size = INT64_MAX,
				      .size = 1ull << 30,
				      .fs_name = "-NOTIFY",
				      .mode = 0755};
	pthread_t thread;
	NTSTATUS st = memfs_create(&params, &memfs, error, cap);

	(void)program;
	if (!NT_SUCCESS(st))
		return st;
	memfs_interface_init(&interface);
	pthread_create(&thread, NULL, wait_for_signals, NULL);
	pthread_detach(thread);
	*ret_fs = memfs->fs;
	return STATUS_SUCCESS;
}

static VOID
destroy(FSPX_PROGRAM *program, FSP_FILE_SYSTEM *fs)
{
	(void)program;
	memfs_delete(memfs_of(fs));
}

int
main(int argc, char **argv)
{
	static const FSPX_OPTION none[] = {{0, NULL, NULL, NULL}};
	FSPX_PROGRAM program = {.Size = sizeof(program),
				.Name = "notifyfs",
				.Version = USERDRIVE_VERSION,
				.Summary = "memfs that changes by itself",
				.Options = none,
				.Create = create,
				.Delete = destroy};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return FspxProgramMain(&program, argc, argv);
}
