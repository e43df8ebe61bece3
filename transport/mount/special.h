/*
 * What POSIX has and NT keeps elsewhere: symbolic links and device files as reparse points, set-id
 * bits and device numbers as the extended attributes $LXMOD and $LXDEV. Pure functions.
 *
 * Links are written as SYMLINK reparse points where every byte of the target comes back from
 * them (relative, valid UTF-8), so that NT clients can follow them; else as LX_SYMLINK (a
 * 32-bit version, 2, and the bytes). Device files, pipes and sockets are written as NFS reparse
 * points (MS-FSCC 2.1.2.6). Both, and the tags that WSL uses, are understood.
 */
#ifndef USERDRIVE_TRANSPORT_MOUNT_SPECIAL_H
#define USERDRIVE_TRANSPORT_MOUNT_SPECIAL_H

#include <sys/types.h>
#include "fs/contract.h"

/* Reparse tags of WSL (MS-FSCC 2.1.2.1) beside those of nt/file.h */
#define DOOR_TAG_AF_UNIX 0x80000023u
#define DOOR_TAG_LX_FIFO 0x80000024u
#define DOOR_TAG_LX_CHR 0x80000025u
#define DOOR_TAG_LX_BLK 0x80000026u

/* S_IFMT bits of a tag: S_IFLNK, S_IFIFO …; 0: a plain file or directory; DOOR_FORMAT_IN_DATA:
 * the reparse data tells. */
enum { DOOR_FORMAT_IN_DATA = 1 };
uint32_t door_format_of_tag(uint32_t tag);

/* Reparse buffer of a link. Returns its size, -ENAMETOOLONG. force_nt: SYMLINK also for targets
 * that do not come back byte for byte. */
NODISCARD int door_link_build(const char *target, size_t n_bytes, bool force_nt, void *dst,
			      uint32_t cap);
/* Where a link points, as readlink returns it: bytes, no NUL. Links that start at the volume's
 * root are shown below where, the mount point. -EINVAL: not a link; -ENAMETOOLONG. */
NODISCARD int door_link_target(const void *buffer, uint32_t size, const char *where, char *dst,
			       size_t cap);
/* Reparse buffer of a device, pipe or socket; rdev as makedev(). Its size, or -EINVAL. */
NODISCARD int door_device_build(uint32_t format, dev_t rdev, void *dst, uint32_t cap);
/* The inverse for NFS points: false when the buffer is none. */
bool door_device_parse(const void *buffer, uint32_t size, uint32_t *ret_format, dev_t *ret_rdev);

/* $LXMOD and $LXDEV in an EA list that has passed its check. False: neither is there. */
bool door_lx_find(const void *list, uint32_t size, uint32_t *ret_mode, dev_t *ret_rdev);
/* An EA list that sets $LXMOD, or removes it (mode 0). Its size. */
uint32_t door_lx_build(uint32_t mode, void *dst, uint32_t cap);
/* $LXMOD, $LXDEV, $LXUID, $LXGID: not shown as user attributes. */
bool door_lx_is_name(const char *name, size_t n);
/* The bits of mode that a DACL cannot hold. */
uint32_t door_lx_bits(uint32_t mode);

uint32_t door_rdev_encode(dev_t rdev); /* as the FUSE protocol carries device numbers */
dev_t door_rdev_decode(uint32_t rdev);

#endif
