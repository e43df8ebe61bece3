/*
 * A low-level file system of libfuse 3 that passes everything on to a directory. Compiled against the
 * system's headers, so that one binary runs with the system's library and with ours.
 * usage: fuse-ll-pass DIRECTORY MOUNTPOINT one|many|late [-o OPTIONS]
 */
#define FUSE_USE_VERSION 34
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

struct inode {
	struct inode *next;
	int fd; /* O_PATH */
	dev_t dev;
	ino_t ino;
	uint64_t n_lookups;
};

static struct inode root;
static struct inode *inodes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int late;

static struct inode *
inode_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct inode *)(uintptr_t)ino;
}

static int
fd_of(fuse_ino_t ino)
{
	return inode_of(ino)->fd;
}

static const char *
path_of(fuse_ino_t ino, char path[64])
{
	snprintf(path, 64, "/proc/self/fd/%d", fd_of(ino));
	return path;
}

static int
find(fuse_ino_t parent, const char *name, struct fuse_entry_param *e)
{
	struct inode *i;

	memset(e, 0, sizeof(*e));
	int fd = openat(fd_of(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatat(fd, "", &e->attr, AT_EMPTY_PATH) < 0)
		return errno;
	pthread_mutex_lock(&lock);
	for (i = inodes; i; i = i->next)
		if (i->ino == e->attr.st_ino && i->dev == e->attr.st_dev)
			break;
	if (i) {
		close(fd);
	} else {
		i = calloc(1, sizeof(*i));
		*i = (struct inode){inodes, fd, e->attr.st_dev, e->attr.st_ino, 0};
		inodes = i;
	}
	i->n_lookups++;
	pthread_mutex_unlock(&lock);
	e->ino = (uintptr_t)i;
	return 0;
}

static void
forget_one(fuse_ino_t ino, uint64_t n)
{
	struct inode *i = inode_of(ino);

	if (i == &root)
		return;
	pthread_mutex_lock(&lock);
	i->n_lookups -= n;
	if (i->n_lookups == 0) {
		struct inode **at = &inodes;
		while (*at != i)
			at = &(*at)->next;
		*at = i->next;
		close(i->fd);
		free(i);
	}
	pthread_mutex_unlock(&lock);
}

static void
ll_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	forget_one(ino, n);
	fuse_reply_none(req);
}

static void
reply_entry(fuse_req_t req, fuse_ino_t parent, const char *name, int failed)
{
	struct fuse_entry_param e;
	int err = failed ? errno : find(parent, name, &e);

	if (err)
		fuse_reply_err(req, err);
	else if (fuse_reply_entry(req, &e) == -ENOENT)
		forget_one(e.ino, 1);
}

static void
ll_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_entry(req, parent, name, 0);
}

struct late_attr {
	fuse_req_t req;
	struct stat st;
};

static void *
reply_attr_late(void *arg)
{
	struct late_attr *l = arg;

	fuse_reply_attr(l->req, &l->st, 0);
	free(l);
	return NULL;
}

static void
ll_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	pthread_t thread;

	if (fstatat(fd_of(ino), "", &st, AT_EMPTY_PATH) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	struct late_attr *l = late ? malloc(sizeof(*l)) : NULL;
	if (!l) {
		fuse_reply_attr(req, &st, 0);
		return;
	}
	*l = (struct late_attr){req, st};
	pthread_create(&thread, NULL, reply_attr_late, l);
	pthread_detach(thread);
}

static struct timespec
time_of(int to_set, int set, int now, struct timespec t)
{
	if (to_set & now)
		t.tv_nsec = UTIME_NOW;
	else if (!(to_set & set))
		t.tv_nsec = UTIME_OMIT;
	return t;
}

static void
ll_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, struct fuse_file_info *fi)
{
	char path[64];
	int err = 0;

	path_of(ino, path);
	if (to_set & FUSE_SET_ATTR_MODE)
		err |= chmod(path, st->st_mode);
	if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		err |= fchownat(fd_of(ino), "", to_set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1,
				to_set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1,
				AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	if (to_set & FUSE_SET_ATTR_SIZE)
		err |= fi ? ftruncate((int)fi->fh, st->st_size) : truncate(path, st->st_size);
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
		struct timespec tv[2] = {time_of(to_set, FUSE_SET_ATTR_ATIME,
						 FUSE_SET_ATTR_ATIME_NOW, st->st_atim),
					 time_of(to_set, FUSE_SET_ATTR_MTIME,
						 FUSE_SET_ATTR_MTIME_NOW, st->st_mtim)};
		err |= utimensat(fd_of(ino), "", tv, AT_EMPTY_PATH) < 0 &&
		       utimensat(AT_FDCWD, path, tv, 0) < 0;
	}
	if (err)
		fuse_reply_err(req, errno);
	else
		ll_getattr(req, ino, fi);
}

static void
ll_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[4097];
	ssize_t n = readlinkat(fd_of(ino), "", target, sizeof(target) - 1);

	if (n < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	target[n] = 0;
	fuse_reply_readlink(req, target);
}

static void
ll_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	reply_entry(req, parent, name, mkdirat(fd_of(parent), name, mode) < 0);
}

static void
ll_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	reply_entry(req, parent, name, mknodat(fd_of(parent), name, mode, rdev) < 0);
}

static void
ll_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	reply_entry(req, parent, name, symlinkat(target, fd_of(parent), name) < 0);
}

