#include "path-ops.h"

#include <stdio.h>

static int
close_if_open(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int
act_chmod(const char *path)
{
	return chmod(path, 0644);
}

static int
act_chown(const char *path)
{
	return chown(path, geteuid(), getegid());
}

static int
act_lchown(const char *path)
{
	return lchown(path, geteuid(), getegid());
}

static int
act_link_old(const char *path)
{
	return link(path, "destination");
}

static int
act_link_new(const char *path)
{
	return link("source", path);
}

static int
act_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

static int
act_mkfifo(const char *path)
{
	return mkfifo(path, 0644);
}

static int
act_mknod_file(const char *path)
{
	return mknod(path, S_IFREG | 0644, 0);
}

static int
act_mknod_fifo(const char *path)
{
	return mknod(path, S_IFIFO | 0644, 0);
}

static int
act_open_read(const char *path)
{
	return close_if_open(open(path, O_RDONLY | O_CLOEXEC));
}

static int
act_open_write(const char *path)
{
	return close_if_open(open(path, O_WRONLY | O_CLOEXEC));
}

static int
act_open_create(const char *path)
{
	return close_if_open(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static int
act_open_excl(const char *path)
{
	return close_if_open(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

static int
act_rename_old(const char *path)
{
	return rename(path, "destination");
}

static int
act_rename_new(const char *path)
{
	return rename("source", path);
}

static int
act_symlink(const char *path)
{
	return symlink("target", path);
}

static int
act_truncate(const char *path)
{
	return truncate(path, 0);
}

static int
act_utimensat(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static int
act_utimensat_link(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

const struct path_op path_ops[] = {
	{"chmod", "", OP_FOLLOWS, act_chmod},
	{"chown", "", OP_FOLLOWS, act_chown},
	{"chown", "lchown", 0, act_lchown},
	{"link", "old", 0, act_link_old},
	{"link", "new", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE,
	 act_link_new},
	{"mkdir", "", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE, act_mkdir},
	{"mkfifo", "", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE, act_mkfifo},
	{"mknod", "file", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE,
	 act_mknod_file},
	{"mknod", "fifo", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE,
	 act_mknod_fifo},
	{"open", "read", OP_FOLLOWS | OP_READS, act_open_read},
	{"open", "write", OP_FOLLOWS, act_open_write},
	{"open", "create", OP_CREATES | OP_FOLLOWS | OP_CHANGES_DIR | OP_SPACE,
	 act_open_create},
	{"open", "excl", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE,
	 act_open_excl},
	{"rename", "old", OP_CHANGES_DIR, act_rename_old},
	{"rename", "new", OP_CREATES | OP_CHANGES_DIR | OP_SPACE, act_rename_new},
	{"rmdir", "", OP_DIRECTORY | OP_CHANGES_DIR, rmdir},
	{"symlink", "", OP_CREATES | OP_EXCLUSIVE | OP_CHANGES_DIR | OP_SPACE,
	 act_symlink},
	{"truncate", "", OP_FOLLOWS, act_truncate},
	{"unlink", "", OP_CHANGES_DIR, unlink},
	{"utimensat", "", OP_FOLLOWS, act_utimensat},
	{"utimensat", "nofollow", 0, act_utimensat_link},
};
const size_t n_path_ops = COUNT(path_ops);

void
path_op_prepare(const struct path_op *op, const char *path)
{
	if ((op->flags & OP_CREATES) != 0)
		return;
	if ((op->flags & OP_DIRECTORY) != 0)
		make_dir(path, 0755);
	else
		make_file(path, 0644);
}

void
path_op_source(void)
{
	make_file("source", 0644);
}

static void
situation_add(const struct path_situation *s, const struct path_op *op)
{
	const struct posix_case c = {
		.call = op->call,
		.error = s->error,
		.name = s->name,
		.needs = s->needs,
		.text = s->text,
		.run_arg = s->run,
		.arg = op,
	};

	posix_case_add_named(&c, op->label);
}

void
path_situations_add(const struct path_situation *situations, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_path_ops; k++)
			if ((path_ops[k].flags & situations[i].with) ==
				    situations[i].with &&
			    (path_ops[k].flags & situations[i].without) == 0)
				situation_add(&situations[i], &path_ops[k]);
}
