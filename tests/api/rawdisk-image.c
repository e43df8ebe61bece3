/* Breaks when rawdisk takes the wrong image for a disk, forgets whose disk it is, or harms a file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "examples/rawdisk/rawdisk.h"

static char folder[] = "/tmp/userdrive-image.XXXXXX";
static char image[64], sidecar[96];
static struct rd_params p;
static char error[512];

static int
set_up(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/userdrive-image.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(image, sizeof(image), "%s/image", folder);
	snprintf(sidecar, sizeof(sidecar), "%s.userdrive", image);
	p = (struct rd_params){.image = image, .ops = &storage_system,
			       .partition = RD_PARTITION_NONE};
	return 0;
}

static int
tear_down(void **state)
{
	unlink(image);
	unlink(sidecar);
	return rmdir(folder);
}

static int
open_disk(struct rd *rd)
{
	*rd = (struct rd){.may_unmap = true};
	error[0] = '\0';
	return rd_image_open(rd, &p, error, sizeof(error));
}

/* Opens and closes; gives its identity. */
static int
visit(struct rd *rd)
{
	int err = open_disk(rd);

	if (err == 0)
		rd_image_close(rd, false);
	return err;
}

static void
refuse(int err, const char *says)
{
	struct rd rd;

	assert_int_equal(visit(&rd), -err);
	if (!strstr(error, says))
		print_error("'%s' does not say '%s'\n", error, says);
	assert_non_null(strstr(error, says));
}

static void
make_file(size_t size)
{
	int fd = open(image, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static off_t
file_size(void)
{
	struct stat st;

	return stat(image, &st) < 0 ? -1 : st.st_size;
}

static void
read_image(void *dst, size_t n, off_t offset)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, dst, n, offset), n);
	close(fd);
}

/* ---------------------------------------------------------------- sizes */

static void
a_missing_image_is_not_made_by_accident(void **state)
{
	refuse(ENOENT, "--size");
	assert_int_equal(file_size(), -1);
	p.size = 1 << 20;
	p.write_protected = true;
	refuse(EROFS, "cannot be made");
	assert_int_equal(file_size(), -1);
}

static void
a_new_image_is_sparse_and_private(void **state)
{
	struct rd rd;
	struct stat st;

	p.size = 1 << 30;
	assert_int_equal(visit(&rd), 0);
	assert_int_equal(rd.n_blocks, (1 << 30) / 512);
	assert_int_equal(stat(image, &st), 0);
	assert_int_equal(st.st_size, 1 << 30);
	assert_true(st.st_blocks < 1024);
	assert_int_equal(st.st_mode & 0777, 0600 & st.st_mode);
}

static void
winspd_form_has_a_default_size(void **state)
{
	struct rd rd;

	p.default_size = true;
	assert_int_equal(visit(&rd), 0);
	assert_int_equal(rd.n_blocks, 1048576);
	assert_int_equal(file_size(), 1048576 * 512);
}

static void
an_image_has_the_size_of_its_file(void **state)
{
	struct rd rd;

	make_file(3 << 20);
	assert_int_equal(visit(&rd), 0);
	assert_int_equal(rd.n_blocks, (3 << 20) / 512);
	p.block_length = 4096;
	assert_int_equal(visit(&rd), 0);
	assert_int_equal(rd.n_blocks, (3 << 20) / 4096);
	p.n_blocks = (3 << 20) / 4096;
	assert_int_equal(visit(&rd), 0);
	p.n_blocks++;
	refuse(EINVAL, "3145728 bytes");
	p.n_blocks = 0;
	p.size = 4 << 20;
	refuse(EINVAL, "userdrive resize");
	assert_int_equal(file_size(), 3 << 20);
}

static void
odd_sizes_are_refused(void **state)
{
	make_file(1000);
	refuse(EINVAL, "not a multiple");
	assert_int_equal(file_size(), 1000);
	unlink(image);
	p.size = 1000;
	refuse(EINVAL, "not a multiple");
	assert_int_equal(file_size(), -1);
	p.size = 0;
	p.n_blocks = INT64_MAX / 16;
	p.block_length = 4096;
	refuse(EFBIG, "more than a file");
	p.n_blocks = 3;
	p.size = 4096;
	refuse(EINVAL, "contradict");
	assert_int_equal(file_size(), -1);
	p = (struct rd_params){.image = image, .ops = &storage_system};
	make_file(0);
	refuse(EINVAL, "empty");
	assert_int_equal(file_size(), 0);
}

