/*
 * chmod, chown, truncate, utimes. What POSIX allows is decided here (it differs from NT's rights on
 * each point); what is allowed is then done in kernel mode, or through the handle of the request.
 */
#include "transport/mount/door_priv.h"

#include "base/clock.h"
#include "fs/security/posix_map.h"
#include "fs/security/sd.h"

struct change {
	struct door *d;
	struct fusek_req *req;
	struct door_node *node;
	struct door_handle *hint;
	const struct fuse_setattr_in *in;
	uint32_t valid; /* FATTR_*, without what turned out to be void */
	struct door_state state;
	struct fuse_attr now;
	uint32_t mode, uid, gid; /* to be */
};

/* Kernels before 7.33 take set-id bits away themselves, by a chmod in the writer's name. */
static bool
drops_set_id_only(const struct change *c)
{
	return (c->now.mode & ~c->mode & ~(uint32_t)(S_ISUID | S_ISGID)) == 0 &&
	       (c->mode & ~c->now.mode) == 0;
}

/* The mode that chmod asks for, as setattr_prepare() in the kernel trims it. */
static int
plan_mode(struct change *c)
{
	c->mode = (c->now.mode & S_IFMT) | (c->in->mode & 07777);
	if (c->req->uid != 0 && c->req->uid != c->now.uid)
		return drops_set_id_only(c) ? door_check_state(c->d, c->req, &c->state,
							       FILE_WRITE_DATA) :
					      -EPERM;
	if ((c->mode & S_ISGID) && c->req->uid != 0 && !door_in_group(c->req, c->gid))
		c->mode &= ~(uint32_t)S_ISGID;
	return 0;
}

/* What SETATTR changes; CTIME comes along with anything. */
enum {
	FATTRS = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME
};

static void
lose_set_id(struct change *c)
{
	if (S_ISDIR(c->mode))
		return;
	c->mode &= ~(uint32_t)S_ISUID;
	if (c->mode & S_IXGRP)
		c->mode &= ~(uint32_t)S_ISGID;
}

static int
plan_owner(struct change *c)
{
	bool owner = c->req->uid == c->now.uid;

	if (c->valid & FATTR_UID)
		c->uid = c->in->uid;
	if (c->valid & FATTR_GID)
		c->gid = c->in->gid;
	if (c->req->uid != 0) {
		if (c->uid != c->now.uid || !owner)
			return -EPERM;
		if (c->gid != c->now.gid && !door_in_group(c->req, c->gid))
			return -EPERM;
	}
	/* chown(2) takes set-id bits away, root's too (KILLPRIV_V2 makes that ours to do). */
	lose_set_id(c);
	return 0;
}

/*
 * utimes: explicit times are the owner's; "now" is any writer's. The kernel's write-back sends the
 * times of cached writes in the writer's name (MTIME and CTIME alone): that takes a writer too.
 */
static int
check_times(struct change *c)
{
	const uint32_t explicit_atime = (c->valid & FATTR_ATIME) && !(c->valid & FATTR_ATIME_NOW);
	const uint32_t explicit_mtime = (c->valid & FATTR_MTIME) && !(c->valid & FATTR_MTIME_NOW);
	bool write_back = c->d->writeback && !(c->valid & FATTR_ATIME) && (c->valid & FATTR_CTIME);

	if (c->req->uid == 0 || c->req->uid == c->now.uid)
		return 0;
	/* The kernel has checked, and knew better: with its writeback cache "now" arrives as a
	 * time. */
	if (c->d->options.mount.default_permissions)
		return 0;
	if (c->hint && (c->hint->access & FILE_WRITE_DATA) && write_back)
		return 0;
	if ((explicit_atime || explicit_mtime) && !write_back)
		return -EPERM;
	return door_check_state(c->d, c->req, &c->state, FILE_WRITE_DATA);
}

static int
check_size(struct change *c)
{
	if (S_ISDIR(c->now.mode))
		return -EISDIR;
	if (!S_ISREG(c->now.mode))
		return -EINVAL;
	if (c->hint && (c->hint->access & FILE_WRITE_DATA))
		return 0;
	return door_check_state(c->d, c->req, &c->state, FILE_WRITE_DATA);
}

