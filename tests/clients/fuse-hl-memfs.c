/*
 * A file system in memory for the high-level API of libfuse 3. One program, compiled once, runs on
 * the original library and on ours; what differs between the two mounts is the library. It works
 * by paths alone (no file handles), so that hidden files, tree locks and forgetting are in play.
 */
#define FUSE_USE_VERSION 31
#include <fuse3/fuse.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

struct xattr {
	struct xattr *next;
	size_t size;
	char *value;
	char name[];
};

struct entry;

struct inode {
	struct stat st;
	char *data; /* contents, or the target of a symbolic link */
	size_t cap;
	struct entry *children;
	struct inode *parent; /* of a directory */
	struct xattr *xattrs;
};

struct entry {
	struct entry *next;
	struct inode *inode;
	char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct inode root;
static ino_t last_ino = 1;
static struct {
	int offsets, plus, buffers, hard, readdir_ino, direct;
} options;

static struct inode *
inode_create(mode_t mode)
{
	struct inode *n = calloc(1, sizeof(*n));

	n->st.st_mode = mode;
	n->st.st_nlink = S_ISDIR(mode) ? 2 : 0;
	n->st.st_uid = fuse_get_context()->uid;
	n->st.st_gid = fuse_get_context()->gid;
	n->st.st_ino = ++last_ino;
	clock_gettime(CLOCK_REALTIME, &n->st.st_mtim);
	n->st.st_atim = n->st.st_ctim = n->st.st_mtim;
	return n;
}

static void
inode_free(struct inode *n)
{
	while (n->xattrs) {
		struct xattr *x = n->xattrs;

		n->xattrs = x->next;
		free(x->value);
		free(x);
	}
	free(n->data);
	free(n);
}

static void
changed(struct inode *n, int contents)
{
	clock_gettime(CLOCK_REALTIME, &n->st.st_ctim);
	if (contents)
		n->st.st_mtim = n->st.st_ctim;
}

static struct entry **
child(struct inode *dir, const char *name, size_t len)
{
	struct entry **e = &dir->children;

	while (*e && (strncmp((*e)->name, name, len) || (*e)->name[len]))
		e = &(*e)->next;
	return e;
}

/* 0 with the inode, or the directory and place of its last name. */
static int
walk(const char *path, struct inode **ret_dir, struct entry ***ret_place)
{
	struct inode *n = &root;
	struct entry **e = NULL;

	/* An open file that has no name any more. */
	if (!path)
		return -EBADF;
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (e) {
			if (!*e)
				return -ENOENT;
			n = (*e)->inode;
		}
		if (!S_ISDIR(n->st.st_mode))
			return -ENOTDIR;
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		e = child(n, path, len);
		path += len;
	}
	*ret_dir = n;
	*ret_place = e;
	return 0;
}

static int
find(const char *path, struct inode **ret_inode)
{
	struct entry **e;
	int err = walk(path, ret_inode, &e);

	if (err)
		return err;
	if (e && !*e)
		return -ENOENT;
	if (e)
		*ret_inode = (*e)->inode;
	return 0;
}

static void
attach(struct inode *dir, struct entry **place, const char *path, struct inode *n)
{
	const char *name = strrchr(path, '/') + 1;
	struct entry *e = malloc(sizeof(*e) + strlen(name) + 1);

	strcpy(e->name, name);
	e->inode = n;
	e->next = *place;
	*place = e;
	if (S_ISDIR(n->st.st_mode)) {
		n->parent = dir;
		dir->st.st_nlink++;
	} else {
		n->st.st_nlink++;
	}
	changed(n, 0);
	changed(dir, 1);
}

static void
detach(struct inode *dir, struct entry **place)
{
	struct entry *e = *place;
	struct inode *n = e->inode;

	*place = e->next;
	free(e);
	changed(dir, 1);
	changed(n, 0);
	if (S_ISDIR(n->st.st_mode)) {
		dir->st.st_nlink--;
		inode_free(n);
	} else if (--n->st.st_nlink == 0) {
		inode_free(n);
	}
}

static int
resize(struct inode *n, size_t size)
{
	if (size > n->cap) {
		size_t cap = size + size / 2 + 64;
		char *mem = realloc(n->data, cap);

		if (!mem)
			return -ENOSPC;
		memset(mem + n->cap, 0, cap - n->cap);
		n->data = mem;
		n->cap = cap;
	}
	if (size < (size_t)n->st.st_size)
		memset(n->data + size, 0, (size_t)n->st.st_size - size);
	n->st.st_size = (off_t)size;
	n->st.st_blocks = (blkcnt_t)((size + 511) / 512);
	return 0;
}

