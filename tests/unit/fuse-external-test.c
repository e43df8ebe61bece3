/*
 * Sessions served by their owner's own loop: a message would be lost, a late reply go astray, a
 * request that nobody answers keep the session from ending, or negotiate() not be heard.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "fuse-nullfs.h"

enum { N_LATE = 64 };

struct fixture {
	struct fusek_session *session;
	char path[64];
	int fd;
	pthread_t loop;
	atomic_bool leave;
	_Atomic(struct fusek_req *) held[N_LATE];
	_Atomic unsigned int n_held;
	_Atomic unsigned int n_forgets, n_reads;
	_Atomic uint32_t max_write;
};

static void
op_getattr(void *ctx, struct fusek_req *req)
{
	struct fuse_attr_out out = {
		.attr = {.ino = req->nodeid,
			 .mode = req->nodeid == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644,
			 .nlink = 1,
			 .blksize = 4096}};

	fusek_reply(req, &out, sizeof(out));
}

static void *
answer_late(void *arg)
{
	struct fusek_req *req = arg;
	struct fuse_entry_out out = {
		.nodeid = 2, .attr = {.ino = 2, .mode = S_IFREG | 0644, .nlink = 1, .blksize = 4096}};

	usleep(2000);
	assert_int_equal(req->user[0], 'u');
	fusek_reply(req, &out, sizeof(out));
	return NULL;
}

/* "late": answered by a thread; "never": by nobody; others do not exist. */
static void
op_lookup(void *ctx, struct fusek_req *req)
{
	struct fixture *f = ctx;
	pthread_t thread;

	assert_int_equal(req->user[0], 0);
	req->user[0] = 'u';
	if (strncmp(req->name, "never", 5) == 0) {
		f->held[f->n_held++] = req;
	} else if (strncmp(req->name, "late", 4) == 0) {
		assert_int_equal(pthread_create(&thread, NULL, answer_late, req), 0);
		pthread_detach(thread);
	} else {
		fusek_reply_err(req, ENOENT);
	}
}

static void
op_forget(void *ctx, struct fusek_req *req)
{
	struct fixture *f = ctx;

	f->n_forgets++;
	fusek_reply_none(req);
}

static void
negotiate(void *ctx, struct fusek_negotiation *n)
{
	struct fixture *f = ctx;

	assert_true(n->minor >= FUSE_KERNEL_MINOR_MIN);
	assert_true(n->max_write >= 65536);
	n->max_write = f->max_write;
}

static const struct fusek_ops ops = {
	.op = {[FUSE_GETATTR] = op_getattr,
	       [FUSE_LOOKUP] = op_lookup,
	       [FUSE_FORGET] = op_forget,
	       [FUSE_BATCH_FORGET] = op_forget},
	.negotiate = negotiate,
};

static void *
loop(void *arg)
{
	struct fixture *f = arg;
	size_t size = fusek_session_buffer_size(f->session);
	void *bytes = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
	struct pollfd fds[] = {{.fd = f->fd, .events = POLLIN}};
	ssize_t n = 1;

	while (n != 0 && !f->leave) {
		if (poll(fds, 1, 10) <= 0)
			continue;
		n = fusek_session_receive(f->session, bytes, size);
		if (n > 0)
			fusek_session_process(f->session, bytes, (size_t)n);
	}
	free(bytes);
	return NULL;
}

static ssize_t
count_read(void *ctx, int fd, void *bytes, size_t size)
{
	((struct fixture *)ctx)->n_reads++;
	return read(fd, bytes, size);
}

static ssize_t
plain_writev(void *ctx, int fd, const struct iovec *iov, int n_iov)
{
	return writev(fd, iov, n_iov);
}

static void
start(struct fixture *f, bool custom_io)
{
	struct fusek_config config = {
		.name = "external", .late_replies = true, .want = FUSE_PARALLEL_DIROPS};
	struct fusek_mount_error error;
	struct fusek_mount_options options = {.fsname = "external"};

	nullfs_require_mount();
	*f = (struct fixture){.max_write = 65536};
	strcpy(f->path, "/tmp/fuse-external-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	if (custom_io) {
		config.read = count_read;
		config.writev = plain_writev;
		config.io_ctx = f;
	}
	f->fd = fusek_mount(f->path, &options, false, &error);
	assert_true(f->fd >= 0);
	assert_int_equal(fusek_session_create(f->fd, &config, &ops, f, &f->session), 0);
	assert_int_equal(pthread_create(&f->loop, NULL, loop, f), 0);
}

