/* Errors and limits that every call with a path shares (path_resolution(7)). */
#include <limits.h>
#include <stdio.h>

#include "groups.h"
#include "path-ops.h"

static void
expect_error(const struct path_op *op, int error, const char *path)
{
	path_op_source();
	errno = 0;
	int result = op->act(path);
	check_fails(result, errno, error, op->call, __FILE__, __LINE__);
}

static void
expect_success(const struct path_op *op, const char *path)
{
	if (op->act(path) != 0)
		FAIL("%s %s: %s, expected success", op->call, op->label,
		     error_name(errno));
}

static void
missing_component(const void *op)
{
	expect_error(op, ENOENT, "missing/x");
}

static void
dangling_component(const void *op)
{
	make_link("nowhere", "dangling");
	expect_error(op, ENOENT, "dangling/x");
}

static void
missing(const void *op)
{
	expect_error(op, ENOENT, "missing");
}

static void
dangling(const void *op)
{
	make_link("nowhere", "dangling");
	expect_error(op, ENOENT, "dangling");
}

static void
empty_path(const void *op)
{
	expect_error(op, ENOENT, "");
}

static void
file_component(const void *op)
{
	make_file("file", 0755);
	expect_error(op, ENOTDIR, "file/x");
}

static void
link_to_file_component(const void *op)
{
	make_file("file", 0755);
	make_link("file", "link");
	expect_error(op, ENOTDIR, "link/x");
}

static void
trailing_slash(const void *op)
{
	make_file("file", 0755);
	expect_error(op, ENOTDIR, "file/");
}

static void
make_loop(void)
{
	make_link("loop-b", "loop-a");
	make_link("loop-a", "loop-b");
}

static void
loop_component(const void *op)
{
	make_loop();
	expect_error(op, ELOOP, "loop-a/x");
}

static void
loop(const void *op)
{
	make_loop();
	expect_error(op, ELOOP, "loop-a");
}

/* A chain of n links, the last of which is named ret_name and leads to the directory
 * "end". */
static void
make_chain(unsigned int n, char *ret_name)
{
	char target[16] = "end";

	make_dir("end", 0755);
	for (unsigned int i = 1; i <= n; i++) {
		snprintf(ret_name, 16, "chain-%u", i);
		make_link(target, ret_name);
		snprintf(target, sizeof(target), "%s", ret_name);
	}
}

static void
chain_too_long(const void *op)
{
	char name[16], path[32];

	make_chain(41, name);
	snprintf(path, sizeof(path), "%s/x", name);
	expect_error(op, ELOOP, path);
}

static void
chain_longest(const void *arg)
{
	const struct path_op *op = arg;
	char name[16], path[32];

	make_chain(40, name);
	path_op_source();
	path_op_prepare(op, "end/x");
	snprintf(path, sizeof(path), "%s/x", name);
	/* Linux goes on counting links when it has to begin the walk again, because a name's time
	 * in the cache ran out on the way: a second walk finds all names fresh. */
	if (op->act(path) == 0)
		return;
	if (errno != ELOOP)
		FAIL("%s %s: %s, expected success", op->call, op->label, error_name(errno));
	expect_success(op, path);
}

static void
long_name(const void *op)
{
	expect_error(op, ENAMETOOLONG, name_of_length(NAME_MAX + 1));
}

static void
long_component(const void *op)
{
	char path[NAME_MAX + 8];

	snprintf(path, sizeof(path), "%s/x", name_of_length(NAME_MAX + 1));
	expect_error(op, ENAMETOOLONG, path);
}

static void
long_path(const void *op)
{
	expect_error(op, ENAMETOOLONG, path_of_length(PATH_MAX, "x"));
}

static void
longest_name(const void *arg)
{
	const struct path_op *op = arg;
	const char *name = name_of_length(NAME_MAX);

	path_op_source();
	path_op_prepare(op, name);
	expect_success(op, name);
}

static void
longest_path(const void *arg)
{
	const struct path_op *op = arg;

	path_op_source();
	path_op_prepare(op, "x");
	expect_success(op, path_of_length(PATH_MAX - 1, "x"));
}

static void
no_search(const void *arg)
{
	const struct path_op *op = arg;

	make_dir("closed", 0700);
	path_op_prepare(op, "closed/x");
	OK(chmod("closed", 0600));
	expect_error(op, EACCES, "closed/x");
}

static void
no_search_inner(const void *arg)
{
	const struct path_op *op = arg;

	make_dir("closed", 0700);
	make_dir("closed/inner", 0777);
	path_op_prepare(op, "closed/inner/x");
	OK(chmod("closed", 0600));
	expect_error(op, EACCES, "closed/inner/x");
}

static void
root_searches(const void *arg)
{
	const struct path_op *op = arg;

	make_dir("closed", 0700);
	path_op_source();
	path_op_prepare(op, "closed/x");
	give("closed", uid_a(), gid_a());
	OK(chmod("closed", 0));
	expect_success(op, "closed/x");
}

static void
no_write(const void *arg)
{
	const struct path_op *op = arg;

	make_dir("fixed", 0700);
	path_op_prepare(op, "fixed/x");
	OK(chmod("fixed", 0555));
	expect_error(op, EACCES, "fixed/x");
}

