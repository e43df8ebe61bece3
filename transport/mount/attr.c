#include "transport/mount/attr.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/clock.h"
#include "fs/security/posix_map.h"
#include "nt/file.h"
#include "transport/mount/special.h"

/* STATX_* of <linux/stat.h>, which must not meet <sys/stat.h> */
enum { STATX_BASIC = 0x7ff, STATX_BIRTH = 0x800 };

uint32_t
door_format(const struct fs_file_info *info, const struct door_extras *extras)
{
	uint32_t format = 0;

	if (info->attributes & FILE_ATTRIBUTE_REPARSE_POINT)
		format = door_format_of_tag(info->reparse_tag);
	if (format == DOOR_FORMAT_IN_DATA) {
		if (!extras)
			return 0;
		format = extras->format;
	}
	if (format != 0)
		return format;
	return info->attributes & FILE_ATTRIBUTE_DIRECTORY ? S_IFDIR : S_IFREG;
}

bool
door_needs_extras(const struct fs_file_info *info, bool volume_has_eas)
{
	if ((info->attributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
	    door_format_of_tag(info->reparse_tag) != 0)
		return true;
	return volume_has_eas && info->ea_size != 0;
}

bool
door_extras_hold(const struct door_extras *extras, const struct fs_file_info *info)
{
	return extras->valid && extras->ea_size == info->ea_size &&
	       extras->reparse_tag == info->reparse_tag &&
	       extras->change_time == info->change_time;
}

static uint32_t
permissions(const struct door_attr_rules *rules, const struct fs_file_info *info,
	    const void *sd, const struct door_extras *extras, struct fuse_attr *attr)
{
	uint32_t mode = 0777 & ~rules->bare_umask;

	attr->uid = rules->uid;
	attr->gid = rules->gid;
	if (sd) {
		struct posix_perms perms = posix_perms_from_sd(sd);

		mode = perms.mode;
		if (perms.has_owner && !rules->force_uid)
			attr->uid = perms.uid;
		if (perms.has_group && !rules->force_gid)
			attr->gid = perms.gid;
	}
	mode &= ~rules->umask;
	if (extras->valid)
		mode |= extras->lx_mode & 07000;
	/* Ruling 6: the attribute stops opens for writing. */
	if ((info->attributes & FILE_ATTRIBUTE_READONLY) && !S_ISDIR(attr->mode))
		mode &= ~0222u;
	return mode & 07777;
}

static void
fill_time(uint64_t filetime, uint64_t *ret_seconds, uint32_t *ret_nanoseconds)
{
	struct timespec ts = timespec_from_filetime(filetime);

	*ret_seconds = (uint64_t)ts.tv_sec;
	*ret_nanoseconds = (uint32_t)ts.tv_nsec;
}

void
door_attr_fill(const struct door_attr_rules *rules, const struct fs_file_info *info,
	       const void *sd, const struct door_extras *extras, uint64_t node_id,
	       struct fuse_attr *ret_attr)
{
	struct fuse_attr *a = ret_attr;
	uint64_t changed = info->change_time ? info->change_time : info->last_write_time;

	memset(a, 0, sizeof(*a));
	a->ino = info->index_number ? info->index_number : node_id;
	a->mode = door_format(info, extras);
	a->mode |= permissions(rules, info, sd, extras, a);
	/* Directories: 1, "not counted", as btrfs and overlayfs do, unless the program counts. */
	a->nlink = info->hard_links ? info->hard_links : 1;
	a->size = info->file_size;
	a->blocks = info->allocation_size / 512 + (info->allocation_size % 512 != 0);
	if (S_ISLNK(a->mode)) {
		a->size = extras->valid ? extras->link_size : 0;
		a->mode |= 0777;
	} else if (!S_ISREG(a->mode) && !S_ISDIR(a->mode)) {
		a->size = 0;
		a->rdev = extras->valid ? extras->rdev : 0;
	}
	a->blksize = rules->blksize;
	fill_time(info->last_access_time, &a->atime, &a->atimensec);
	fill_time(info->last_write_time, &a->mtime, &a->mtimensec);
	fill_time(changed, &a->ctime, &a->ctimensec);
}

static struct fuse_sx_time
statx_time(uint64_t seconds, uint32_t nanoseconds)
{
	return (struct fuse_sx_time){.tv_sec = (int64_t)seconds, .tv_nsec = nanoseconds};
}

void
door_statx_fill(const struct fuse_attr *a, const struct fs_file_info *info,
		struct fuse_statx *ret_stat)
{
	struct fuse_statx *s = ret_stat;
	struct timespec birth = timespec_from_filetime(info->creation_time);
	dev_t rdev = door_rdev_decode(a->rdev);

	memset(s, 0, sizeof(*s));
	s->mask = STATX_BASIC | (info->creation_time ? STATX_BIRTH : 0);
	s->blksize = a->blksize;
	s->nlink = a->nlink;
	s->uid = a->uid;
	s->gid = a->gid;
	s->mode = (uint16_t)a->mode;
	s->ino = a->ino;
	s->size = a->size;
	s->blocks = a->blocks;
	s->atime = statx_time(a->atime, a->atimensec);
	s->mtime = statx_time(a->mtime, a->mtimensec);
	s->ctime = statx_time(a->ctime, a->ctimensec);
	s->btime = statx_time((uint64_t)birth.tv_sec, (uint32_t)birth.tv_nsec);
	s->rdev_major = major(rdev);
	s->rdev_minor = minor(rdev);
}

uint64_t
door_filetime(int64_t seconds, uint32_t nanoseconds)
{
	struct timespec ts = {.tv_sec = seconds, .tv_nsec = nanoseconds};

	return filetime_from_timespec(&ts);
}
