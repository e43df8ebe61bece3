/* Between pipe.c, which moves messages, and the two codecs that know what is in them. */
#ifndef USERDRIVE_TOOLS_DISK_PIPE_PRIV_H
#define USERDRIVE_TOOLS_DISK_PIPE_PRIV_H

#include "base/endian.h"
#include "tools/disk/client_priv.h"

enum { PIPE_HEAD_MAX = 160 };

struct pipe_disk;
struct pipe_codec {
	/* The greeting; 0, or -errno after disk_fail. */
	int (*begin)(struct pipe_disk *p);
	/* Fills head from byte 4 on, n_head, out_data and n_out_data. */
	int (*encode)(struct pipe_disk *p, struct disk_cdb *work);
	/* One message without its length; -errno after disk_fail: the connection is of no
	 * more use. */
	int (*decode)(struct pipe_disk *p, const uint8_t *message, size_t size);
};
extern const struct pipe_codec pipe_codec_message, pipe_codec_cdb;

struct pipe_disk {
	struct disk disk;
	const struct pipe_codec *codec;
	int fd;
	struct disk_cdb *sending;    /* partly sent, or NULL */
	uint8_t head[PIPE_HEAD_MAX]; /* with the length in front */
	size_t n_head, n_sent;
	const void *out_data;
	size_t n_out_data;
	uint8_t *rx;
	size_t n_rx, cap_rx;
	bool greeted;
};

/* The work of that id, when all of it has been sent; NULL. */
struct disk_cdb *pipe_find(struct pipe_disk *p, uint64_t id);
/* Room for messages of that size. */
NODISCARD int pipe_reserve(struct pipe_disk *p, size_t max_message);
/* Sends what head holds, before there is a queue. The socket of a new connection takes it
 * at once. */
int pipe_send_greeting(struct pipe_disk *p);
/* Turns until done says so; 0, or -errno after disk_fail. */
int pipe_wait(struct pipe_disk *p, bool (*done)(struct pipe_disk *p), unsigned ms);
int pipe_cdb_reset(struct disk *disk, enum disk_reset what, struct disk_error *error);

#endif