static void
end(struct fixture *f)
{
	struct fusek_mount_error error;

	assert_int_equal(fusek_unmount(f->path, true, &error), 0);
	if (!f->leave)
		pthread_join(f->loop, NULL);
	fusek_session_destroy(f->session);
	rmdir(f->path);
}

static int
stat_in(struct fixture *f, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return stat(path, &st) < 0 ? -errno : 0;
}

static void
test_answers_at_once_and_late(void **state)
{
	struct fixture f;

	start(&f, false);
	assert_int_equal(stat_in(&f, ""), 0);
	assert_int_equal(stat_in(&f, "none"), -ENOENT);
	for (int i = 0; i < N_LATE; i++) {
		char name[16];
		snprintf(name, sizeof(name), "late%d", i);
		assert_int_equal(stat_in(&f, name), 0);
	}
	struct fusek_info info;
	fusek_session_info(f.session, &info);
	assert_int_equal(info.transport, FUSEK_TRANSPORT_DEV);
	assert_int_equal(info.max_write, 65536);
	end(&f);
}

static void *
stat_never(void *arg)
{
	struct fixture *f = arg;

	return (void *)(intptr_t)stat_in(f, "never");
}

static void
test_unanswered_request_does_not_keep_the_session(void **state)
{
	struct fixture f;
	pthread_t client;
	void *result;

	start(&f, false);
	assert_int_equal(pthread_create(&client, NULL, stat_never, &f), 0);
	while (f.n_held == 0)
		usleep(1000);
	f.leave = true;
	pthread_join(f.loop, NULL);
	fusek_session_stop(f.session, 1000);
	pthread_join(client, &result);
	assert_true((intptr_t)result < 0);
	/* Too late, but allowed until the session is destroyed. */
	fusek_reply_err(f.held[0], EIO);
	end(&f);
}

static void
test_own_io(void **state)
{
	struct fixture f;

	start(&f, true);
	assert_int_equal(stat_in(&f, ""), 0);
	assert_true(f.n_reads >= 2);
	end(&f);
}

/* The same late replies, on threads of the session. */
static void
late_on_threads(const char *transport)
{
	struct fusek_config config = {
		.name = "late", .late_replies = true, .want = FUSE_PARALLEL_DIROPS};
	struct fusek_mount_error error;
	struct fusek_mount_options options = {.fsname = "late"};
	struct fixture f = {.max_write = 1 << 20, .path = "/tmp/fuse-external-XXXXXX"};
	pthread_t client;
	void *result;

	nullfs_require_mount();
	nullfs_require_transport(transport, &config);
	assert_non_null(mkdtemp(f.path));
	int fd = fusek_mount(f.path, &options, false, &error);
	assert_true(fd >= 0);
	assert_int_equal(fusek_session_create(fd, &config, &ops, &f, &f.session), 0);
	assert_int_equal(fusek_session_start(f.session), 0);
	assert_int_equal(stat_in(&f, ""), 0);
	for (int i = 0; i < N_LATE; i++) {
		char name[16];
		snprintf(name, sizeof(name), "late%d", i);
		assert_int_equal(stat_in(&f, name), 0);
	}
	assert_int_equal(pthread_create(&client, NULL, stat_never, &f), 0);
	while (f.n_held == 0)
		usleep(1000);
	assert_int_equal(stat_in(&f, "late again"), 0);
	fusek_session_stop(f.session, UINT32_MAX); /* does not wait for the one that never comes */
	pthread_join(client, &result);
	assert_true((intptr_t)result < 0);
	fusek_session_destroy(f.session);
	assert_int_equal(fusek_unmount(f.path, true, &error), 0);
	rmdir(f.path);
}

static void
test_late_replies_on_threads(void **state)
{
	late_on_threads("dev");
}

static void
test_late_replies_on_rings(void **state)
{
	late_on_threads("uring");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_at_once_and_late),
		cmocka_unit_test(test_unanswered_request_does_not_keep_the_session),
		cmocka_unit_test(test_own_io),
		cmocka_unit_test(test_late_replies_on_threads),
	};
	const struct CMUnitTest rings[] = {cmocka_unit_test(test_late_replies_on_rings)};

	if (argc > 1 && strcmp(argv[1], "uring") == 0)
		return cmocka_run_group_tests(rings, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
