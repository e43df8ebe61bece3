/*
 * Persistent reservations in a file: what APTPL asks for. Big-endian, written whole and renamed
 * over the old one.
 *
 *	offset  size  meaning
 *	0       8     "UDPRSTAT"
 *	8       4     version, 1
 *	12      4     bytes of the file
 *	16      16    GUID of the unit: an image that was copied does not inherit reservations
 *	32      1     type of the reservation, 0: none
 *	33      1     0
 *	34      2     number of registrants
 *	36            registrants
 *	size-8  8     FNV-1a (64 bits) of all before: torn and foreign files, not forged ones
 *
 * A registrant:
 *	0       8     key
 *	8       2     relative target port identifier, 0: every port
 *	10      1     1: holds the reservation
 *	11      1     0
 *	12      2     n, bytes of the TransportID
 *	14      n     TransportID
 *
 * PRgeneration is not kept: SPC-4 5.12.5 has it begin at 0 after power on.
 */
#include "scsi/persist_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"

enum {
	VERSION = 1,
	HEADER_SIZE = 36,
	ENTRY_SIZE = 14,
	CHECKSUM_SIZE = 8,
	FILE_MAX = HEADER_SIZE + CHECKSUM_SIZE +
		   PR_REGISTRANTS_MAX * (ENTRY_SIZE + SCSI_TRANSPORT_ID_MAX),
};
static const char magic[8] = {'U', 'D', 'P', 'R', 'S', 'T', 'A', 'T'};

static uint64_t
fnv1a(const uint8_t *bytes, size_t size)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	return h;
}

/* ---------------------------------------------------------------- encode */

static size_t
encoded_size(const struct pr_state *state)
{
	size_t size = HEADER_SIZE + CHECKSUM_SIZE;

	for (size_t i = 0; i < state->n; i++)
		if (!state->registrants[i].gone)
			size += ENTRY_SIZE + state->registrants[i].port.n_transport_id;
	return size;
}

static size_t
encode_registrant(const struct pr_registrant *r, uint8_t *dst)
{
	put_be64(dst, r->key);
	put_be16(dst + 8, r->port.target_port);
	dst[10] = r->is_holder;
	put_be16(dst + 12, r->port.n_transport_id);
	memcpy(dst + ENTRY_SIZE, r->port.transport_id, r->port.n_transport_id);
	return ENTRY_SIZE + r->port.n_transport_id;
}

int
pr_file_encode(const struct pr_state *state, const uint8_t *guid, uint8_t **ret_bytes,
	       size_t *ret_size)
{
	size_t size = encoded_size(state), at = HEADER_SIZE, n = 0;
	uint8_t *bytes = calloc(1, size);

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < state->n; i++)
		if (!state->registrants[i].gone) {
			at += encode_registrant(&state->registrants[i], bytes + at);
			n++;
		}
	memcpy(bytes, magic, sizeof(magic));
	put_be32(bytes + 8, VERSION);
	put_be32(bytes + 12, (uint32_t)size);
	memcpy(bytes + 16, guid, 16);
	bytes[32] = state->type;
	put_be16(bytes + 34, (uint16_t)n);
	put_be64(bytes + at, fnv1a(bytes, at));
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

/* ---------------------------------------------------------------- decode */

static bool
header_is_good(const uint8_t *bytes, size_t size, const uint8_t *guid)
{
	return size >= HEADER_SIZE + CHECKSUM_SIZE && size <= FILE_MAX &&
	       memcmp(bytes, magic, sizeof(magic)) == 0 && get_be32(bytes + 8) == VERSION &&
	       get_be32(bytes + 12) == size && memcmp(bytes + 16, guid, 16) == 0 &&
	       get_be64(bytes + size - CHECKSUM_SIZE) == fnv1a(bytes, size - CHECKSUM_SIZE) &&
	       (bytes[32] == PR_NONE || pr_type_is_known(bytes[32])) && bytes[33] == 0 &&
	       get_be16(bytes + 34) <= PR_REGISTRANTS_MAX;
}