#define LOCKED __attribute__((cleanup(unlock))) int locked = pthread_mutex_lock(&lock)

static void
unlock(int *locked)
{
	pthread_mutex_unlock(&lock);
}

static int
make(const char *path, mode_t mode, dev_t rdev, const char *target)
{
	struct inode *dir, *n;
	struct entry **e;
	int err = walk(path, &dir, &e);

	if (err)
		return err;
	if (!e || *e)
		return -EEXIST;
	n = inode_create(mode);
	n->st.st_rdev = rdev;
	if (target) {
		n->data = strdup(target);
		n->st.st_size = (off_t)strlen(target);
	}
	attach(dir, e, path, n);
	return 0;
}

static int
m_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (!err)
		*st = n->st;
	return err;
}

static int
m_readlink(const char *path, char *buf, size_t size)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (err)
		return err;
	if (!S_ISLNK(n->st.st_mode))
		return -EINVAL;
	snprintf(buf, size, "%s", n->data);
	return 0;
}

static int
m_mknod(const char *path, mode_t mode, dev_t rdev)
{
	LOCKED;
	return make(path, mode, rdev, NULL);
}

static int
m_mkdir(const char *path, mode_t mode)
{
	LOCKED;
	return make(path, mode | S_IFDIR, 0, NULL);
}

static int
m_symlink(const char *target, const char *path)
{
	LOCKED;
	return make(path, S_IFLNK | 0777, 0, target);
}

static int
m_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	LOCKED;
	return make(path, mode | S_IFREG, 0, NULL);
}

static int
remove_entry(const char *path, int want_dir)
{
	struct inode *dir;
	struct entry **e;
	int err = walk(path, &dir, &e);

	if (err)
		return err;
	if (!e || !*e)
		return e ? -ENOENT : -EBUSY;
	if (want_dir && !S_ISDIR((*e)->inode->st.st_mode))
		return -ENOTDIR;
	if (!want_dir && S_ISDIR((*e)->inode->st.st_mode))
		return -EISDIR;
	if (want_dir && (*e)->inode->children)
		return -ENOTEMPTY;
	detach(dir, e);
	return 0;
}

static int
m_unlink(const char *path)
{
	LOCKED;
	return remove_entry(path, 0);
}

static int
m_rmdir(const char *path)
{
	LOCKED;
	return remove_entry(path, 1);
}

static int
m_rename(const char *from, const char *to, unsigned int flags)
{
	LOCKED;
	struct inode *a_dir, *b_dir, *n;
	struct entry **a, **b;
	int err = walk(from, &a_dir, &a);

	if (!err)
		err = walk(to, &b_dir, &b);
	if (err)
		return err;
	if (!a || !*a || !b)
		return -ENOENT;
	n = (*a)->inode;
	if (flags & RENAME_EXCHANGE) {
		if (!*b)
			return -ENOENT;
		(*a)->inode = (*b)->inode;
		(*b)->inode = n;
		changed(n, 0);
		changed((*a)->inode, 0);
		changed(a_dir, 1);
		changed(b_dir, 1);
		return 0;
	}
	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	if (*b && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (*b && (*b)->inode == n)
		return 0;
	if (*b) {
		err = remove_entry(to, S_ISDIR(n->st.st_mode));
		if (err)
			return err;
		walk(from, &a_dir, &a);
		walk(to, &b_dir, &b);
	}
	attach(b_dir, b, to, n);
	walk(from, &a_dir, &a);
	if (S_ISDIR(n->st.st_mode))
		a_dir->st.st_nlink--;
	else
		n->st.st_nlink--;
	struct entry *gone = *a;

	*a = gone->next;
	free(gone);
	changed(a_dir, 1);
	return 0;
}

static int
m_link(const char *from, const char *to)
{
	LOCKED;
	struct inode *n, *dir;
	struct entry **e;
	int err = find(from, &n);

	if (!err)
		err = walk(to, &dir, &e);
	if (err)
		return err;
	if (S_ISDIR(n->st.st_mode))
		return -EPERM;
	if (!e || *e)
		return -EEXIST;
	attach(dir, e, to, n);
	return 0;
}

static int
m_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (!err) {
		n->st.st_mode = (n->st.st_mode & S_IFMT) | (mode & 07777);
		changed(n, 0);
	}
	return err;
}

