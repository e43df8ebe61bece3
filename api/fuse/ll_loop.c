/*
 * Loops. A single-threaded one is the caller's thread alone, on /dev/fuse; with threads the
 * protocol's session serves, by io_uring where the kernel has it, and the caller waits.
 */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/fuse/loop_cfg.h"

int
fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
{
	struct fusek_session *k = ll_kernel(se, NULL);

	if (!k)
		return -errno;
	size_t size = fusek_session_buffer_size(k);
	if (!buf->mem && posix_memalign(&buf->mem, 4096, size) != 0) {
		buf->mem = NULL;
		return -ENOMEM;
	}
	ssize_t n = fusek_session_receive(k, buf->mem, size);
	if (n == 0) {
		se->over = true;
		fuse_session_exit(se);
	}
	if (n <= 0)
		return (int)n;
	buf->size = (size_t)n;
	buf->flags = 0;
	return (int)n;
}

void
fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
{
	struct fusek_session *k = ll_kernel(se, NULL);

	if (k)
		fusek_session_process(k, buf->mem, buf->size);
}

int
fuse_session_loop(struct fuse_session *se)
{
	struct fuse_buf buf = {.mem = NULL};
	int n = 0;

	while (!fuse_session_exited(se)) {
		n = fuse_session_receive_buf(se, &buf);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(se, &buf);
	}
	free(buf.mem);
	int err = atomic_load(&se->error);
	return err ? err : n > 0 || n == -EINTR ? 0 : n;
}

/* One thread, or reads and writes of its own, are promises that only the device keeps. */
static enum fusek_transport
choose_transport(const struct fuse_session *se, const struct fuse_loop_config *config)
{
	return se->transport == FUSEK_TRANSPORT_AUTO && config->max_threads == 1
		       ? FUSEK_TRANSPORT_DEV
		       : se->transport;
}

static int
serve_with_threads(struct fuse_session *se, const struct fuse_loop_config *config)
{
	struct fusek_config k_config = {
		.transport = choose_transport(se, config),
		.max_threads = config->max_threads ? config->max_threads : 1,
	};
	struct fusek_session *k = ll_kernel(se, &k_config);

	if (!k)
		return -errno;
	int err = fusek_session_start(k);
	if (err < 0)
		return err;
	while (!fuse_session_exited(se) && !se->over)
		sem_wait(&se->finish);
	bool by_itself = se->over;
	fusek_session_stop(k, UINT32_MAX);
	fusek_session_join(k);
	se->over = by_itself;
	return atomic_load(&se->error);
}

int
fuse_session_loop_mt_312(struct fuse_session *se, struct fuse_loop_config *config)
{
	struct fuse_loop_config cfg = fapi_loop_cfg_of(config);

	return se->io.read ? fuse_session_loop(se) : serve_with_threads(se, &cfg);
}
