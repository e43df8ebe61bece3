/* FileDispositionInformation[Ex] (winfsp-fsctl §11). */
#include "fs/volume_priv.h"

enum {
	DISPOSITION_PASSED = FILE_DISPOSITION_DELETE | FILE_DISPOSITION_POSIX_SEMANTICS |
			     FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE
};

/* Rules 1 and 2. */
static NTSTATUS
check_disposition(struct fs_handle *h, uint32_t flags, bool ex)
{
	struct fs_volume *v = h->volume;
	NTSTATUS st = fs_require(h, DELETE);

	if (!NT_SUCCESS(st))
		return st;
	if (ex && !(v->params.flags & FS_VOL_POSIX_UNLINK_RENAME))
		return STATUS_INVALID_PARAMETER;
	if (ex && (flags & FILE_DISPOSITION_ON_CLOSE))
		return STATUS_NOT_SUPPORTED;
	mutex_lock(&v->table_lock);
	if (h->entry->n_units == 1)
		st = STATUS_CANNOT_DELETE;
	else if (h->entry->posix_deleted)
		st = STATUS_FILE_DELETED;
	mutex_unlock(&v->table_lock);
	return st;
}

/* A refusal that will not change by asking the program again (rule 5). */
static bool
is_lasting_refusal(NTSTATUS st)
{
	return st == STATUS_ACCESS_DENIED || st == STATUS_DIRECTORY_NOT_EMPTY ||
	       st == STATUS_CANNOT_DELETE;
}

/* Rule 6: plain files whose information is fresh need no question. */
static bool
answer_locally(struct fs_handle *h, uint32_t flags, NTSTATUS *ret_st)
{
	struct fs_file_info info;
	uint32_t changes;

	if (!(h->volume->params.flags & FS_VOL_POST_DISPOSITION_WHEN_NECESSARY) ||
	    h->node->is_directory || !fs_cache_get_info(h->node, &info, &changes))
		return false;
	if ((flags & FILE_DISPOSITION_DELETE) && (info.attributes & FILE_ATTRIBUTE_READONLY) &&
	    !(flags & FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE))
		*ret_st = STATUS_CANNOT_DELETE;
	else
		*ret_st = STATUS_SUCCESS;
	return true;
}

static NTSTATUS
ask_program(struct fs_handle *h, uint32_t flags, bool ex)
{
	struct fs_message m;
	struct fs_req *req = fs_message_init(&m, FS_KIND_SET_INFO);

	req->set_info.ctx = fs_handle_context(h);
	req->set_info.info_class =
		ex ? FileDispositionInformationEx : FileDispositionInformation;
	if (ex)
		req->set_info.disposition_ex.flags = flags;
	else
		req->set_info.disposition.delete_file = flags & FILE_DISPOSITION_DELETE;
	if (!fs_message_set_entry(h->volume, &m, h->entry))
		return STATUS_INSUFFICIENT_RESOURCES;
	return fs_message_send(h->volume, &m);
}

/* Rule 7. op_lock held. */
static void
take_disposition(struct fs_handle *h, uint32_t flags, bool ex)
{
	bool delete_it = flags & FILE_DISPOSITION_DELETE;

	mutex_lock(&h->volume->table_lock);
	h->entry->delete_pending = delete_it;
	if (!delete_it)
		h->posix_delete = false;
	else if (ex && (flags & FILE_DISPOSITION_POSIX_SEMANTICS))
		h->posix_delete = true;
	mutex_unlock(&h->volume->table_lock);
}

static NTSTATUS
set_locked(struct fs_handle *h, uint32_t flags, bool ex)
{
	bool plain = !(flags & ~(uint32_t)(FILE_DISPOSITION_DELETE |
					   FILE_DISPOSITION_POSIX_SEMANTICS));
	bool delete_it = flags & FILE_DISPOSITION_DELETE;
	NTSTATUS st;

	if (delete_it && plain && !NT_SUCCESS(h->disposition_status))
		return h->disposition_status;
	if (!answer_locally(h, flags, &st))
		st = ask_program(h, flags, ex);
	if (NT_SUCCESS(st)) {
		take_disposition(h, flags, ex);
		h->disposition_status = STATUS_SUCCESS;
	} else if (delete_it && plain && is_lasting_refusal(st)) {
		h->disposition_status = st;
	}
	return st;
}

NTSTATUS
fs_set_disposition_held(struct fs_handle *h, uint32_t flags, bool ex, bool rename_held)
{
	struct fs_volume *v = h->volume;

	if (!ex)
		flags &= FILE_DISPOSITION_DELETE;
	if (!rename_held)
		fs_rename_lock_shared(&v->rename);
	rwlock_lock(&h->node->op_lock);
	NTSTATUS st = check_disposition(h, flags, ex);
	/* rule 4: clearing is plain 0 */
	flags = flags & FILE_DISPOSITION_DELETE ? flags & DISPOSITION_PASSED : 0;
	if (NT_SUCCESS(st))
		st = set_locked(h, flags, ex);
	rwlock_unlock(&h->node->op_lock);
	if (!rename_held)
		fs_rename_unlock_shared(&v->rename);
	return st;
}

NTSTATUS
fs_set_disposition(struct fs_handle *h, uint32_t flags, bool ex)
{
	return fs_set_disposition_held(h, flags, ex, false);
}

bool
fs_handle_is_alone(struct fs_handle *h)
{
	mutex_lock(&h->volume->table_lock);
	bool alone = h->entry->n_handles == 1;
	mutex_unlock(&h->volume->table_lock);
	return alone;
}