static int
m_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (err)
		return err;
	if (uid != (uid_t)-1)
		n->st.st_uid = uid;
	if (gid != (gid_t)-1)
		n->st.st_gid = gid;
	if (S_ISREG(n->st.st_mode))
		n->st.st_mode &= ~(mode_t)(S_ISUID | (n->st.st_mode & S_IXGRP ? S_ISGID : 0));
	changed(n, 0);
	return 0;
}

static int
m_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (!err)
		err = size > (1 << 30) ? -EFBIG : resize(n, (size_t)size);
	if (!err)
		changed(n, 1);
	return err;
}

static int
m_utimens(const char *path, const struct timespec tv[2], struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (err)
		return err;
	changed(n, 0);
	if (tv[0].tv_nsec != UTIME_OMIT)
		n->st.st_atim = tv[0].tv_nsec == UTIME_NOW ? n->st.st_ctim : tv[0];
	if (tv[1].tv_nsec != UTIME_OMIT)
		n->st.st_mtim = tv[1].tv_nsec == UTIME_NOW ? n->st.st_ctim : tv[1];
	return 0;
}

static int
m_open(const char *path, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (!err && (fi->flags & O_TRUNC)) {
		resize(n, 0);
		changed(n, 1);
	}
	return err;
}

static int
m_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (err)
		return err;
	if (off >= n->st.st_size)
		return 0;
	if (size > (size_t)(n->st.st_size - off))
		size = (size_t)(n->st.st_size - off);
	memcpy(buf, n->data + off, size);
	return (int)size;
}

static int
m_write(const char *path, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (err)
		return err;
	if (off + (off_t)size > (1 << 30))
		return -EFBIG;
	if (off + (off_t)size > n->st.st_size)
		err = resize(n, (size_t)off + size);
	if (err)
		return err;
	memcpy(n->data + off, buf, size);
	changed(n, 1);
	return (int)size;
}

static int
m_read_buf(const char *path, struct fuse_bufvec **ret, size_t size, off_t off,
	   struct fuse_file_info *fi)
{
	struct fuse_bufvec *vec = malloc(sizeof(*vec));
	int res;

	*vec = FUSE_BUFVEC_INIT(size);
	vec->buf[0].mem = malloc(size);
	res = m_read(path, vec->buf[0].mem, size, off, fi);
	if (res < 0) {
		free(vec->buf[0].mem);
		free(vec);
		return res;
	}
	vec->buf[0].size = (size_t)res;
	*ret = vec;
	return 0;
}

static int
m_write_buf(const char *path, struct fuse_bufvec *buf, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec flat = FUSE_BUFVEC_INIT(fuse_buf_size(buf));
	ssize_t res;

	flat.buf[0].mem = malloc(flat.buf[0].size + 1);
	res = fuse_buf_copy(&flat, buf, 0);
	if (res >= 0)
		res = m_write(path, flat.buf[0].mem, (size_t)res, off, fi);
	free(flat.buf[0].mem);
	return (int)res;
}

static int
m_statfs(const char *path, struct statvfs *st)
{
	st->f_bsize = st->f_frsize = 4096;
	st->f_blocks = st->f_bfree = st->f_bavail = 1 << 20;
	st->f_files = st->f_ffree = 1 << 20;
	st->f_namemax = NAME_MAX;
	return 0;
}

/* The entry at *pos, unless it comes before off. */
static int
list_one(void *buf, fuse_fill_dir_t fill, const char *name, const struct stat *st, off_t *pos,
	 off_t off, enum fuse_fill_dir_flags flags)
{
	++*pos;
	if (!options.offsets)
		return fill(buf, name, st, 0, flags);
	return *pos > off ? fill(buf, name, st, *pos, flags) : 0;
}

static int
m_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
	  struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	LOCKED;
	enum fuse_fill_dir_flags plus = options.plus ? FUSE_FILL_DIR_PLUS : 0;
	struct inode *n;
	off_t pos = 0;
	int err = find(path, &n);

	if (err)
		return err;
	if (list_one(buf, fill, ".", NULL, &pos, off, 0) ||
	    list_one(buf, fill, "..", NULL, &pos, off, 0))
		return 0;
	for (struct entry *e = n->children; e; e = e->next)
		if (list_one(buf, fill, e->name, &e->inode->st, &pos, off, plus))
			return 0;
	return 0;
}

static struct xattr **
xattr_of(struct inode *n, const char *name)
{
	struct xattr **x = &n->xattrs;

	while (*x && strcmp((*x)->name, name))
		x = &(*x)->next;
	return x;
}