static void
no_write_supp(const void *arg)
{
	const struct path_op *op = arg;

	/* Group G may search only, although everybody else may write: the group's bits
	 * rule. */
	make_dir("fixed", 0757);
	give("fixed", uid_b(), gid_g());
	path_op_prepare(op, "fixed/x");
	OK(chmod(".", 0777));
	become(ID_A_SUPP);
	expect_error(op, EACCES, "fixed/x");
}

static void
supp_writes(const void *arg)
{
	const struct path_op *op = arg;

	make_dir("shared", 0770);
	give("shared", uid_b(), gid_g());
	become(ID_A_SUPP);
	path_op_source();
	path_op_prepare(op, "shared/x");
	expect_success(op, "shared/x");
}

static void
exists_as(const void *op, void (*make)(void))
{
	make();
	expect_error(op, EEXIST, "there");
}

static void
make_there_file(void)
{
	make_file("there", 0644);
}

static void
make_there_dir(void)
{
	make_dir("there", 0755);
}

static void
make_there_dangling(void)
{
	make_link("nowhere", "there");
}

static void
make_there_fifo(void)
{
	make_fifo("there", 0644);
}

static void
exists_file(const void *op)
{
	exists_as(op, make_there_file);
}

static void
exists_dir(const void *op)
{
	exists_as(op, make_there_dir);
}

static void
exists_dangling(const void *op)
{
	exists_as(op, make_there_dangling);
}

static void
exists_fifo(const void *op)
{
	exists_as(op, make_there_fifo);
}

static const struct path_situation situations[] = {
	{ENOENT, "missing-component", AS_BOTH, 0, 0,
	 "A directory of the path does not exist.", missing_component},
	{ENOENT, "dangling-component", AS_BOTH, 0, 0,
	 "A directory of the path is a link that leads nowhere.", dangling_component},
	{ENOENT, "missing", AS_BOTH, 0, OP_CREATES, "The named file does not exist.",
	 missing},
	{ENOENT, "dangling", AS_BOTH, OP_FOLLOWS, OP_CREATES,
	 "The named link leads nowhere.", dangling},
	{ENOENT, "empty-path", AS_INVOKER, 0, 0, "The path is empty.", empty_path},
	{ENOTDIR, "file-component", AS_BOTH, 0, 0,
	 "A directory of the path is a regular file.", file_component},
	{ENOTDIR, "link-to-file-component", AS_INVOKER, 0, 0,
	 "A directory of the path is a link to a regular file.", link_to_file_component},
	{ENOTDIR, "trailing-slash", AS_INVOKER, 0, OP_CREATES | OP_DIRECTORY,
	 "A slash follows the name of a regular file.", trailing_slash},
	{ELOOP, "loop-component", AS_BOTH, 0, 0, "Links in the path lead to each other.",
	 loop_component},
	{ELOOP, "loop", AS_BOTH, OP_FOLLOWS, 0, "The named link leads back to itself.",
	 loop},
	{ELOOP, "chain-of-41", AS_INVOKER, 0, 0, "The path passes 41 links.",
	 chain_too_long},
	{0, "chain-of-40", AS_INVOKER, 0, 0, "40 links in a path are followed.",
	 chain_longest},
	{ENAMETOOLONG, "name-256", AS_BOTH, 0, 0, "The name has 256 bytes.", long_name},
	{ENAMETOOLONG, "component-256", AS_INVOKER, 0, 0,
	 "A directory's name has 256 bytes.", long_component},
	{ENAMETOOLONG, "path-4096", AS_INVOKER, 0, 0, "The path has 4096 bytes.",
	 long_path},
	{0, "name-255", AS_BOTH, 0, 0, "A name of 255 bytes is accepted.", longest_name},
	{0, "path-4095", AS_INVOKER, 0, 0, "A path of 4095 bytes is accepted.",
	 longest_path},
	{EACCES, "no-search", AS_USER, 0, 0, "The containing directory grants no search.",
	 no_search},
	{EACCES, "no-search-above", AS_USER, 0, 0,
	 "A directory further up the path grants no search.", no_search_inner},
	{0, "root-searches", AS_ROOT, 0, 0,
	 "Root passes a directory of another user that grants nothing.", root_searches},
	{EACCES, "no-write", AS_USER, OP_CHANGES_DIR, 0,
	 "The containing directory grants no write.", no_write},
	{EACCES, "no-write-supp", AS_ROOT, OP_CHANGES_DIR, 0,
	 "A supplementary group's bits deny what others would get.", no_write_supp},
	{0, "supp-writes", AS_ROOT, OP_CHANGES_DIR, 0,
	 "A supplementary group's bits grant write to the directory.", supp_writes},
	{EEXIST, "exists-file", AS_BOTH, OP_EXCLUSIVE, 0, "The name is that of a file.",
	 exists_file},
	{EEXIST, "exists-directory", AS_INVOKER, OP_EXCLUSIVE, 0,
	 "The name is that of a directory.", exists_dir},
	{EEXIST, "exists-dangling", AS_BOTH, OP_EXCLUSIVE, 0,
	 "The name is that of a link that leads nowhere.", exists_dangling},
	{EEXIST, "exists-fifo", AS_INVOKER, OP_EXCLUSIVE, 0,
	 "The name is that of a fifo.", exists_fifo},
};

void
posix_add_path(void)
{
	path_situations_add(situations, COUNT(situations));
}
