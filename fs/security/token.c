#include "fs/security/token.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fs/security/posix_map.h"
#include "fs/security/proc_groups.h"
#include "fs/security/sid_priv.h"
#include "fs/security/token_priv.h"

/*
 * Invariant: everything but n_refs and supplementary is constant after creation.
 * supplementary goes from NULL to a list, once, by compare and exchange (release; readers
 * acquire), and is freed with the token.
 */
struct token {
	_Atomic unsigned n_refs;
	uint32_t uid, gid, pid, privileges;
	bool posix; /* groups beyond the primary one come from /proc/pid */
	_Atomic(struct proc_groups *) supplementary;
	struct sid user;
	unsigned n_groups;
	struct sid groups[]; /* groups[0]: primary */
};

/* Stands for "could not be found out" in token.supplementary. */
static struct proc_groups groups_unknown;

static struct token *
token_alloc(const struct sid *user, unsigned n_groups, uint32_t privileges)
{
	struct token *t = malloc(sizeof(*t) + n_groups * sizeof(struct sid));

	if (!t)
		return NULL;
	memset(t, 0, offsetof(struct token, user));
	atomic_init(&t->n_refs, 1);
	t->privileges = privileges;
	t->user = *user;
	t->n_groups = n_groups;
	return t;
}

/*
 * The identity under which a caller's own files are recorded. Numbers that the selected
 * map does not cover share one SID there; a caller must not pass for all of them.
 */
static struct sid
own_sid(struct sid mapped, uint32_t kind, uint32_t id)
{
	return sid_is_single(&mapped, 0, POSIX_ID_UNMAPPED) ? sid_make(22, 2, kind, id)
							    : mapped;
}

NTSTATUS
token_create_posix(uint32_t uid, uint32_t gid, uint32_t pid, struct token **ret_token)
{
	return token_create_posix_member(uid, gid, pid, gid, ret_token);
}

NTSTATUS
token_create_posix_member(uint32_t uid, uint32_t gid, uint32_t pid, uint32_t member_gid,
			  struct token **ret_token)
{
	struct sid user = own_sid(posix_sid_from_uid(uid), 1, uid);
	unsigned n_groups = member_gid == gid ? 1 : 2;
	struct token *t = token_alloc(&user, n_groups, uid == 0 ? TOKEN_ROOT : TOKEN_SYMLINK);

	if (!t)
		return STATUS_INSUFFICIENT_RESOURCES;
	t->uid = uid;
	t->gid = gid;
	t->pid = pid;
	t->posix = true;
	t->groups[0] = own_sid(posix_sid_from_gid(gid), 2, gid);
	if (n_groups > 1)
		t->groups[1] = own_sid(posix_sid_from_gid(member_gid), 2, member_gid);
	*ret_token = t;
	return STATUS_SUCCESS;
}

NTSTATUS
token_create(const struct sid *user, const struct sid *groups, unsigned n_groups,
	     uint32_t privileges, struct token **ret_token)
{
	struct token *t = token_alloc(user, n_groups, privileges);

	if (!t)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (n_groups > 0)
		memcpy(t->groups, groups, n_groups * sizeof(*groups));
	t->uid = posix_uid_from_sid(user);
	t->gid = n_groups > 0 ? posix_gid_from_sid(&groups[0])
			      : (uint32_t)POSIX_ID_UNMAPPED;
	*ret_token = t;
	return STATUS_SUCCESS;
}

struct token *
token_ref(struct token *token)
{
	atomic_fetch_add_explicit(&token->n_refs, 1, memory_order_relaxed);
	return token;
}

void
token_unref(struct token *token)
{
	struct proc_groups *groups;

	/* Pairs with the other holders' releases: their use comes before our free. */
	if (!token ||
	    atomic_fetch_sub_explicit(&token->n_refs, 1, memory_order_acq_rel) != 1)
		return;
	groups = atomic_load_explicit(&token->supplementary, memory_order_acquire);
	if (groups != &groups_unknown)
		free(groups);
	free(token);
}

const struct sid *
token_user(const struct token *token)
{
	return &token->user;
}

const struct sid *
token_primary_group(const struct token *token)
{
	return token->n_groups > 0 ? &token->groups[0] : &token->user;
}

uint32_t
token_privileges(const struct token *token)
{
	return token->privileges;
}

uint32_t
token_pid(const struct token *token)
{
	return token->pid;
}

uint32_t
token_uid(const struct token *token)
{
	return token->uid;
}

uint32_t
token_gid(const struct token *token)
{
	return token->gid;
}

/*
 * The gid that a SID stands for as an identity, not only for display: a SID that merely
 * reads as a number (S-1-5-32-544 as 544) makes no one of that number its member.
 */
static bool
gid_of_group(const struct sid *group, uint32_t *ret_gid)
{
	uint32_t gid = posix_gid_from_sid(group);
	struct sid own = own_sid(posix_sid_from_gid(gid), 2, gid);

	*ret_gid = gid;
	return sid_equal(&own, group);
}

static int
supplementary_member(const struct token *token, const struct sid *group)
{
	struct proc_groups *groups;
	uint32_t gid;

	if (!token->posix || token->pid == 0 || !gid_of_group(group, &gid))
		return 0;
	groups = atomic_load_explicit(&token->supplementary, memory_order_acquire);
	if (!groups || groups == &groups_unknown)
		return -1;
	for (unsigned i = 0; i < groups->n; i++)
		if (groups->gids[i] == gid)
			return 1;
	return 0;
}

int
token_is_member_known(const struct token *token, const struct sid *group)
{
	if (sid_equal(group, &token->user))
		return 1;
	for (unsigned i = 0; i < token->n_groups; i++)
		if (sid_equal(group, &token->groups[i]))
			return 1;
	if (sid_is_single(group, 1, 0) || sid_is_single(group, 5, 11))
		return 1; /* Everyone, Authenticated Users */
	return supplementary_member(token, group);
}

void
token_fetch_groups(const struct token *token)
{
	struct token *t = (struct token *)token; /* the lazy part is not constant */
	struct proc_groups *fetched, *none = NULL;

	if (!t->posix || t->pid == 0 ||
	    atomic_load_explicit(&t->supplementary, memory_order_acquire))
		return;
	fetched = proc_groups_read(t->pid, t->uid, t->gid);
	if (!fetched)
		fetched = &groups_unknown;
	if (!atomic_compare_exchange_strong_explicit(&t->supplementary, &none, fetched,
						     memory_order_release,
						     memory_order_acquire) &&
	    fetched != &groups_unknown)
		free(fetched); /* another thread was first */
}

int
token_is_member(const struct token *token, const struct sid *group)
{
	int member = token_is_member_known(token, group);

	if (member >= 0)
		return member;
	token_fetch_groups(token);
	return token_is_member_known(token, group);
}