static int
m_setxattr(const char *path, const char *name, const char *value, size_t size, int flags)
{
	LOCKED;
	struct inode *n;
	struct xattr **x;
	int err = find(path, &n);

	if (err)
		return err;
	x = xattr_of(n, name);
	if (*x && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!*x && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (!*x) {
		*x = calloc(1, sizeof(**x) + strlen(name) + 1);
		strcpy((*x)->name, name);
	}
	(*x)->value = realloc((*x)->value, size + 1);
	memcpy((*x)->value, value, size);
	(*x)->size = size;
	changed(n, 0);
	return 0;
}

static int
m_getxattr(const char *path, const char *name, char *value, size_t size)
{
	LOCKED;
	struct inode *n;
	struct xattr *x;
	int err = find(path, &n);

	if (err)
		return err;
	x = *xattr_of(n, name);
	if (!x)
		return -ENODATA;
	if (size && size < x->size)
		return -ERANGE;
	if (size)
		memcpy(value, x->value, x->size);
	return (int)x->size;
}

static int
m_listxattr(const char *path, char *list, size_t size)
{
	LOCKED;
	struct inode *n;
	size_t len = 0;
	int err = find(path, &n);

	if (err)
		return err;
	for (struct xattr *x = n->xattrs; x; x = x->next) {
		size_t part = strlen(x->name) + 1;

		if (size && len + part > size)
			return -ERANGE;
		if (size)
			memcpy(list + len, x->name, part);
		len += part;
	}
	return (int)len;
}

static int
m_removexattr(const char *path, const char *name)
{
	LOCKED;
	struct inode *n;
	struct xattr **x, *gone;
	int err = find(path, &n);

	if (err)
		return err;
	x = xattr_of(n, name);
	gone = *x;
	if (!gone)
		return -ENODATA;
	*x = gone->next;
	free(gone->value);
	free(gone);
	changed(n, 0);
	return 0;
}

static int
m_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	return 0;
}

static int
m_fallocate(const char *path, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	LOCKED;
	struct inode *n;
	int err = find(path, &n);

	if (err || mode)
		return err ? err : -EOPNOTSUPP;
	if (off + len > (1 << 30))
		return -EFBIG;
	return off + len > n->st.st_size ? resize(n, (size_t)(off + len)) : 0;
}

static void *
m_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	cfg->use_ino = !options.readdir_ino;
	cfg->readdir_ino = options.readdir_ino;
	cfg->hard_remove = options.hard;
	cfg->direct_io = options.direct;
	cfg->entry_timeout = cfg->attr_timeout = cfg->negative_timeout = 0;
	return NULL;
}

static struct fuse_operations operations = {
	.getattr = m_getattr, .readlink = m_readlink, .mknod = m_mknod, .mkdir = m_mkdir,
	.symlink = m_symlink, .create = m_create, .unlink = m_unlink, .rmdir = m_rmdir,
	.rename = m_rename, .link = m_link, .chmod = m_chmod, .chown = m_chown,
	.truncate = m_truncate, .utimens = m_utimens, .open = m_open, .read = m_read,
	.write = m_write, .statfs = m_statfs, .readdir = m_readdir, .setxattr = m_setxattr,
	.getxattr = m_getxattr, .listxattr = m_listxattr, .removexattr = m_removexattr,
	.fsync = m_fsync, .fallocate = m_fallocate, .init = m_init,
};

int
main(int argc, char *argv[])
{
	static const struct fuse_opt opts[] = {
		{"offsets", offsetof(__typeof__(options), offsets), 1},
		{"plus", offsetof(__typeof__(options), plus), 1},
		{"buffers", offsetof(__typeof__(options), buffers), 1},
		{"direct", offsetof(__typeof__(options), direct), 1},
		{"hard", offsetof(__typeof__(options), hard), 1},
		{"known_ino", offsetof(__typeof__(options), readdir_ino), 1},
		FUSE_OPT_END,
	};
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);

	if (fuse_opt_parse(&args, &options, opts, NULL) < 0)
		return 1;
	if (options.buffers) {
		operations.read_buf = m_read_buf;
		operations.write_buf = m_write_buf;
	}
	root.st.st_mode = S_IFDIR | 0755;
	root.st.st_nlink = 2;
	root.st.st_ino = 1;
	root.st.st_uid = getuid();
	root.st.st_gid = getgid();
	clock_gettime(CLOCK_REALTIME, &root.st.st_mtim);
	root.st.st_atim = root.st.st_ctim = root.st.st_mtim;
	return fuse_main(args.argc, args.argv, &operations, NULL);
}
