/* Rename, link, listings: what works on names. */
#include <string.h>

#include "examples/memfs/memfs.h"

static bool
is_directory(const struct inode *inode)
{
	return (inode->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

/* What a rename or link is about. tree->lock held exclusively. */
struct move {
	struct walk from, to;
};

static NTSTATUS
move_find(struct tree *t, const struct stream *s, PWSTR name, PWSTR new_name, struct move *m)
{
	NTSTATUS st = tree_walk(t, name, &m->from, NULL);

	if (st != STATUS_SUCCESS) /* STATUS_REPARSE counts as success, but finds nothing */
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (!m->from.entry || m->from.inode != s->inode)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	st = tree_walk(t, new_name, &m->to, NULL);
	if (st != STATUS_SUCCESS)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (m->to.stream || m->to.n_last == 0)
		return STATUS_INVALID_PARAMETER;
	/* A directory that was removed while it was open takes no new names. */
	if (m->to.dir->nlink == 0)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (is_directory(m->from.inode) && dir_is_inside(t, m->to.dir, m->from.inode))
		return STATUS_INVALID_PARAMETER;
	return STATUS_SUCCESS;
}

static NTSTATUS
move_finish(struct tree *t, struct move *m)
{
	struct entry *target = m->to.entry == m->from.entry ? NULL : m->to.entry;

	return tree_move(t, m->from.entry, m->to.dir, m->to.last, m->to.n_last, target);
}

NTSTATUS
memfs_rename(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct move m;

	pthread_rwlock_wrlock(&t->lock);
	NTSTATUS st = move_find(t, context, name, new_name, &m);
	if (NT_SUCCESS(st) && m.to.entry && m.to.entry != m.from.entry) {
		if (!replace)
			st = STATUS_OBJECT_NAME_COLLISION;
		else if (is_directory(m.to.inode))
			st = STATUS_ACCESS_DENIED;
	}
	if (NT_SUCCESS(st))
		st = move_finish(t, &m);
	pthread_rwlock_unlock(&t->lock);
	return st;
}

/* rename(2): what may replace what. */
static NTSTATUS
may_replace(const struct inode *from, const struct inode *to)
{
	if (is_directory(from) && !is_directory(to))
		return STATUS_NOT_A_DIRECTORY;
	if (!is_directory(from) && is_directory(to))
		return STATUS_FILE_IS_A_DIRECTORY;
	if (is_directory(to) && to->n_live)
		return STATUS_DIRECTORY_NOT_EMPTY;
	return STATUS_SUCCESS;
}

static NTSTATUS
exchange(struct tree *t, struct move *m)
{
	if (!m->to.entry)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	if (is_directory(m->to.inode) && dir_is_inside(t, m->from.dir, m->to.inode))
		return STATUS_INVALID_PARAMETER;
	return tree_exchange(t, m->from.entry, m->to.entry);
}

NTSTATUS
memfs_rename_posix(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, UINT32 flags)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct move m;

	pthread_rwlock_wrlock(&t->lock);
	NTSTATUS st = move_find(t, context, name, new_name, &m);
	if (NT_SUCCESS(st) && (flags & FspxRenameExchange)) {
		st = exchange(t, &m);
		pthread_rwlock_unlock(&t->lock);
		return st;
	}
	if (NT_SUCCESS(st) && m.to.entry && m.to.entry != m.from.entry) {
		if (flags & FspxRenameNoReplace)
			st = STATUS_OBJECT_NAME_COLLISION;
		else if (m.to.inode == m.from.inode) { /* rename(2): two names of one file */
			pthread_rwlock_unlock(&t->lock);
			return STATUS_SUCCESS;
		} else
			st = may_replace(m.from.inode, m.to.inode);
	}
	if (NT_SUCCESS(st))
		st = move_finish(t, &m);
	pthread_rwlock_unlock(&t->lock);
	return st;
}

NTSTATUS
memfs_link(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace,
	   FSP_FSCTL_FILE_INFO *info)
{
	struct tree *t = &memfs_of(fs)->tree;
	struct stream *s = context;
	struct walk to;

	(void)name;
	if (is_directory(s->inode))
		return STATUS_FILE_IS_A_DIRECTORY;
	pthread_rwlock_wrlock(&t->lock);
	NTSTATUS st = tree_walk(t, new_name, &to, NULL);
	if (st == STATUS_REPARSE || (NT_SUCCESS(st) && (to.dir->nlink == 0 || to.n_last == 0)))
		st = STATUS_OBJECT_PATH_NOT_FOUND;
	else if (NT_SUCCESS(st) && to.entry && to.inode != s->inode) {
		if (!replace)
			st = STATUS_OBJECT_NAME_COLLISION;
		else if (is_directory(to.inode))
			st = STATUS_ACCESS_DENIED;
		else
			tree_unlink(t, to.entry);
	} else if (NT_SUCCESS(st) && to.entry) {
		st = STATUS_OBJECT_NAME_COLLISION;
	}
	if (NT_SUCCESS(st))
		st = tree_link(t, to.dir, to.last, to.n_last, s->inode);
	pthread_rwlock_unlock(&t->lock);
	if (NT_SUCCESS(st))
		memfs_fill_info(s, info);
	return st;
}

/* ---------------------------------------------------------------- listings */

/* Room for an entry with the longest name. */
union dir_info {
	FSP_FSCTL_DIR_INFO info;
	UINT8 bytes[sizeof(FSP_FSCTL_DIR_INFO) + 255 * sizeof(WCHAR)];
};

static BOOLEAN
add_entry(const struct inode *inode, const WCHAR *name, size_t n_units, uint64_t cookie,
	  PVOID buffer, ULONG length, PULONG bytes)
{
	union dir_info d;

	memset(&d.info, 0, sizeof(d.info));
	d.info.Size = (UINT16)(sizeof(d.info) + n_units * sizeof(WCHAR));
	d.info.NextOffset = cookie;
	memfs_fill_info(inode->unnamed, &d.info.FileInfo);
	memcpy(d.info.FileNameBuf, name, n_units * sizeof(WCHAR));
	return FspFileSystemAddDirInfo(&d.info, buffer, length, bytes);
}

static BOOLEAN
add_dots(const struct tree *t, const struct inode *dir, uint64_t after, PVOID buffer, ULONG length,
	 PULONG bytes)
{
	const struct inode *parent = dir->self ? dir->self->dir : dir;

	if (dir == t->root)
		return TRUE;
	if (after < COOKIE_DOT && !add_entry(dir, u".", 1, COOKIE_DOT, buffer, length, bytes))
		return FALSE;
	return after >= COOKIE_DOTDOT ||
	       add_entry(parent, u"..", 2, COOKIE_DOTDOT, buffer, length, bytes);
}

NTSTATUS
memfs_read_directory(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR pattern, PWSTR marker, PVOID buffer,
		     ULONG length, PULONG ret_bytes)
{
	struct tree *t = &memfs_of(fs)->tree;
	const struct inode *dir = ((struct stream *)context)->inode;
	uint64_t after = 0;

	(void)pattern; /* the engine filters */
	if (slowio_defer(memfs_of(fs)))
		return STATUS_PENDING;
	if (marker) /* DirectoryMarkerAsNextOffset */
		memcpy(&after, marker, sizeof(after));
	pthread_rwlock_rdlock(&t->lock);
	BOOLEAN room = add_dots(t, dir, after, buffer, length, ret_bytes);
	while (room) {
		struct entry *e = dir_next(dir, after);

		if (!e) {
			FspFileSystemAddDirInfo(NULL, buffer, length, ret_bytes);
			break;
		}
		room = add_entry(e->inode, e->name, e->n_units, e->cookie, buffer, length,
				 ret_bytes);
		after = e->cookie;
	}
	pthread_rwlock_unlock(&t->lock);
	return STATUS_SUCCESS;
}

NTSTATUS
memfs_get_dir_info(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, FSP_FSCTL_DIR_INFO *info)
{
	struct tree *t = &memfs_of(fs)->tree;
	const struct inode *dir = ((struct stream *)context)->inode;

	pthread_rwlock_rdlock(&t->lock);
	struct entry *e = tree_find(t, dir, name, wide_len(name));
	if (e) {
		info->Size = (UINT16)(sizeof(*info) + e->n_units * sizeof(WCHAR));
		info->NextOffset = e->cookie;
		memfs_fill_info(e->inode->unnamed, &info->FileInfo);
		memcpy(info->FileNameBuf, e->name, e->n_units * sizeof(WCHAR));
	}
	pthread_rwlock_unlock(&t->lock);
	return e ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---------------------------------------------------------------- streams */

static BOOLEAN
add_stream(const struct stream *s, PVOID buffer, ULONG length, PULONG bytes)
{
	union {
		FSP_FSCTL_STREAM_INFO info;
		UINT8 room[sizeof(FSP_FSCTL_STREAM_INFO) + 255 * sizeof(WCHAR)];
	} i;
	FSP_FSCTL_FILE_INFO file;

	memfs_fill_info(s, &file);
	memset(&i.info, 0, sizeof(i.info));
	i.info.Size = (UINT16)(sizeof(i.info) + s->n_units * sizeof(WCHAR));
	i.info.StreamSize = file.FileSize;
	i.info.StreamAllocationSize = file.AllocationSize;
	memcpy(i.info.StreamNameBuf, s->name, s->n_units * sizeof(WCHAR));
	return FspFileSystemAddStreamInfo(&i.info, buffer, length, bytes);
}

NTSTATUS
memfs_get_streams(FSP_FILE_SYSTEM *fs, PVOID context, PVOID buffer, ULONG length,
		  PULONG ret_bytes)
{
	struct tree *t = &memfs_of(fs)->tree;
	const struct inode *inode = ((struct stream *)context)->inode;
	BOOLEAN room = TRUE;

	pthread_rwlock_rdlock(&t->lock);
	if (!is_directory(inode))
		room = add_stream(inode->unnamed, buffer, length, ret_bytes);
	for (const struct stream *s = inode->streams; room && s; s = s->next)
		room = add_stream(s, buffer, length, ret_bytes);
	if (room)
		FspFileSystemAddStreamInfo(NULL, buffer, length, ret_bytes);
	pthread_rwlock_unlock(&t->lock);
	return room ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}