static int
plan(struct change *c)
{
	int err = 0;

	c->mode = c->now.mode;
	c->uid = c->now.uid;
	c->gid = c->now.gid;
	if (c->valid & FATTR_SIZE)
		err = check_size(c);
	if (!err && (c->valid & (FATTR_UID | FATTR_GID)))
		err = plan_owner(c);
	if (!err && (c->valid & FATTR_MODE))
		err = plan_mode(c);
	if (!err && (c->valid & (FATTR_ATIME | FATTR_MTIME)))
		err = check_times(c);
	/* Nothing to change: chown(2) of neither owner nor group, or a kernel about to write. */
	if (!err && ((c->valid & FATTR_KILL_SUIDGID) || !(c->valid & FATTRS)) && S_ISREG(c->mode))
		lose_set_id(c);
	return err;
}

/* ---------------------------------------------------------------- carrying out */

int
door_set_lxmod(struct door *d, struct door_node *node, struct fs_handle *fs, uint32_t mode)
{
	_Alignas(4) char list[64];
	uint32_t size = door_lx_build(mode, list, sizeof(list));
	NTSTATUS st = fs_set_ea(fs, list, size, NULL);

	/* Not every program gives the file a new change time for this. */
	door_node_set_extras(&d->nodes, node, &(struct door_extras){0});
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

/* Volumes without descriptors keep one bit of a mode: the read-only attribute. */
static int
set_mode_bare(struct change *c, struct fs_handle *fs)
{
	struct fs_basic_info basic = {.attributes = c->state.info.attributes &
						    ~FILE_ATTRIBUTE_READONLY};
	struct fs_file_info info;
	NTSTATUS st;

	if (!(c->valid & FATTR_MODE) || S_ISDIR(c->mode))
		return 0;
	if (!(c->mode & 0222))
		basic.attributes |= FILE_ATTRIBUTE_READONLY;
	if (basic.attributes == c->state.info.attributes)
		return 0;
	if (basic.attributes == 0) /* 0 means "leave" */
		basic.attributes = FILE_ATTRIBUTE_NORMAL;
	st = fs_set_basic(fs, &basic, &info);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static int
set_security(struct change *c, struct fs_handle *fs)
{
	CLEANUP(free_ptr) void *sd = NULL;
	uint32_t bits = door_lx_bits(c->mode), had = door_lx_bits(c->now.mode);
	size_t size;
	NTSTATUS st;
	int err = 0;

	if (!c->d->has_acls)
		return c->uid != c->now.uid || c->gid != c->now.gid ? -EPERM :
								      set_mode_bare(c, fs);
	/* $LXMOD holds the whole mode: it follows any change, so that no stale bit comes back. */
	if ((bits | had) != 0 && c->mode != c->now.mode) {
		/* Never silently less than asked: without EAs there is no place for them. */
		if (!c->d->has_eas)
			return bits & ~had ? -EPERM : 0;
		err = door_set_lxmod(c->d, c->node, fs, bits ? c->mode : 0);
	}
	if (err)
		return err;
	st = posix_sd_from_mode(c->uid, c->gid, c->mode, &sd, &size);
	if (NT_SUCCESS(st))
		st = fs_set_security(fs, SD_OWNER | SD_GROUP | SD_DACL, sd);
	if (!NT_SUCCESS(st))
		return -door_errno(st);
	/* chmod +w ends an NT read-only attribute, which would go on forbidding it. */
	if ((c->valid & FATTR_MODE) && (c->mode & 0222) &&
	    (c->state.info.attributes & FILE_ATTRIBUTE_READONLY))
		err = set_mode_bare(c, fs);
	return err;
}

static int
set_times(struct change *c, struct fs_handle *fs)
{
	const struct fuse_setattr_in *in = c->in;
	struct fs_basic_info basic = {.attributes = INVALID_FILE_ATTRIBUTES};
	uint64_t now = clock_filetime_now();
	struct fs_file_info info;
	NTSTATUS st;

	/* One "now" for all: the kernel's where its writeback cache keeps the times. */
	if (c->valid & FATTR_CTIME)
		now = door_filetime((int64_t)in->ctime, in->ctimensec);
	basic.change_time = now;
	if (c->valid & FATTR_ATIME)
		basic.last_access_time =
			c->valid & FATTR_ATIME_NOW ?
				now :
				door_filetime((int64_t)in->atime, in->atimensec);
	if (c->valid & FATTR_MTIME)
		basic.last_write_time =
			c->valid & FATTR_MTIME_NOW ?
				now :
				door_filetime((int64_t)in->mtime, in->mtimensec);
	st = fs_set_basic(fs, &basic, &info);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static bool
changes_security(const struct change *c)
{
	return c->mode != c->now.mode || (c->valid & (FATTR_MODE | FATTR_UID | FATTR_GID));
}

static bool
changes_times(const struct change *c)
{
	return c->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_CTIME);
}

static uint32_t
needed_access(const struct change *c)
{
	uint32_t access = FILE_READ_ATTRIBUTES;

	if (c->valid & FATTR_SIZE)
		access |= FILE_WRITE_DATA;
	if (changes_times(c))
		access |= FILE_WRITE_ATTRIBUTES;
	if (changes_security(c))
		access |= WRITE_DAC | WRITE_OWNER | READ_CONTROL | FILE_WRITE_EA |
			  FILE_WRITE_ATTRIBUTES;
	return access;
}

/* A size goes through a handle that may write even where the file is nameless. */
static int
carry_out(struct change *c)
{
	CLEANUP(door_access_end) struct door_access access = {0};
	uint32_t needed = needed_access(c);
	int err = 0;

	if (needed == FILE_READ_ATTRIBUTES)
		return 0;
	if ((c->valid & FATTR_SIZE) && c->hint && (c->hint->access & FILE_WRITE_DATA)) {
		err = door_truncate(c->hint->fs, c->in->size);
		c->valid &= ~(uint32_t)FATTR_SIZE;
		needed = needed_access(c);
		if (err || needed == FILE_READ_ATTRIBUTES)
			return err;
	}
	err = door_access_begin(c->d, c->node, c->hint, needed, &access);
	if (!err && (c->valid & FATTR_SIZE))
		err = door_truncate(access.fs, c->in->size);
	if (!err && changes_security(c))
		err = set_security(c, access.fs);
	if (!err && changes_times(c))
		err = set_times(c, access.fs);
	return err;
}

static int
set_attr(struct change *c, struct fuse_attr *ret_attr)
{
	int err = door_state_of(c->d, c->node, c->hint, &c->state);

	if (err)
		return err;
	door_state_attr(c->d, &c->state, c->node, &c->now);
	err = plan(c);
	if (!err)
		err = carry_out(c);
	if (err)
		return err;
	door_state_fini(&c->state);
	err = door_state_of(c->d, c->node, c->hint, &c->state);
	if (!err)
		door_state_attr(c->d, &c->state, c->node, ret_attr);
	return err;
}

int
door_setattr(struct door *d, struct fusek_req *req)
{
	const struct fuse_setattr_in *in = req->arg;
	struct change c = {.d = d, .req = req, .in = in, .valid = in->valid};
	struct fuse_attr_out out = {
		.attr_valid = d->timeouts.attr_ns / 1000000000,
		.attr_valid_nsec = (uint32_t)(d->timeouts.attr_ns % 1000000000),
	};
	int err = -ESTALE;

	c.node = door_node_get(&d->nodes, req->nodeid);
	c.hint = in->valid & FATTR_FH ? door_handle_get(&d->handles, in->fh) : NULL;
	if (c.node) {
		DOOR_TREE_SHARED(d);

		err = set_attr(&c, &out.attr);
	}
	door_state_fini(&c.state);
	door_handle_put(&d->handles, c.hint);
	door_node_put(&d->nodes, c.node);
	return err ? err : door_reply_put(req, &out, sizeof(out));
}

static uint32_t
without_set_id(struct door *d, uint32_t mode)
{
	if (!d->has_eas || !S_ISREG(mode))
		return mode;
	return mode & ~(uint32_t)(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

/*
 * A write or truncation by somebody without CAP_FSETID. The shown mode says nearly always that
 * there is nothing to take away, so that a write costs no more than a write.
 */
void
door_kill_suidgid(struct door *d, struct door_node *node, struct door_handle *hint)
{
	CLEANUP(door_access_end) struct door_access access = {0};
	struct door_shown shown = door_node_shown(&d->nodes, node);
	uint32_t mode = without_set_id(d, shown.mode);

	if (mode == shown.mode)
		return;
	if (door_access_begin(d, node, hint, FILE_WRITE_EA, &access) < 0 ||
	    door_set_lxmod(d, node, access.fs, door_lx_bits(mode) ? mode : 0) < 0)
		return;
	door_node_note(&d->nodes, node,
		       &(struct fuse_attr){.mode = mode, .uid = shown.uid, .gid = shown.gid,
					   .nlink = 1});
}

void
door_kill_suidgid_unlocked(struct door *d, struct door_node *node, struct door_handle *hint)
{
	uint32_t mode = door_node_shown(&d->nodes, node).mode;

	if (without_set_id(d, mode) == mode)
		return;
	DOOR_TREE_SHARED(d);
	door_kill_suidgid(d, node, hint);
}