/* Returns its size; 0: it is not one. */
static size_t
decode_registrant(const uint8_t *bytes, size_t size, struct pr_registrant *ret_r)
{
	struct pr_registrant r = {0};
	size_t n;

	if (size < ENTRY_SIZE)
		return 0;
	r.key = get_be64(bytes);
	r.port.target_port = get_be16(bytes + 8);
	r.is_holder = bytes[10];
	n = get_be16(bytes + 12);
	if (r.key == 0 || bytes[10] > 1 || bytes[11] != 0 || n > size - ENTRY_SIZE || n == 0 ||
	    pr_transport_id_size(bytes + ENTRY_SIZE, n) != n)
		return 0;
	memcpy(r.port.transport_id, bytes + ENTRY_SIZE, n);
	r.port.n_transport_id = (uint16_t)n;
	*ret_r = r;
	return ENTRY_SIZE + n;
}

/* The invariants of persist_state.c. */
static bool
state_is_sound(const struct pr_state *state)
{
	bool single = state->type != PR_NONE && !pr_type_is_all(state->type);
	size_t n_holders = 0;

	for (size_t i = 0; i < state->n; i++) {
		const struct pr_port *port = &state->registrants[i].port;

		n_holders += state->registrants[i].is_holder;
		for (size_t j = 0; j < state->n; j++)
			if (j != i && pr_port_is(&state->registrants[j].port, port->transport_id,
						 port->n_transport_id, port->target_port))
				return false;
	}
	return n_holders == single && (state->n > 0 || state->type == PR_NONE);
}

int
pr_file_decode(const uint8_t *bytes, size_t size, const uint8_t *guid, struct pr_state *ret_state)
{
	struct pr_state state = {.aptpl = true};
	size_t at = HEADER_SIZE, end, n;

	if (!header_is_good(bytes, size, guid))
		return -EBADMSG;
	end = size - CHECKSUM_SIZE;
	state.type = bytes[32];
	state.cap = (size_t)get_be16(bytes + 34) + 1;
	state.registrants = calloc(state.cap, sizeof(state.registrants[0]));
	if (!state.registrants)
		return -ENOMEM;
	for (; state.n + 1 < state.cap; state.n++, at += n) {
		n = decode_registrant(bytes + at, end - at, &state.registrants[state.n]);
		if (n == 0)
			break;
	}
	if (state.n + 1 != state.cap || at != end || !state_is_sound(&state)) {
		pr_state_fini(&state);
		return -EBADMSG;
	}
	*ret_state = state;
	return 0;
}

/* ---------------------------------------------------------------- the file */

static int
write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* So that the new name is on disk, too. */
static int
sync_folder(const char *path)
{
	char folder[sizeof(((struct scsi_unit_params *)0)->state_path)];
	CLEANUP(close_fd) int fd = -1;

	snprintf(folder, sizeof(folder), "%s", path);
	fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int
write_new(const char *name, const uint8_t *bytes, size_t size)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	CLEANUP(close_fd) int fd = open(name, flags, 0600);

	return fd < 0 ? -errno : write_all(fd, bytes, size);
}

int
pr_file_save(const char *path, const struct pr_state *state, const uint8_t *guid)
{
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	char temporary[4096 + 8];
	size_t size = 0;
	int err = pr_file_encode(state, guid, &bytes, &size);

	if (err < 0)
		return err;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	err = write_new(temporary, bytes, size);
	if (err == 0 && rename(temporary, path) < 0)
		err = -errno;
	if (err < 0) {
		(void)unlink(temporary);
		return err;
	}
	return sync_folder(path);
}

static int
read_all(int fd, uint8_t *bytes, size_t cap, size_t *ret_size)
{
	size_t size = 0;

	while (size < cap) {
		ssize_t n = read(fd, bytes + size, cap - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_size = size;
	return 0;
}

/* Kept for whoever wants to know what happened. */
static void
put_aside(const char *path)
{
	char aside[4096 + 16];

	snprintf(aside, sizeof(aside), "%s.corrupt", path);
	if (rename(path, aside) < 0)
		log_error("scsi", "%s: the file of persistent reservations is damaged and "
				  "cannot be renamed, errno=%d", path, errno);
	else
		log_error("scsi", "%s: the file of persistent reservations is damaged; it is "
				  "kept as %s, and nothing is reserved", path, aside);
}

int
pr_file_load(const char *path, const uint8_t *guid, struct pr_state *ret_state)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	size_t size = 0;
	int err;

	*ret_state = (struct pr_state){0};
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	bytes = malloc(FILE_MAX + 1);
	if (!bytes)
		return -ENOMEM;
	err = read_all(fd, bytes, FILE_MAX + 1, &size);
	if (err == 0)
		err = pr_file_decode(bytes, size, guid, ret_state);
	if (err != -EBADMSG)
		return err;
	put_aside(path);
	return 0;
}
