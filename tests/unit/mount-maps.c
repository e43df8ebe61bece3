/* What the mount door translates: link targets, devices, attribute names and values, modes,
 * options, directory positions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "fs/security/posix_map.h"
#include "nt/file.h"
#include "transport/mount/attr.h"
#include "transport/mount/dirlist.h"
#include "transport/mount/eas.h"
#include "transport/mount/options.h"
#include "transport/mount/special.h"

/* ---------------------------------------------------------------- links and devices */

static uint32_t
link_round_trip(const char *target)
{
	char buffer[8192], back[4096];
	uint32_t tag;
	int size = door_link_build(target, strlen(target), false, buffer, sizeof(buffer)), n;

	assert_true(size > 0);
	n = door_link_target(buffer, (uint32_t)size, "/mnt", back, sizeof(back));
	assert_int_equal(n, strlen(target));
	assert_memory_equal(back, target, (size_t)n);
	memcpy(&tag, buffer, sizeof(tag));
	return tag;
}

static void
links_come_back_byte_for_byte(void **state)
{
	assert_int_equal(link_round_trip("a"), IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(link_round_trip("../x/y"), IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(link_round_trip("a\\b:c*"), IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(link_round_trip("\xc3\xa4"), IO_REPARSE_TAG_SYMLINK);
	assert_int_equal(link_round_trip("/absolute/x"), IO_REPARSE_TAG_LX_SYMLINK);
	assert_int_equal(link_round_trip("bad\xff\xfe"), IO_REPARSE_TAG_LX_SYMLINK);
	link_round_trip("trailing/");
	link_round_trip("a//b");
	link_round_trip("/");
}

static void
absolute_nt_links_lead_below_the_mount(void **state)
{
	const uint16_t target[] = {'\\', 'a', '\\', 'b'};
	char buffer[256], back[64];
	uint32_t size = fs_reparse_build_symlink(target, 4, false, buffer, sizeof(buffer));

	assert_int_not_equal(size, 0);
	assert_int_equal(door_link_target(buffer, size, "/mnt", back, sizeof(back)), 8);
	assert_memory_equal(back, "/mnt/a/b", 8);
	assert_int_equal(door_link_target(buffer, size, "/mnt", back, 3), -ENAMETOOLONG);
}

static void
broken_links_are_refused(void **state)
{
	char buffer[16] = {0}, back[16];

	assert_int_equal(door_link_target(buffer, 4, "/", back, sizeof(back)), -EINVAL);
	assert_int_equal(door_link_target(buffer, 16, "/", back, sizeof(back)), -EINVAL);
}

static void
devices_come_back(void **state)
{
	static const uint32_t formats[] = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
	char buffer[64];

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		bool numbered = formats[i] == S_IFCHR || formats[i] == S_IFBLK;
		int size = door_device_build(formats[i], makedev(8, 300), buffer, sizeof(buffer));
		uint32_t format;
		dev_t rdev;

		assert_true(size > 0);
		assert_true(door_device_parse(buffer, (uint32_t)size, &format, &rdev));
		assert_int_equal(format, formats[i]);
		assert_int_equal(rdev, numbered ? makedev(8, 300) : 0);
	}
	assert_int_equal(door_device_build(S_IFREG, 0, buffer, sizeof(buffer)), -EINVAL);
	assert_int_equal(door_rdev_decode(door_rdev_encode(makedev(4095, 0xfffff))),
			 makedev(4095, 0xfffff));
}

static void
set_id_bits_live_in_lxmod(void **state)
{
	_Alignas(4) char list[64];
	uint32_t mode, size = door_lx_build(S_IFREG | 04755, list, sizeof(list));
	dev_t rdev;

	assert_true(door_lx_find(list, size, &mode, &rdev));
	assert_int_equal(mode, S_IFREG | 04755);
	assert_int_equal(door_lx_bits(S_IFREG | 01644), 01000);
	assert_int_equal(door_lx_bits(S_IFDIR | 01777), 0); /* the DACL holds it */
	assert_int_equal(door_lx_bits(S_IFDIR | 01700), 01000);
	assert_int_equal(door_lx_bits(S_IFDIR | 02775), 02000);
}

/* ---------------------------------------------------------------- extended attributes */

static void
value_round_trip(const void *value, size_t n)
{
	_Alignas(4) char list[256];
	const uint8_t *back;
	struct fs_ea ea;
	size_t n_back;
	uint32_t size = door_ea_build("X", 1, value, n, list, sizeof(list));

	assert_int_not_equal(size, 0);
	assert_true(door_ea_find(list, size, "x", &ea));
	assert_int_not_equal(ea.n_value, 0); /* would be a deletion */
	back = door_ea_value(&ea, &n_back);
	assert_int_equal(n_back, n);
	assert_memory_equal(back, value, n);
}

static void
values_come_back_byte_for_byte(void **state)
{
	value_round_trip("", 0);
	value_round_trip("v", 1);
	value_round_trip("\0Ux\0", 4); /* the mark itself */
	value_round_trip("\0Ux\0tail", 8);
	value_round_trip("\0Ux", 3);
	value_round_trip("\0\0\0\0\0", 5);
}

static void
name_round_trip(const char *name, const char *expected)
{
	char encoded[DOOR_EA_NAME_MAX + 1], back[DOOR_EA_NAME_MAX + 1];
	int n = door_ea_encode_name(name, encoded);

	assert_true(n > 0);
	assert_string_equal(encoded, expected);
	assert_int_equal(door_ea_decode_name(encoded, (size_t)n, back), strlen(name));
	assert_string_equal(back, name);
}

static void
names_come_back(void **state)
{
	char back[DOOR_EA_NAME_MAX + 1], encoded[DOOR_EA_NAME_MAX + 1], longest[256];

	name_round_trip("xdg.origin.url", "xdg.origin.url");
	name_round_trip("a:b", "a%3Ab");
	name_round_trip("100%", "100%25");
	name_round_trip("%3A", "%253A");
	name_round_trip("\xc3\xa4", "%C3%A4");
	/* An NT name that only looks like ours means itself. */
	door_ea_decode_name("50%zz", 5, back);
	assert_string_equal(back, "50%zz");
	memset(longest, ':', 85);
	longest[85] = '\0';
	assert_int_equal(door_ea_encode_name(longest, encoded), -ERANGE);
}

/* ---------------------------------------------------------------- attributes */

static void
modes_come_from_descriptors(void **state)
{
	static const uint32_t modes[] = {S_IFREG | 0644, S_IFREG | 0, S_IFREG | 0777,
					 S_IFDIR | 0755, S_IFDIR | 01777, S_IFDIR | 0711};
	struct door_attr_rules rules = {.blksize = 4096};
	struct door_extras none = {0};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct fs_file_info info = {.attributes = S_ISDIR(modes[i]) ?
								  FILE_ATTRIBUTE_DIRECTORY :
								  FILE_ATTRIBUTE_NORMAL};
		struct fuse_attr attr;
		void *sd;
		size_t size;

		assert_int_equal(posix_sd_from_mode(1000, 100, modes[i], &sd, &size), 0);
		door_attr_fill(&rules, &info, sd, &none, 7, &attr);
		assert_int_equal(attr.mode, modes[i]);
		assert_int_equal(attr.uid, 1000);
		assert_int_equal(attr.gid, 100);
		assert_int_equal(attr.ino, 7);
		free(sd);
	}
}

static void
bare_volumes_show_the_mounter(void **state)
{
	struct door_attr_rules rules = {.uid = 5, .gid = 6, .bare_umask = 022};
	struct fs_file_info info = {.attributes = FILE_ATTRIBUTE_READONLY, .allocation_size = 513};
	struct door_extras none = {0};
	struct fuse_attr attr;

	door_attr_fill(&rules, &info, NULL, &none, 7, &attr);
	assert_int_equal(attr.mode, S_IFREG | 0555); /* read-only: no w */
	assert_int_equal(attr.uid, 5);
	assert_int_equal(attr.blocks, 2);
	assert_int_equal(attr.nlink, 1);
}

/* ---------------------------------------------------------------- options */

static void
options_are_checked(void **state)
{
	struct fs_door_error error;
	struct door_options o;

	door_options_init(&o);
	assert_int_equal(door_options_parse(&o, "allow_other,uid=5,,attr_timeout=1.5,"
						"transport=dev,fsname=a\\,b",
					    &error),
			 0);
	assert_true(o.mount.allow_other && o.has_uid && o.uid == 5);
	assert_int_equal(o.attr_timeout_ns, 1500000000);
	assert_int_equal(o.transport, FUSEK_TRANSPORT_DEV);
	assert_string_equal(o.mount.fsname, "a,b");
	assert_int_equal(door_option_parse(&o, "uid=x", &error), -EINVAL);
	assert_int_equal(door_option_parse(&o, "umask=9", &error), -EINVAL);
	assert_int_equal(door_option_parse(&o, "protocol_minor=30", &error), -EINVAL);
	assert_int_equal(door_option_parse(&o, "max_write=4095", &error), -EINVAL);
	assert_int_equal(door_option_parse(&o, "nonsense", &error), 0);
	assert_int_equal(door_options_parse(&o, "nonsense", &error), -EINVAL);
	assert_non_null(strstr(error.text, "nonsense"));
}

/* ---------------------------------------------------------------- directory positions */

static void
add_name(struct door_dirlist *l, const char *name)
{
	char bytes[sizeof(struct fs_dir_info) + 128];
	struct fs_dir_info *entry = (struct fs_dir_info *)bytes;
	size_t n = strlen(name);

	memset(bytes, 0, sizeof(bytes));
	entry->size = (uint16_t)(sizeof(*entry) + n * 2);
	for (size_t i = 0; i < n; i++)
		entry->name[i] = (uint8_t)name[i];
	assert_int_equal(door_dirlist_add(l, entry, S_IFREG), 0);
}

static void
positions_can_be_returned_to(void **state)
{
	struct door_dirlist l;
	struct door_dircursor cursor;
	struct door_dirent e;
	char name[16];

	door_dirlist_init(&l);
	add_name(&l, ".");
	add_name(&l, "..");
	assert_int_equal(l.n, 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		add_name(&l, name);
	}
	assert_int_equal(l.marker_units, 4); /* "f999" */
	for (size_t i = 0; i < 1000; i += 37) {
		assert_true(door_dirlist_seek(&l, i, &cursor));
		assert_true(door_dirlist_next(&l, &cursor, &e));
		snprintf(name, sizeof(name), "f%zu", i);
		assert_int_equal(e.n_units, strlen(name));
		assert_int_equal(e.name[e.n_units - 1], name[e.n_units - 1]);
		assert_int_equal(cursor.number, i + 1);
	}
	assert_true(door_dirlist_seek(&l, 1000, &cursor));
	assert_false(door_dirlist_next(&l, &cursor, &e));
	assert_false(door_dirlist_seek(&l, 1001, &cursor));
	door_dirlist_restart(&l);
	assert_false(l.is_started);
	assert_int_equal(l.n, 0);
	door_dirlist_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_come_back_byte_for_byte),
		cmocka_unit_test(absolute_nt_links_lead_below_the_mount),
		cmocka_unit_test(broken_links_are_refused),
		cmocka_unit_test(devices_come_back),
		cmocka_unit_test(set_id_bits_live_in_lxmod),
		cmocka_unit_test(values_come_back_byte_for_byte),
		cmocka_unit_test(names_come_back),
		cmocka_unit_test(modes_come_from_descriptors),
		cmocka_unit_test(bare_volumes_show_the_mounter),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(positions_can_be_returned_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
