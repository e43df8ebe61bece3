/* evilfs: behaviours that a request's operation is asked for by name (see evilfs.h). */
#include "tests/fault/evilfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---------------------------------------------------------------- names */

enum { N_KNOWN = 256 };

/* Which inodes have an evil name, under lock. */
static struct {
	pthread_mutex_t lock;
	struct {
		const void *inode;
		char name[EVIL_NAME_MAX + 1];
	} items[N_KNOWN];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool
is_evil(const char *name)
{
	return !strncmp(name, "evil-", 5) || !strncmp(name, "edquot-", 7) ||
	       !strncmp(name, "enospc-", 7);
}

void
evil_name_of_path(PCWSTR path, char ret_name[EVIL_NAME_MAX + 1])
{
	size_t n = wide_len(path), at = n, i;

	while (at > 0 && path[at - 1] != '\\')
		at--;
	for (i = 0; at + i < n && i < EVIL_NAME_MAX; i++)
		ret_name[i] = path[at + i] < 0x80 ? (char)path[at + i] : '?';
	ret_name[i] = 0;
	if (!is_evil(ret_name))
		ret_name[0] = 0;
}

static const void *
inode_of(PVOID context)
{
	return context ? ((struct stream *)context)->inode : NULL;
}

void
evil_name_of_context(PVOID context, char ret_name[EVIL_NAME_MAX + 1])
{
	const void *inode = inode_of(context);

	ret_name[0] = 0;
	pthread_mutex_lock(&known.lock);
	for (int i = 0; inode && i < N_KNOWN; i++)
		if (known.items[i].inode == inode)
			strcpy(ret_name, known.items[i].name);
	pthread_mutex_unlock(&known.lock);
}

/* An inode's address can come back for another file: each open says anew what it is. */
static void
remember(PVOID context, const char *name)
{
	const void *inode = inode_of(context);
	int slot = -1;

	pthread_mutex_lock(&known.lock);
	for (int i = 0; i < N_KNOWN && (slot < 0 || known.items[slot].inode != inode); i++)
		if (known.items[i].inode == inode || (slot < 0 && !known.items[i].inode))
			slot = i;
	if (slot >= 0 && (name[0] || known.items[slot].inode == inode)) {
		known.items[slot].inode = name[0] ? inode : NULL;
		strcpy(known.items[slot].name, name);
	}
	pthread_mutex_unlock(&known.lock);
}

/* ---------------------------------------------------------------- hanging */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t n_releases; /* lock */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void
hang(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HANG_MAX_S;
	pthread_mutex_lock(&gate.lock);
	for (uint64_t now = gate.n_releases; gate.n_releases == now;)
		if (pthread_cond_timedwait(&gate.changed, &gate.lock, &until))
			break;
	pthread_mutex_unlock(&gate.lock);
}

static void
release(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.n_releases++;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* ---------------------------------------------------------------- before an operation */

static NTSTATUS
do_hang(const char *rest)
{
	hang();
	return STATUS_SUCCESS;
}

static NTSTATUS
do_slow(const char *rest)
{
	const struct timespec pause = {.tv_nsec = SLOW_MS * 1000000l};

	nanosleep(&pause, NULL);
	return STATUS_SUCCESS;
}

static NTSTATUS
do_status(const char *rest)
{
	return (NTSTATUS)strtoul(rest + 1, NULL, 16);
}

/* Nobody will ever complete it. */
static NTSTATUS
do_never(const char *rest)
{
	return STATUS_PENDING;
}

static NTSTATUS
do_crash(const char *rest)
{
	__builtin_trap(); /* a fault, which no signal mask holds back */
}

static NTSTATUS
do_abort(const char *rest)
{
	abort();
}

static NTSTATUS
do_exit(const char *rest)
{
	_exit(0);
}

static const struct {
	const char *verb;
	NTSTATUS (*act)(const char *rest);
} acts[] = {
	{"evil-hang-", do_hang},   {"evil-slow-", do_slow},   {"evil-status-", do_status},
	{"evil-crash-", do_crash}, {"evil-abort-", do_abort}, {"evil-exit-", do_exit},
	{"evil-never-", do_never},
};

/* Is name VERB OPERATION, and maybe "-" something? Returns what follows the operation. */
static const char *
match(const char *name, const char *verb, const char *operation)
{
	size_t n = strlen(verb), n_op = strlen(operation);

	if (strncmp(name, verb, n) || strncmp(name + n, operation, n_op))
		return NULL;
	name += n + n_op;
	return *name == 0 || *name == '-' ? name : NULL;
}

NTSTATUS
evil_before(const char *name, const char *operation)
{
	if (!strncmp(name, "edquot-", 7) && !strcmp(operation, "create"))
		return (NTSTATUS)0xE055007Au; /* the private status of errno 122, EDQUOT */
	if (!strncmp(name, "enospc-", 7) && !strcmp(operation, "create"))
		return STATUS_DISK_FULL;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		const char *rest = match(name, acts[i].verb, operation);

		if (rest)
			return acts[i].act(rest);
	}
	return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------- answers by message */

static FSP_FILE_SYSTEM_OPERATION *honest[FspFsctlTransactKindCount];

struct parcel {
	FSP_FILE_SYSTEM *fs;
	bool bad_size;
	FSP_FSCTL_TRANSACT_RSP *rsp; /* FSP_FSCTL_TRANSACT_RSP_SIZEMAX bytes, freed with it */
};

/* The right answer among wrong ones; only the right one may arrive, and only once. */
static void *
deliver(void *arg)
{
	struct parcel *p = arg;
	FSP_FSCTL_TRANSACT_RSP stray = {.Size = sizeof(stray), .Kind = p->rsp->Kind};

	do_slow(NULL);
	stray.Hint = p->rsp->Hint + 0x1000000;
	FspFileSystemSendResponse(p->fs, &stray);
	stray.Hint = p->rsp->Hint;
	stray.Kind = p->rsp->Kind + 1;
	FspFileSystemSendResponse(p->fs, &stray);
	if (p->bad_size)
		p->rsp->Size = 7;
	FspFileSystemSendResponse(p->fs, p->rsp);
	p->rsp->Size = sizeof(stray);
	p->rsp->IoStatus.Status = (UINT32)STATUS_ACCESS_DENIED;
	FspFileSystemSendResponse(p->fs, p->rsp);
	free(p->rsp);
	free(p);
	return NULL;
}

static NTSTATUS
answer_later(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_RSP *rsp, NTSTATUS st, bool bad_size)
{
	struct parcel *p = malloc(sizeof(*p));
	pthread_t thread;

	p->fs = fs;
	p->bad_size = bad_size;
	p->rsp = calloc(1, FSP_FSCTL_TRANSACT_RSP_SIZEMAX);
	memcpy(p->rsp, rsp, rsp->Size);
	p->rsp->IoStatus.Status = (UINT32)st;
	pthread_create(&thread, NULL, deliver, p);
	pthread_detach(thread);
	return STATUS_PENDING;
}

static NTSTATUS
answer_early(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_RSP *rsp, NTSTATUS st)
{
	rsp->IoStatus.Status = (UINT32)st;
	FspFileSystemSendResponse(fs, rsp);
	rsp->IoStatus.Information = 0;
	return STATUS_PENDING;
}

/* An open keeps its contexts: it is the engine that shall meet garbage, not memfs. */
static NTSTATUS
answer_garbage(FSP_FSCTL_TRANSACT_RSP *rsp)
{
	bool is_create = rsp->Kind == FspFsctlTransactCreateKind;
	UINT64 context = rsp->Rsp.Create.Opened.UserContext;

	memset((char *)rsp + offsetof(FSP_FSCTL_TRANSACT_RSP, Rsp), 0xff,
	       FSP_FSCTL_TRANSACT_RSP_SIZEMAX - offsetof(FSP_FSCTL_TRANSACT_RSP, Rsp));
	rsp->IoStatus.Information = is_create ? FILE_OPENED : 0xffffffff;
	if (is_create)
		rsp->Rsp.Create.Opened.UserContext = context;
	return STATUS_SUCCESS;
}

static NTSTATUS
answer_huge(FSP_FSCTL_TRANSACT_RSP *rsp)
{
	rsp->Size = 0xffff;
	rsp->Version = 0xffff;
	rsp->Hint = 0;
	return STATUS_SUCCESS;
}

static const char *
operation_word(const FSP_FSCTL_TRANSACT_REQ *req)
{
	static const char *const words[FspFsctlTransactKindCount] = {
		[FspFsctlTransactOverwriteKind] = "overwrite",
		[FspFsctlTransactCleanupKind] = "cleanup",
		[FspFsctlTransactCloseKind] = "close",
		[FspFsctlTransactReadKind] = "read",
		[FspFsctlTransactWriteKind] = "write",
		[FspFsctlTransactQueryInformationKind] = "getinfo",
		[FspFsctlTransactSetInformationKind] = "setinfo",
		[FspFsctlTransactQueryEaKind] = "getea",
		[FspFsctlTransactSetEaKind] = "setea",
		[FspFsctlTransactFlushBuffersKind] = "flush",
		[FspFsctlTransactQueryDirectoryKind] = "readdir",
		[FspFsctlTransactFileSystemControlKind] = "fsctl",
		[FspFsctlTransactQuerySecurityKind] = "getsecurity",
		[FspFsctlTransactSetSecurityKind] = "setsecurity",
		[FspFsctlTransactQueryStreamInformationKind] = "streams",
	};

	return words[req->Kind] ? words[req->Kind] : "";
}

static bool
is_for_data(UINT32 access)
{
	return (access & (FILE_READ_DATA | FILE_WRITE_DATA)) != 0;
}

static const char *
create_word(const FSP_FSCTL_TRANSACT_REQ *req, const FSP_FSCTL_TRANSACT_RSP *rsp)
{
	if (rsp->IoStatus.Information == FILE_CREATED)
		return "create";
	return is_for_data(req->Req.Create.DesiredAccess) ? "open" : "";
}

/* After the honest handler: what becomes of its answer. */
static NTSTATUS
evil_after(const char *name, const char *operation, FSP_FILE_SYSTEM *fs,
	   FSP_FSCTL_TRANSACT_RSP *rsp, NTSTATUS st)
{
	if (match(name, "evil-later-", operation))
		return answer_later(fs, rsp, st, false);
	if (match(name, "evil-badsize-", operation))
		return answer_later(fs, rsp, st, true);
	if (match(name, "evil-early-", operation))
		return answer_early(fs, rsp, st);
	if (match(name, "evil-garbage-", operation) && NT_SUCCESS(st))
		return answer_garbage(rsp);
	if (match(name, "evil-huge-", operation))
		return answer_huge(rsp);
	return st;
}

/* Creations and opens: what comes before them is decided in create_ex and open_file. */
static NTSTATUS
evil_create(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	char name[EVIL_NAME_MAX + 1];
	NTSTATUS st = honest[FspFsctlTransactCreateKind](fs, req, rsp);

	evil_name_of_path((PCWSTR)(const void *)req->Buffer, name);
	return st == STATUS_SUCCESS ? evil_after(name, create_word(req, rsp), fs, rsp, st) : st;
}

static NTSTATUS
evil_operation(FSP_FILE_SYSTEM *fs, FSP_FSCTL_TRANSACT_REQ *req, FSP_FSCTL_TRANSACT_RSP *rsp)
{
	const char *operation = operation_word(req);
	char name[EVIL_NAME_MAX + 1];

	if (req->Kind == FspFsctlTransactCreateKind)
		return evil_create(fs, req, rsp);
	name[0] = 0;
	if (*operation) /* others have no context there */
		evil_name_of_context((PVOID)(uintptr_t)req->Req.Close.UserContext, name);
	if (!*name)
		return honest[req->Kind](fs, req, rsp);
	if (!strcmp(name, "evil-close-leak") && !strcmp(operation, "close"))
		return STATUS_SUCCESS;
	NTSTATUS st = evil_before(name, operation);
	if (st != STATUS_SUCCESS)
		return st;
	st = honest[req->Kind](fs, req, rsp);
	return evil_after(name, operation, fs, rsp, st);
}

/* ---------------------------------------------------------------- who is who */

static const FSP_FILE_SYSTEM_INTERFACE *base;

static NTSTATUS
before_open(PCWSTR path, const char *operation)
{
	char name[EVIL_NAME_MAX + 1];

	evil_name_of_path(path, name);
	return evil_before(name, operation);
}

static void
note_open(PCWSTR path, PVOID context)
{
	char name[EVIL_NAME_MAX + 1];
	size_t n = wide_len(path);

	evil_name_of_path(path, name);
	remember(context, name);
	if (n >= 8 && !memcmp(path + n - 8, u"\\release", 8 * sizeof(WCHAR)))
		release();
}

static NTSTATUS
create_ex(FSP_FILE_SYSTEM *fs, PWSTR path, UINT32 options, UINT32 granted, UINT32 attributes,
	  PSECURITY_DESCRIPTOR sd, UINT64 allocation, PVOID extra, ULONG n_extra,
	  BOOLEAN extra_is_reparse, PVOID *ret_context, FSP_FSCTL_FILE_INFO *info)
{
	NTSTATUS st = before_open(path, "create");

	if (st != STATUS_SUCCESS)
		return st;
	st = base->CreateEx(fs, path, options, granted, attributes, sd, allocation, extra, n_extra,
			    extra_is_reparse, ret_context, info);
	if (st == STATUS_SUCCESS)
		note_open(path, *ret_context);
	return st;
}

static NTSTATUS
open_file(FSP_FILE_SYSTEM *fs, PWSTR path, UINT32 options, UINT32 granted, PVOID *ret_context,
	  FSP_FSCTL_FILE_INFO *info)
{
	NTSTATUS st = before_open(path, is_for_data(granted) ? "open" : "");

	if (st != STATUS_SUCCESS)
		return st;
	st = base->Open(fs, path, options, granted, ret_context, info);
	if (st == STATUS_SUCCESS)
		note_open(path, *ret_context);
	return st;
}

/* ---------------------------------------------------------------- the program */

struct params {
	struct memfs_params memfs;
	bool guarded;
};

static NTSTATUS
create(FSPX_PROGRAM *program, FSP_FILE_SYSTEM **ret_fs, char *error, SIZE_T cap)
{
	static FSP_FILE_SYSTEM_INTERFACE interface;
	const struct params *params = program->Context;
	struct memfs *memfs;
	NTSTATUS st = memfs_create(&params->memfs, &memfs, error, cap);

	if (!NT_SUCCESS(st))
		return st;
	base = memfs->fs->Interface;
	interface = *base;
	interface.CreateEx = create_ex;
	interface.Open = open_file;
	evil_answers_install(base, &interface);
	memfs->fs->Interface = &interface;
	for (ULONG kind = 0; kind < FspFsctlTransactKindCount; kind++) {
		honest[kind] = memfs->fs->Operations[kind];
		if (honest[kind])
			FspFileSystemSetOperation(memfs->fs, kind, evil_operation);
	}
	/* memfs has locks of its own; the guard would let one hanging open keep out all others. */
	if (!params->guarded)
		FspFileSystemSetOperationGuard(memfs->fs, NULL, NULL);
	*ret_fs = memfs->fs;
	return STATUS_SUCCESS;
}

static VOID
delete_fs(FSPX_PROGRAM *program, FSP_FILE_SYSTEM *fs)
{
	release();
	memfs_delete(memfs_of(fs));
}

static int
set_option(FSPX_PROGRAM *program, const char *name, const char *value, char *error, SIZE_T cap)
{
	struct params *params = program->Context;

	params->guarded = true; /* the only option */
	return 0;
}

int
main(int argc, char **argv)
{
	static const FSPX_OPTION options[] = {
		{0, "guarded", NULL, "with the operation guard"},
		{0, NULL, NULL, NULL},
	};
	struct params params = {.memfs = {.max_nodes = UINT32_MAX,
					  .max_file_size = INT64_MAX,
					  .size = 256 << 20,
					  .fs_name = "-EVILFS",
					  .mode = 0777}};
	FSPX_PROGRAM program = {
		.Size = sizeof(program),
		.Name = "evilfs",
		.Version = USERDRIVE_VERSION,
		.Summary = "a file system that misbehaves, for tests",
		.Options = options,
		.Context = &params,
		.SetOption = set_option,
		.Create = create,
		.Delete = delete_fs,
	};

	return FspxProgramMain(&program, argc, argv);
}