static void
only_files_and_devices(void **state)
{
	p.image = folder;
	refuse(EISDIR, "cannot be opened");
	p.image = "/dev/null";
	refuse(EINVAL, "neither a file nor a block device");
	p.image = image;
	assert_int_equal(mkfifo(image, 0600), 0);
	refuse(EINVAL, "neither a file nor a block device");
}

static void
sizes_change(void **state)
{
	struct rd rd;

	p.size = 1 << 20;
	assert_int_equal(open_disk(&rd), 0);
	assert_int_equal(rd_image_resize(&rd, 4096), 0);
	assert_int_equal(file_size(), 4096 * 512);
	assert_int_equal(rd.n_blocks, 4096);
	assert_int_equal(rd_image_resize(&rd, 1024), 0);
	assert_int_equal(file_size(), 1024 * 512);
	assert_int_equal(rd_image_resize(&rd, 0), -EFBIG);
	assert_int_equal(rd_image_resize(&rd, UINT64_MAX / 2), -EFBIG);
	assert_int_equal(file_size(), 1024 * 512);
	rd_image_close(&rd, false);
	p.size = 0;
	p.write_protected = true;
	assert_int_equal(open_disk(&rd), 0);
	assert_int_equal(rd_image_resize(&rd, 4096), -EROFS);
	rd_image_close(&rd, false);
}

/* ---------------------------------------------------------------- identity */

static int
no_setxattr(int fd, const char *name, const void *value, size_t n)
{
	return -EOPNOTSUPP;
}

static ssize_t
no_getxattr(int fd, const char *name, void *value, size_t cap)
{
	return -EOPNOTSUPP;
}

static void
check_identity_is_kept(void)
{
	struct rd first, again;

	p.size = 1 << 20;
	p.block_length = 4096;
	assert_int_equal(visit(&first), 0);
	p.size = 0;
	p.block_length = 0;
	assert_int_equal(visit(&again), 0);
	assert_memory_equal(first.identity.guid, again.identity.guid, 16);
	/* Blocks of another length would be another disk. */
	assert_int_equal(again.block_length, 4096);
	assert_int_equal(again.n_blocks, (1 << 20) / 4096);
	p.guid = "01234567-89AB-cdef-0123-456789abcdef";
	assert_int_equal(visit(&again), 0);
	p.guid = NULL;
	assert_int_equal(visit(&again), 0);
	assert_int_equal(again.identity.guid[0], 0x01);
	assert_int_equal(again.identity.guid[15], 0xEF);
	p.guid = "new";
	assert_int_equal(visit(&again), 0);
	assert_int_not_equal(again.identity.guid[15], 0xEF);
	p.write_protected = true;
	p.guid = NULL;
	assert_int_equal(visit(&first), 0);
	assert_memory_equal(first.identity.guid, again.identity.guid, 16);
}

static void
identity_is_kept(void **state)
{
	check_identity_is_kept();
}

static void
identity_is_kept_without_attributes(void **state)
{
	struct storage_ops ops = storage_system;
	char text[128] = "";

	ops.setxattr = no_setxattr;
	ops.getxattr = no_getxattr;
	p.ops = &ops;
	check_identity_is_kept();
	FILE *f = fopen(sidecar, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(strncmp(text, "guid=", 5), 0);
}

static void
what_cannot_keep_it_is_the_same_all_the_same(void **state)
{
	struct storage_ops ops = storage_system;
	struct rd first, again;

	ops.setxattr = no_setxattr;
	ops.getxattr = no_getxattr;
	p.ops = &ops;
	make_file(1 << 20);
	p.write_protected = true;
	assert_int_equal(visit(&first), 0);
	assert_int_equal(visit(&again), 0);
	assert_memory_equal(first.identity.guid, again.identity.guid, 16);
	assert_int_not_equal(access(sidecar, F_OK), 0);
}

static void
a_damaged_identity_is_told(void **state)
{
	struct storage_ops ops = storage_system;
	static const char *const bad[] = {"", "guid=\n", "guid=01234567-89ab-cdef-0123-456789abcde\n",
					  "block_length=512\n",
					  "guid=01234567-89ab-cdef-0123-456789abcdef\nblock_length=0\n",
					  "guid=01234567-89ab-cdef-0123-456789abcdef\nblock_length=-1\n",
					  "guid=00000000-0000-0000-0000-000000000000\n"};

	ops.setxattr = no_setxattr;
	ops.getxattr = no_getxattr;
	p.ops = &ops;
	make_file(1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		FILE *f = fopen(sidecar, "we");

		assert_non_null(f);
		fputs(bad[i], f);
		fclose(f);
		refuse(EINVAL, "damaged");
	}
	/* Not one that leads elsewhere. */
	unlink(sidecar);
	assert_int_equal(symlink("/dev/zero", sidecar), 0);
	struct rd rd;
	assert_int_not_equal(visit(&rd), 0);
}

static void
in_use(void **state)
{
	struct rd rd, other;
	char pid[32];

	p.size = 1 << 20;
	assert_int_equal(open_disk(&rd), 0);
	assert_int_equal(open_disk(&other), -EBUSY);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(error, pid));
	p.write_protected = true;
	p.size = 0;
	assert_int_equal(open_disk(&other), -EBUSY);
	/* Who comes too late takes nothing away. */
	assert_int_equal(file_size(), 1 << 20);
	rd_image_close(&rd, false);
	assert_int_equal(visit(&rd), 0);
}

