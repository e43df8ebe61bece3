/* Share access, and how streams and their main file see each other's (winfsp-fsctl §7). */
#include "fs/volume_priv.h"

enum {
	ACCESS_READ = FILE_READ_DATA | FILE_EXECUTE,
	ACCESS_WRITE = FILE_WRITE_DATA | FILE_APPEND_DATA,
	ACCESS_SHARING = ACCESS_READ | ACCESS_WRITE | DELETE
};

/* What the check takes the opener to ask for: overwriting counts as writing (rule 7). */
static uint32_t
effective_access(const struct fs_share_request *r)
{
	switch (r->disposition) {
	case FILE_OVERWRITE:
	case FILE_OVERWRITE_IF:
		return r->access | FILE_WRITE_DATA;
	case FILE_SUPERSEDE:
		return r->access | DELETE;
	default:
		return r->access;
	}
}

static bool
share_conflicts(const struct fs_share *s, uint32_t access, uint32_t share)
{
	if (!(access & ACCESS_SHARING))
		return false;
	return ((access & ACCESS_READ) && s->shared_read < s->opens) ||
	       ((access & ACCESS_WRITE) && s->shared_write < s->opens) ||
	       ((access & DELETE) && s->shared_delete < s->opens) ||
	       (!(share & FILE_SHARE_READ) && s->readers > 0) ||
	       (!(share & FILE_SHARE_WRITE) && s->writers > 0) ||
	       (!(share & FILE_SHARE_DELETE) && s->deleters > 0);
}

NTSTATUS
fs_share_check(const struct fs_entry *entry, const struct fs_share_request *r)
{
	const struct fs_node *node = entry->node;
	uint32_t access = effective_access(r);

	if (r->main) {
		if (r->main_pending)
			return STATUS_DELETE_PENDING;
		if (r->main->main_deny_delete > 0 && !(r->share & FILE_SHARE_DELETE) &&
		    (access & ACCESS_SHARING))
			return STATUS_SHARING_VIOLATION;
	}
	if (entry->delete_pending)
		return STATUS_DELETE_PENDING;
	if (!node)
		return STATUS_SUCCESS;
	if (!r->main && node->stream_deny_delete > 0 && (access & DELETE))
		return STATUS_SHARING_VIOLATION;
	return share_conflicts(&node->share, access, r->share) ? STATUS_SHARING_VIOLATION :
								 STATUS_SUCCESS;
}

/* by: +1 or -1 */
static void
share_count(struct fs_handle *h, int by)
{
	struct fs_share *s = &h->node->share;
	uint32_t access = h->granted_access, share = h->share_access;
	unsigned delta = (unsigned)by;

	if (h->node->main) {
		if ((access & ACCESS_SHARING) && !(share & FILE_SHARE_DELETE))
			h->node->main->stream_deny_delete += delta;
	} else if (access & DELETE) {
		h->node->main_deny_delete += delta;
	}
	if (!(access & ACCESS_SHARING))
		return;
	s->opens += delta;
	s->readers += (access & ACCESS_READ) ? delta : 0;
	s->writers += (access & ACCESS_WRITE) ? delta : 0;
	s->deleters += (access & DELETE) ? delta : 0;
	s->shared_read += (share & FILE_SHARE_READ) ? delta : 0;
	s->shared_write += (share & FILE_SHARE_WRITE) ? delta : 0;
	s->shared_delete += (share & FILE_SHARE_DELETE) ? delta : 0;
}

void
fs_share_add(struct fs_handle *h)
{
	share_count(h, 1);
}

void
fs_share_remove(struct fs_handle *h)
{
	share_count(h, -1);
}
