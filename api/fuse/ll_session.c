/* Sessions: from their making to their end. */
#include "api/fuse/lowlevel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static int
take_option(void *data, const char *arg, int key, struct fuse_args *outargs)
{
	return key == FUSE_OPT_KEY_OPT ? ll_option_take(data, arg) : 1;
}

static const struct fuse_opt flags[] = {
	FUSE_OPT_KEY("-d", FUSE_OPT_KEY_OPT),
	FUSE_OPT_KEY("--debug", FUSE_OPT_KEY_OPT),
	FUSE_OPT_KEY("-r", FUSE_OPT_KEY_OPT),
	FUSE_OPT_END
};

static int
take_arguments(struct fuse_session *se, struct fuse_args *args)
{
	if (args->argc == 0) {
		fuse_log(FUSE_LOG_ERR, "fuse: an empty argument vector was passed to fuse_session_new\n");
		return -1;
	}
	if (fuse_opt_parse(args, se, flags, take_option) < 0)
		return -1;
	if (args->argc == 1) {
		if (args->argv[0][0] == '-')
			fuse_log(FUSE_LOG_ERR,
				 "fuse: warning: argv[0] looks like an option, but will be ignored\n");
		return 0;
	}
	fuse_log(FUSE_LOG_ERR, "fuse: unknown option(s): `");
	for (int i = 1; i < args->argc; i++)
		fuse_log(FUSE_LOG_ERR, "%s%s", i > 1 ? " " : "", args->argv[i]);
	fuse_log(FUSE_LOG_ERR, "'\n");
	return -1;
}

struct fuse_session *
fuse_session_new_versioned(struct fuse_args *args, const struct fuse_lowlevel_ops *op,
			   size_t op_size, struct libfuse_version *version, void *userdata)
{
	struct fuse_session *se = calloc(1, sizeof(*se));

	if (!se)
		return NULL;
	if (op_size > sizeof(se->op))
		fuse_log(FUSE_LOG_ERR, "fuse: warning: library too old, some operations may not work\n");
	fapi_ops_take(&se->op, sizeof(se->op), op, op_size);
	se->layout = fapi_layout_of_version(version);
	se->userdata = userdata;
	se->owner = getuid();
	se->fd = -1;
	se->conn.max_write = UINT32_MAX;
	se->conn.max_readahead = UINT32_MAX;
	mutex_init(&se->lock);
	sem_init(&se->finish, 0, 0);
	list_init(&se->retrieves);
	if (take_arguments(se, args) == 0) {
		/* The program's standard error is its own: what starts and ends is not said there. */
		log_set_level(se->debug ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
		return se;
	}
	fuse_session_destroy(se);
	return NULL;
}

static ssize_t
custom_read(void *ctx, int fd, void *bytes, size_t size)
{
	struct fuse_session *se = ctx;

	return se->io.read(fd, bytes, size, se->userdata);
}

static ssize_t
custom_writev(void *ctx, int fd, const struct iovec *iov, int n)
{
	struct fuse_session *se = ctx;

	return se->io.writev(fd, (struct iovec *)(uintptr_t)iov, n, se->userdata);
}

int
fuse_session_custom_io_317(struct fuse_session *se, const struct fuse_custom_io *io,
			   size_t op_size, int fd)
{
	if (fd < 0)
		return -EBADF;
	if (!io || !io->read || !io->writev)
		return -EINVAL;
	memcpy(&se->io, io, MIN(op_size, sizeof(se->io)));
	se->fd = fd;
	return 0;
}

struct fusek_session *
ll_kernel(struct fuse_session *se, const struct fusek_config *given)
{
	struct fusek_session *k = atomic_load(&se->kernel);
	int err = 0;

	if (k)
		return k;
	struct fusek_config config = given ? *given : (struct fusek_config){.name = NULL};
	config.name = se->mount.subtype[0] ? se->mount.subtype : "fuse";
	config.late_replies = true;
	config.max_stack_depth = 2; /* the program says how much it wants */
	if (se->io.read) {
		config.read = custom_read;
		config.writev = custom_writev;
		config.io_ctx = se;
	}
	mutex_lock(&se->lock);
	if (!(k = atomic_load(&se->kernel))) {
		err = se->fd < 0 ? -ENOTCONN
				 : fusek_session_create(se->fd, &config, &ll_ops, se, &k);
		if (err == 0)
			atomic_store(&se->kernel, k);
	}
	mutex_unlock(&se->lock);
	errno = -err;
	return k;
}

void
ll_destroy_once(struct fuse_session *se)
{
	if (se->got_init && !atomic_exchange(&se->destroyed, true) && se->op.destroy)
		se->op.destroy(se->userdata);
}

/* The connection's end: what is still unanswered will never be. */
static void
connection_close(struct fuse_session *se)
{
	struct fusek_session *k = atomic_load(&se->kernel);

	if (k)
		fusek_session_stop(k, 0);
	else if (se->fd >= 0)
		close(se->fd);
	se->fd = -1;
}

static bool
is_unmounted_already(const struct fuse_session *se)
{
	struct pollfd fd = {.fd = se->fd};

	return se->over || (se->fd >= 0 && poll(&fd, 1, 0) == 1 && fd.revents & POLLERR);
}

void
fuse_session_unmount(struct fuse_session *se)
{
	struct fusek_mount_error error;

	if (!se->mountpoint)
		return;
	bool gone = is_unmounted_already(se);
	connection_close(se);
	if (!gone && fusek_unmount(se->mountpoint, true, &error) < 0 && error.err != EINVAL)
		fuse_log(FUSE_LOG_ERR, "fuse: %s\n", error.text);
	free(se->mountpoint);
	se->mountpoint = NULL;
}

void
fuse_session_destroy(struct fuse_session *se)
{
	if (!se)
		return;
	ll_destroy_once(se);
	connection_close(se);
	fusek_session_destroy(atomic_load(&se->kernel));
	ll_retrieves_free(se);
	free(se->mountpoint);
	sem_destroy(&se->finish);
	mutex_fini(&se->lock);
	free(se);
}

int
fuse_session_fd(struct fuse_session *se)
{
	return se->fd;
}

void
fuse_session_exit(struct fuse_session *se)
{
	int saved = errno; /* called from signal handlers */

	atomic_store(&se->exited, 1);
	sem_post(&se->finish);
	errno = saved;
}

void
fuse_session_reset(struct fuse_session *se)
{
	atomic_store(&se->exited, 0);
	atomic_store(&se->error, 0);
}

int
fuse_session_exited(struct fuse_session *se)
{
	return atomic_load(&se->exited);
}