static void
ll_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	char path[64];

	reply_entry(req, parent, name,
		    linkat(AT_FDCWD, path_of(ino, path), fd_of(parent), name, AT_SYMLINK_FOLLOW) < 0);
}

static void
reply_result(fuse_req_t req, int result)
{
	fuse_reply_err(req, result < 0 ? errno : 0);
}

static void
ll_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_result(req, unlinkat(fd_of(parent), name, 0));
}

static void
ll_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_result(req, unlinkat(fd_of(parent), name, AT_REMOVEDIR));
}

static void
ll_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *newname,
	  unsigned flags)
{
	reply_result(req, renameat2(fd_of(parent), name, fd_of(to), newname, flags));
}

static void
ll_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	char path[64];
	int fd = open(path_of(ino, path), fi->flags & ~(O_NOFOLLOW | O_APPEND));

	fi->fh = (uint64_t)fd;
	if (fd < 0)
		fuse_reply_err(req, errno);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		close(fd);
}

static void
ll_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	  struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	int fd = openat(fd_of(parent), name, (fi->flags | O_CREAT) & ~(O_NOFOLLOW | O_APPEND), mode);
	int err = fd < 0 ? errno : find(parent, name, &e);

	fi->fh = (uint64_t)fd;
	if (err)
		fuse_reply_err(req, err);
	else if (fuse_reply_create(req, &e, fi) == -ENOENT)
		close(fd);
}

static void
ll_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	close((int)fi->fh);
	fuse_reply_err(req, 0);
}

static void
ll_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(size);

	buf.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buf.buf[0].fd = (int)fi->fh;
	buf.buf[0].pos = off;
	fuse_reply_data(req, &buf, FUSE_BUF_SPLICE_MOVE);
}

static void
ll_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off,
	     struct fuse_file_info *fi)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));

	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	out.buf[0].fd = (int)fi->fh;
	out.buf[0].pos = off;
	ssize_t n = fuse_buf_copy(&out, in, 0);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

static void
ll_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf = malloc(size);
	size_t used = 0;
	struct dirent *d;
	DIR *dir = fdopendir(openat(fd_of(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (dir && off)
		seekdir(dir, off);
	while (dir && (d = readdir(dir))) {
		struct stat st = {.st_ino = d->d_ino, .st_mode = (mode_t)d->d_type << 12};
		size_t n = fuse_add_direntry(req, buf + used, size - used, d->d_name, &st, d->d_off);
		if (n > size - used)
			break;
		used += n;
	}
	if (dir)
		fuse_reply_buf(req, buf, used);
	else
		fuse_reply_err(req, errno);
	if (dir)
		closedir(dir);
	free(buf);
}

static void
ll_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(root.fd, &st) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

static void
ll_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	reply_result(req, fsync((int)fi->fh));
}

static void
ll_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
	     struct fuse_file_info *fi)
{
	reply_result(req, fallocate((int)fi->fh, mode, off, len));
}

static void
ll_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t at = lseek((int)fi->fh, off, whence);

	if (at < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, at);
}

static void
reply_xattr(fuse_req_t req, const char *value, ssize_t n, size_t size)
{
	if (n < 0)
		fuse_reply_err(req, errno);
	else if (size)
		fuse_reply_buf(req, value, (size_t)n);
	else
		fuse_reply_xattr(req, (size_t)n);
}

static void
ll_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char path[64], value[65536];

	reply_xattr(req, value, getxattr(path_of(ino, path), name, value, size), size);
}

static void
ll_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char path[64], value[65536];

	reply_xattr(req, value, listxattr(path_of(ino, path), value, size), size);
}

static void
ll_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
	    int flags)
{
	char path[64];

	reply_result(req, setxattr(path_of(ino, path), name, value, size, flags));
}

static void
ll_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	char path[64];

	reply_result(req, removexattr(path_of(ino, path), name));
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = ll_lookup,	   .forget = ll_forget,	      .getattr = ll_getattr,
	.setattr = ll_setattr,	   .readlink = ll_readlink,   .mkdir = ll_mkdir,
	.mknod = ll_mknod,	   .symlink = ll_symlink,     .link = ll_link,
	.unlink = ll_unlink,	   .rmdir = ll_rmdir,	      .rename = ll_rename,
	.open = ll_open,	   .create = ll_create,	      .release = ll_release,
	.read = ll_read,	   .write_buf = ll_write_buf, .readdir = ll_readdir,
	.statfs = ll_statfs,	   .fsync = ll_fsync,	      .fallocate = ll_fallocate,
	.lseek = ll_lseek,	   .getxattr = ll_getxattr,   .listxattr = ll_listxattr,
	.setxattr = ll_setxattr,   .removexattr = ll_removexattr,
};

int
main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	char *arguments[] = {argv[0], argc > 5 ? argv[4] : NULL, argc > 5 ? argv[5] : NULL, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(argc > 5 ? 3 : 1, arguments);
	struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 10};

	umask(0);
	late = strcmp(argv[3], "late") == 0;
	root.fd = open(argv[1], O_PATH | O_DIRECTORY);
	struct fuse_session *se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!se || root.fd < 0 || fuse_set_signal_handlers(se) < 0 ||
	    fuse_session_mount(se, argv[2]) < 0)
		return 1;
	int err = strcmp(argv[3], "one") == 0 ? fuse_session_loop(se)
					      : fuse_session_loop_mt(se, &config);
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return err != 0;
}
