/*
 * Sessions without threads: messages are read and processed by the owner's own loop. The request's
 * bytes are the owner's, so a slot has no buffers here; answers go to the device at once.
 */
#include "fuse/session_priv.h"

#include <errno.h>
#include <unistd.h>

size_t
fusek_session_buffer_size(const struct fusek_session *s)
{
	return s->body_size + FUSEK_PAGE;
}

static ssize_t
read_device(struct fusek_session *s, void *bytes, size_t size)
{
	ssize_t n = s->config.read ? s->config.read(s->config.io_ctx, s->dev_fd, bytes, size)
				   : read(s->dev_fd, bytes, size);

	return n < 0 ? -errno : n;
}

ssize_t
fusek_session_receive(struct fusek_session *s, void *bytes, size_t size)
{
	ssize_t n;

	do /* ENOENT: the request was withdrawn while it was being copied */
		n = atomic_load(&s->gone) ? 0 : read_device(s, bytes, size);
	while (n == -ENOENT);
	if (n != 0 && n != -ENODEV && n != -ENOTCONN)
		return n;
	fusek_session_gone(s);
	return 0;
}

static struct slot *
slot_get(struct fusek_session *s)
{
	struct slot *slot = fusek_dev_slot_take_spare(s);

	if (!slot)
		slot = fusek_slot_create(s, &fusek_dev_slot_ops);
	if (slot)
		slot->out_cap = s->body_size;
	return slot;
}

void
fusek_session_process(struct fusek_session *s, const void *bytes, size_t size)
{
	struct worker worker = {.session = s};

	worker.slot = slot_get(s);
	if (!worker.slot ||
	    fusek_decode_message(&s->layout, bytes, size, &worker.slot->scratch,
				 &worker.slot->req) < 0)
		fusek_dev_refuse(s, bytes, size);
	else
		fusek_dispatch(&worker, worker.slot);
	if (worker.slot)
		fusek_dev_slot_give_back(worker.slot);
}