/* ---------------------------------------------------------------- partitions */

static uint32_t
le32(const uint8_t *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void
mbr_of_a_new_image(void **state)
{
	static const struct {
		uint32_t block_length, start;
	} forms[] = {{512, 8}, {1024, 4}, {4096, 1}, {8192, 1}};
	uint8_t mbr[512];
	struct rd rd;

	p.partition = RD_PARTITION_DEFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		p.size = 8 << 20;
		p.block_length = forms[i].block_length;
		assert_int_equal(visit(&rd), 0);
		read_image(mbr, sizeof(mbr), 0);
		assert_int_equal(mbr[510], 0x55);
		assert_int_equal(mbr[511], 0xAA);
		assert_int_equal(mbr[446 + 4], 7);
		assert_int_equal(le32(mbr + 446 + 8), forms[i].start);
		assert_int_equal(le32(mbr + 446 + 12), rd.n_blocks - forms[i].start);
		unlink(image);
	}
}

static void
where_it_does_not_fit(void **state)
{
	struct rd rd;

	p.partition = RD_PARTITION_DEFAULT;
	p.size = 8 * 512;
	assert_int_equal(visit(&rd), 0);
	unlink(image);
	p.partition = RD_PARTITION_MBR;
	refuse(ERANGE, "does not fit");
	assert_int_equal(file_size(), -1);
	p.partition = RD_PARTITION_GPT;
	refuse(ERANGE, "does not fit");
	p.block_length = 64;
	p.size = 64 << 20;
	refuse(ERANGE, "does not fit");
	assert_int_equal(file_size(), -1);
}

static void
gpt_of_a_new_image(void **state)
{
	uint8_t head[512], tail[512];
	struct rd rd;

	p.partition = RD_PARTITION_GPT;
	p.size = 8 << 20;
	assert_int_equal(visit(&rd), 0);
	read_image(head, 512, 512);
	read_image(tail, 512, (8 << 20) - 512);
	assert_memory_equal(head, "EFI PART", 8);
	assert_memory_equal(tail, "EFI PART", 8);
	assert_int_equal(le32(head + 24), 1);
	assert_int_equal(le32(head + 32), rd.n_blocks - 1);
	assert_int_equal(le32(tail + 24), rd.n_blocks - 1);
	assert_int_equal(le32(tail + 32), 1);
	read_image(head, 512, 0);
	assert_int_equal(head[446 + 4], 0xEE);
}

static void
an_image_with_contents_gets_no_partition_table(void **state)
{
	uint8_t first[512];
	struct rd rd;

	make_file(1 << 20);
	p.partition = RD_PARTITION_GPT;
	assert_int_equal(visit(&rd), 0);
	read_image(first, sizeof(first), 0);
	for (size_t i = 0; i < sizeof(first); i++)
		assert_int_equal(first[i], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missing_image_is_not_made_by_accident),
		TEST(a_new_image_is_sparse_and_private),
		TEST(winspd_form_has_a_default_size),
		TEST(an_image_has_the_size_of_its_file),
		TEST(odd_sizes_are_refused),
		TEST(only_files_and_devices),
		TEST(sizes_change),
		TEST(identity_is_kept),
		TEST(identity_is_kept_without_attributes),
		TEST(what_cannot_keep_it_is_the_same_all_the_same),
		TEST(a_damaged_identity_is_told),
		TEST(in_use),
		TEST(mbr_of_a_new_image),
		TEST(where_it_does_not_fit),
		TEST(gpt_of_a_new_image),
		TEST(an_image_with_contents_gets_no_partition_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
