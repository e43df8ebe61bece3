/*
 * A disk that changed its serial number between two starts would be a new disk to every host. So the
 * image keeps it, in the extended attribute user.userdrive.disk, or where there are none, in the file
 * IMAGE.userdrive. Both hold the same text.
 */
#include "examples/rawdisk/rawdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/endian.h"
#include "base/log.h"

#define ATTRIBUTE "user.userdrive.disk"
enum { TEXT_MAX = 4096, BLOCK_LENGTH_MAX = 1 << 20 };

/* ---------------------------------------------------------------- GUIDs */

/* RFC 9562 section 4: version and variant. */
static void
guid_stamp(uint8_t guid[16], unsigned version)
{
	guid[6] = (uint8_t)((guid[6] & 0x0F) | version << 4);
	guid[8] = (uint8_t)((guid[8] & 0x3F) | 0x80);
}

void
rd_guid_make(uint8_t guid[16])
{
	/* 16 bytes come at once and always, once the system has seeded its generator. */
	while (getrandom(guid, 16, 0) != 16)
		;
	guid_stamp(guid, 4);
}

void
rd_guid_format(const uint8_t guid[16], char dst[37])
{
	for (size_t i = 0; i < 16; i++) {
		dst += sprintf(dst, "%02x", guid[i]);
		if (i == 3 || i == 5 || i == 7 || i == 9)
			*dst++ = '-';
	}
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	if (p)
		return (int)(p - digits);
	p = c ? strchr(upper, c) : NULL;
	return p ? (int)(p - upper) : -1;
}

int
rd_guid_parse(const char *text, uint8_t ret_guid[16])
{
	uint8_t guid[16], any = 0;

	for (size_t i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -EINVAL;
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		guid[i] = (uint8_t)(high << 4 | low);
		any |= guid[i];
		text += 2;
	}
	/* All zero is no identity. */
	if (*text || !any)
		return -EINVAL;
	memcpy(ret_guid, guid, 16);
	return 0;
}

/* ---------------------------------------------------------------- the text */

static int
parse_block_length(const char *value, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '1' || value[0] > '9' || *end || n < 16 || n > BLOCK_LENGTH_MAX)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

int
rd_identity_parse(const char *text, size_t n, struct rd_identity *ret)
{
	struct rd_identity identity = {{0}, 0};
	char copy[TEXT_MAX + 1], *save = NULL;
	bool has_guid = false;
	int err = 0;

	if (n > TEXT_MAX || memchr(text, 0, n))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	for (char *line = strtok_r(copy, "\n", &save); line && !err;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "guid=", 5) == 0) {
			err = rd_guid_parse(line + 5, identity.guid);
			has_guid = true;
		} else if (strncmp(line, "block_length=", 13) == 0) {
			err = parse_block_length(line + 13, &identity.block_length);
		}
	}
	if (err || !has_guid)
		return -EINVAL;
	*ret = identity;
	return 0;
}

static int
format(const struct rd *rd, char *dst, size_t cap)
{
	char guid[37];

	rd_guid_format(rd->identity.guid, guid);
	return snprintf(dst, cap, "guid=%s\nblock_length=%u\n", guid, rd->block_length);
}

/* ---------------------------------------------------------------- where it is kept */

void
rd_sidecar_path(const struct rd *rd, const char *suffix, char *dst, size_t cap)
{
	snprintf(dst, cap, "%s%s", rd->path, suffix);
}

static int
load_file(const struct rd *rd, char *text, size_t cap, size_t *ret_n)
{
	char path[sizeof(rd->path) + 16];
	struct storage file;

	rd_sidecar_path(rd, ".userdrive", path, sizeof(path));
	int err = storage_open(&file, &storage_system, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (err)
		return err;
	err = storage_read(&file, text, cap, 0, ret_n);
	storage_close(&file);
	/* Shorter than the room is what it should be. */
	return err == -ENODATA ? 0 : err;
}

int
rd_identity_load(const struct rd *rd, struct rd_identity *ret)
{
	char text[TEXT_MAX + 1];
	size_t n = 0;
	ssize_t got = rd->image.ops->getxattr(rd->image.fd, ATTRIBUTE, text, sizeof(text));

	if (got >= 0)
		return rd_identity_parse(text, (size_t)got, ret);
	if (got == -ERANGE)
		return -EINVAL;
	if (got != -ENODATA && got != -EOPNOTSUPP && got != -ENOSYS && got != -EPERM)
		return (int)got;
	int err = load_file(rd, text, sizeof(text), &n);
	return err ? err : rd_identity_parse(text, n, ret);
}

/* It is there, and to take another one now would be wrong; after a crash it may be missing. */
static void
say_unsafe(const struct rd *rd, int err)
{
	if (err)
		log_warn("rawdisk", "%s: a crash may cost its identity: %s", rd->path,
			 strerror(-err));
}

/* Whole or not at all: a new file takes the old one's place. */
static int
save_file(const struct rd *rd, const char *text, size_t n)
{
	char path[sizeof(rd->path) + 16], fresh[sizeof(rd->path) + 32];
	struct storage file;
	size_t done;

	rd_sidecar_path(rd, ".userdrive", path, sizeof(path));
	rd_sidecar_path(rd, ".userdrive.new", fresh, sizeof(fresh));
	unlink(fresh);
	int err = storage_open(&file, &storage_system, fresh,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
	if (err)
		return err;
	err = storage_write(&file, text, n, 0, &done);
	if (err == 0)
		err = file.ops->fdatasync(file.fd);
	storage_close(&file);
	if (err == 0 && rename(fresh, path) < 0)
		err = -errno;
	if (err) {
		unlink(fresh);
		return err;
	}
	say_unsafe(rd, storage_sync_folder(path));
	return 0;
}

int
rd_identity_save(const struct rd *rd)
{
	char text[256];

	/* What lies in /dev is gone with the next start of the machine. */
	if (rd->is_device)
		return -EOPNOTSUPP;
	int n = format(rd, text, sizeof(text));
	int err = rd->image.ops->setxattr(rd->image.fd, ATTRIBUTE, text, (size_t)n);

	if (err)
		return save_file(rd, text, (size_t)n);
	say_unsafe(rd, storage_sync(&rd->image));
	return 0;
}

void
rd_identity_derive(const char *image, const struct storage_status *status,
		   struct rd_identity *identity)
{
	/* FNV-1a, twice: not against an adversary, only spread. */
	uint64_t hash[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4)};

	for (const char *p = image; *p; p++)
		for (size_t i = 0; i < 2; i++)
			hash[i] = (hash[i] ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	put_be64(identity->guid, hash[0] ^ status->inode);
	put_be64(identity->guid + 8, hash[1]);
	guid_stamp(identity->guid, 8);
}
