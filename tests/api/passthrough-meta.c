/*
 * passthrough, files: owner, mode and security descriptors, extended attributes, links
 * and devices as reparse points, data, holes.
 */
#include "tests/api/passthrough-util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static void
need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static PSECURITY_DESCRIPTOR
sd_of(UINT32 uid, UINT32 gid, UINT32 mode)
{
	PSECURITY_DESCRIPTOR sd;

	assert_status(STATUS_SUCCESS,
		      FspPosixMapPermissionsToSecurityDescriptor(uid, gid, mode, &sd));
	return sd;
}

static void
free_sd(PSECURITY_DESCRIPTOR sd)
{
	FspDeleteSecurityDescriptor(
		sd, (FSP_CREATE_FUNC)FspPosixMapPermissionsToSecurityDescriptor);
}

static NTSTATUS
change_security(struct drive *d, struct pt_file *file, UINT32 uid, UINT32 gid,
		UINT32 mode)
{
	PSECURITY_DESCRIPTOR sd = sd_of(uid, gid, mode);
	NTSTATUS st =
		pt_set_security(&d->fs, file,
				OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
					DACL_SECURITY_INFORMATION,
				sd);

	free_sd(sd);
	return st;
}

/* ---------------------------------------------------------------- owner and mode */

static void
a_new_file_is_what_its_descriptor_says(void **state)
{
	struct drive *d = *state;
	FSP_FSCTL_FILE_INFO info;
	PVOID context;
	struct stat st;

	need_root();
	PSECURITY_DESCRIPTOR sd = sd_of(1234, 5678, 0640);
	assert_status(STATUS_SUCCESS,
		      pt_create_ex(&d->fs, (PWSTR)u"\\f", 0, FILE_ALL_ACCESS, 0, sd, 0,
				   NULL, 0, FALSE, &context, &info));
	free_sd(sd);
	assert_int_equal(stat(in_source(d, "f"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	shut(d, context);
}

static void
a_set_group_id_directory_gives_its_group(void **state)
{
	struct drive *d = *state;
	struct pt_file *file;
	struct stat st;

	need_root();
	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	assert_int_equal(chown(in_source(d, "dir"), 0, 5678), 0);
	assert_int_equal(chmod(in_source(d, "dir"), 02755), 0);
	assert_status(STATUS_SUCCESS,
		      create_name(d, u"\\dir\\sub", FILE_DIRECTORY_FILE, 0755, &file));
	shut(d, file);
	assert_int_equal(stat(in_source(d, "dir/sub"), &st), 0);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(st.st_mode & 07777, 02755);
}

static void
descriptors_show_owner_and_mode(void **state)
{
	struct drive *d = *state;
	_Alignas(8) UINT8 sd[1024];
	SIZE_T size = sizeof(sd), small = 1;
	UINT32 uid, gid, mode;

	put_file(in_source(d, "f"), "");
	assert_int_equal(chmod(in_source(d, "f"), 0604), 0);
	struct pt_file *file = must_open(d, u"\\f", READ_CONTROL);
	assert_status(STATUS_BUFFER_OVERFLOW, pt_get_security(&d->fs, file, sd, &small));
	assert_status(STATUS_SUCCESS, pt_get_security(&d->fs, file, sd, &size));
	assert_int_equal(size, small);
	assert_status(STATUS_SUCCESS,
		      FspPosixMapSecurityDescriptorToPermissions(sd, &uid, &gid, &mode));
	assert_int_equal(uid, geteuid());
	assert_int_equal(mode, 0604);
	shut(d, file);
}

static void
a_changed_dacl_keeps_set_id_bits(void **state)
{
	struct drive *d = *state;

	put_file(in_source(d, "f"), "");
	assert_int_equal(chmod(in_source(d, "f"), 06755), 0);
	struct pt_file *file = must_open(d, u"\\f", WRITE_DAC);
	assert_status(STATUS_SUCCESS,
		      change_security(d, file, geteuid(), getegid(), 0700));
	assert_int_equal(mode_of(in_source(d, "f")), 06700);
	shut(d, file);
}

static void
a_changed_owner_drops_set_id_bits(void **state)
{
	struct drive *d = *state;

	need_root();
	put_file(in_source(d, "f"), "");
	assert_int_equal(chmod(in_source(d, "f"), 06755), 0);
	struct pt_file *file = must_open(d, u"\\f", WRITE_OWNER);
	assert_status(STATUS_SUCCESS, change_security(d, file, 1234, 0, 0755));
	assert_int_equal(mode_of(in_source(d, "f")), 0755);
	shut(d, file);
}

static void
sticky_comes_and_goes_with_the_dacl(void **state)
{
	struct drive *d = *state;
	struct pt_file *dir;

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	dir = must_open(d, u"\\dir", WRITE_DAC);
	assert_status(STATUS_SUCCESS,
		      change_security(d, dir, geteuid(), getegid(), S_IFDIR | 01777));
	assert_int_equal(mode_of(in_source(d, "dir")), 01777);
	assert_status(STATUS_SUCCESS,
		      change_security(d, dir, geteuid(), getegid(), S_IFDIR | 0755));
	assert_int_equal(mode_of(in_source(d, "dir")), 0755);
	shut(d, dir);
}

/* ---------------------------------------------------------------- extended attributes */

static NTSTATUS
set_one(struct drive *d, struct pt_file *file, const char *name, const void *value,
	size_t n_value)
{
	_Alignas(4) char room[512] = {0};
	PFILE_FULL_EA_INFORMATION ea = (PFILE_FULL_EA_INFORMATION)(void *)room;
	size_t n_name = strlen(name);
	FSP_FSCTL_FILE_INFO info;

	ea->EaNameLength = (UCHAR)n_name;
	ea->EaValueLength = (USHORT)n_value;
	memcpy(ea->EaName, name, n_name + 1);
	if (n_value)
		memcpy(ea->EaName + n_name + 1, value, n_value);
	return pt_set_ea(&d->fs, file, ea,
			 (ULONG)(offsetof(FILE_FULL_EA_INFORMATION, EaName) + n_name + 1 +
				 n_value),
			 &info);
}

/* The only EA of a file. */
static const FILE_FULL_EA_INFORMATION *
get_only(struct drive *d, struct pt_file *file)
{
	static _Alignas(4) char room[4096];
	PFILE_FULL_EA_INFORMATION ea = (PFILE_FULL_EA_INFORMATION)(void *)room;
	ULONG n = 0;
	FSP_FSCTL_FILE_INFO info;

	memset(room, 0, sizeof(room));
	assert_status(STATUS_SUCCESS, pt_get_ea(&d->fs, file, ea, sizeof(room), &n));
	assert_true(n > 0);
	assert_int_equal(ea->NextEntryOffset, 0);
	assert_status(STATUS_SUCCESS, pt_get_file_info(&d->fs, file, &info));
	assert_int_equal(info.EaSize, FspFileSystemGetEaPackedSize(ea));
	return ea;
}

static struct pt_file *
file_for_eas(struct drive *d)
{
	put_file(in_source(d, "f"), "");
	if (setxattr(in_source(d, "f"), "user.probe", "", 0, 0) < 0)
		skip();
	assert_int_equal(removexattr(in_source(d, "f"), "user.probe"), 0);
	return must_open(d, u"\\f", FILE_WRITE_EA);
}

static void
ea_names_keep_their_case_and_are_found_without(void **state)
{
	struct drive *d = *state;
	struct pt_file *file = file_for_eas(d);
	char value[8];

	assert_status(STATUS_SUCCESS, set_one(d, file, "Name", "1", 1));
	assert_status(STATUS_SUCCESS, set_one(d, file, "NAME", "22", 2));
	assert_int_equal(getxattr(in_source(d, "f"), "user.Name", value, sizeof(value)),
			 2);
	assert_string_equal(get_only(d, file)->EaName, "Name");
	assert_status(STATUS_SUCCESS, set_one(d, file, "name", NULL, 0));
	assert_int_equal(getxattr(in_source(d, "f"), "user.Name", value, sizeof(value)),
			 -1);
	shut(d, file);
}

/* 'an empty value, and one that begins with the mark, is stored behind the mark' */
static void
values_that_eas_cannot_hold_round_trip(void **state)
{
	static const char mark[] = {0, 'U', 'x', 0},
			  twice[] = {0, 'U', 'x', 0, 0, 'U', 'x', 0};
	struct drive *d = *state;
	struct pt_file *file = file_for_eas(d);
	const FILE_FULL_EA_INFORMATION *ea;
	char value[8];

	assert_status(STATUS_SUCCESS, set_one(d, file, "x", mark, sizeof(mark)));
	assert_int_equal(getxattr(in_source(d, "f"), "user.x", value, sizeof(value)), 0);
	ea = get_only(d, file);
	assert_int_equal(ea->EaValueLength, sizeof(mark));
	assert_memory_equal(ea->EaName + 2, mark, sizeof(mark));
	assert_status(STATUS_SUCCESS, set_one(d, file, "x", twice, sizeof(twice)));
	assert_int_equal(getxattr(in_source(d, "f"), "user.x", value, sizeof(value)),
			 sizeof(mark));
	assert_int_equal(get_only(d, file)->EaValueLength, sizeof(twice));
	shut(d, file);
}

static void
names_that_eas_cannot_hold_round_trip(void **state)
{
	struct drive *d = *state;
	struct pt_file *file = file_for_eas(d);
	char value[8];

	assert_status(STATUS_SUCCESS, set_one(d, file, "a%3Ab%25", "1", 1));
	assert_int_equal(getxattr(in_source(d, "f"), "user.a:b%", value, sizeof(value)),
			 1);
	/* a lone '%' needs no escape */
	assert_string_equal(get_only(d, file)->EaName, "a%3Ab%");
	shut(d, file);
}

static void
lxmod_holds_set_id_bits(void **state)
{
	struct drive *d = *state;
	UINT32 mode = S_IFREG | 04755;

	put_file(in_source(d, "f"), "");
	assert_int_equal(chmod(in_source(d, "f"), 0755), 0);
	struct pt_file *file = must_open(d, u"\\f", FILE_WRITE_EA);
	assert_status(STATUS_SUCCESS, set_one(d, file, "$LXMOD", &mode, sizeof(mode)));
	assert_int_equal(mode_of(in_source(d, "f")), 04755);
	assert_memory_equal(get_only(d, file)->EaName + 7, &mode, sizeof(mode));
	assert_status(STATUS_SUCCESS, set_one(d, file, "$LXMOD", NULL, 0));
	assert_int_equal(mode_of(in_source(d, "f")), 0755);
	shut(d, file);
}

static void
lxmod_holds_a_sticky_bit_without_dacl_form(void **state)
{
	struct drive *d = *state;
	UINT32 mode = S_IFDIR | 01711;

	assert_int_equal(mkdir(in_source(d, "dir"), 0755), 0);
	struct pt_file *dir = must_open(d, u"\\dir", FILE_WRITE_EA);
	assert_status(STATUS_SUCCESS, set_one(d, dir, "$LXMOD", &mode, sizeof(mode)));
	assert_status(STATUS_SUCCESS,
		      change_security(d, dir, geteuid(), getegid(), S_IFDIR | 01711));
	assert_int_equal(mode_of(in_source(d, "dir")), 01711);
	shut(d, dir);
}

/* ---------------------------------------------------------------- reparse points */

static void
check_link(struct drive *d, const char *target, UINT32 tag)
{
	_Alignas(8) UINT8 buffer[MAXIMUM_REPARSE_DATA_BUFFER_SIZE];
	SIZE_T size = sizeof(buffer);
	FSP_FSCTL_FILE_INFO info;
	PVOID context;
	char back[256];

	assert_int_equal(symlink(target, in_source(d, "l")), 0);
	struct pt_file *file = must_open(d, u"\\l", 0);
	assert_status(STATUS_SUCCESS, pt_get_file_info(&d->fs, file, &info));
	assert_int_equal(info.FileAttributes, FILE_ATTRIBUTE_REPARSE_POINT);
	assert_int_equal(info.ReparseTag, tag);
	assert_status(STATUS_SUCCESS,
		      pt_get_reparse(&d->fs, file, (PWSTR)u"\\l", buffer, &size));
	shut(d, file);
	assert_status(STATUS_SUCCESS,
		      pt_create_ex(&d->fs, (PWSTR)u"\\copy", 0, 0, 0, NULL, 0, buffer,
				   (ULONG)size, TRUE, &context, &info));
	shut(d, context);
	ssize_t n = readlink(in_source(d, "copy"), back, sizeof(back));
	assert_int_equal(n, strlen(target));
	assert_memory_equal(back, target, (size_t)n);
	unlink(in_source(d, "l"));
	unlink(in_source(d, "copy"));
}

static void
links_round_trip(void **state)
{
	struct drive *d = *state;

	check_link(d, "a/b:c", IO_REPARSE_TAG_SYMLINK);
	check_link(d, "../\xc3\xa9", IO_REPARSE_TAG_SYMLINK);
	check_link(d, "/etc/passwd", IO_REPARSE_TAG_LX_SYMLINK);
	check_link(d, "bad\xff", IO_REPARSE_TAG_LX_SYMLINK);
}

static void
asking_for_a_link_keeps_its_access_time(void **state)
{
	struct drive *d = *state;
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_nsec = UTIME_OMIT}};
	FSP_FSCTL_FILE_INFO info;
	struct stat st;

	need_root();
	if (d->pt.quiet < 0)
		skip();
	assert_int_equal(symlink("a", in_source(d, "l")), 0);
	assert_int_equal(
		utimensat(AT_FDCWD, in_source(d, "l"), times, AT_SYMLINK_NOFOLLOW), 0);
	struct pt_file *file = must_open(d, u"\\l", 0);
	assert_status(STATUS_SUCCESS, pt_get_file_info(&d->fs, file, &info));
	shut(d, file);
	assert_int_equal(lstat(in_source(d, "l"), &st), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000);
}

static void
devices_and_pipes_round_trip(void **state)
{
	struct drive *d = *state;
	UINT8 buffer[64];
	SIZE_T size = sizeof(buffer);
	FSP_FSCTL_FILE_INFO info;
	PVOID context;
	struct stat st;

	need_root();
	assert_int_equal(mknod(in_source(d, "n"), S_IFCHR | 0600, makedev(1, 300)), 0);
	struct pt_file *file = must_open(d, u"\\n", 0);
	assert_status(STATUS_SUCCESS,
		      pt_get_reparse(&d->fs, file, (PWSTR)u"\\n", buffer, &size));
	assert_int_equal(size, 24);
	shut(d, file);
	assert_status(STATUS_SUCCESS,
		      pt_create_ex(&d->fs, (PWSTR)u"\\copy", 0, 0, 0, NULL, 0, buffer,
				   (ULONG)size, TRUE, &context, &info));
	shut(d, context);
	assert_int_equal(lstat(in_source(d, "copy"), &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_rdev, makedev(1, 300));
}

static void
an_empty_file_becomes_a_link_and_a_file_again(void **state)
{
	static const UINT8 link[] = {0x1d, 0, 0, 0xa0, 5, 0, 0, 0, 2, 0, 0, 0, 'x'};
	struct drive *d = *state;
	UINT8 none[8] = {0x1d, 0, 0, 0xa0};
	struct pt_file *file;
	struct stat st;

	assert_status(STATUS_SUCCESS, create_name(d, u"\\f", 0, 0644, &file));
	assert_status(STATUS_SUCCESS, pt_set_reparse(&d->fs, file, (PWSTR)u"\\f",
						     (PVOID)link, sizeof(link)));
	assert_int_equal(lstat(in_source(d, "f"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_status(STATUS_SUCCESS,
		      pt_delete_reparse(&d->fs, file, (PWSTR)u"\\f", none, sizeof(none)));
	assert_int_equal(lstat(in_source(d, "f"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	shut(d, file);
}

static void
broken_reparse_buffers_are_refused(void **state)
{
	/* data longer than the buffer; a name beyond it; NFS without its device; a
	 * foreign tag */
	static const struct {
		UINT8 bytes[28];
		SIZE_T size;
	} broken[] = {
		{{0x1d, 0, 0, 0xa0, 50, 0, 0, 0, 2, 0, 0, 0, 'x'}, 13},
		{{0x0c, 0, 0, 0xa0, 14, 0, 0, 0, 200, 0,   2,
		  0,	0, 0, 2,    0,	1, 0, 0, 0,   'x', 0},
		 22},
		{{0x14, 0, 0, 0x80, 8, 0, 0, 0, 'C', 'H', 'R'}, 16},
		{{0x99, 0, 0, 0xa0, 1, 0, 0, 0, 1}, 9},
		{{0x1d, 0}, 2},
	};
	struct pt_special special;
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		assert_false(NT_SUCCESS(
			pt_special_parse(broken[i].bytes, broken[i].size, &special)));
		pt_special_fini(&special);
	}
}

/* ---------------------------------------------------------------- data */

static void
reads_end_and_writes_append(void **state)
{
	struct drive *d = *state;
	FSP_FSCTL_FILE_INFO info;
	struct pt_file *file;
	char text[16];
	ULONG n = 0;

	assert_status(STATUS_SUCCESS, create_name(d, u"\\f", 0, 0644, &file));
	assert_status(STATUS_SUCCESS, pt_write(&d->fs, file, (PVOID) "abc", 0, 3, FALSE,
					       FALSE, &n, &info));
	assert_status(STATUS_SUCCESS, pt_write(&d->fs, file, (PVOID) "def", UINT64_MAX, 3,
					       TRUE, FALSE, &n, &info));
	assert_int_equal(info.FileSize, 6);
	assert_status(STATUS_SUCCESS, pt_write(&d->fs, file, (PVOID) "XYZ", 5, 3, FALSE,
					       TRUE, &n, &info));
	assert_int_equal(n, 1);
	assert_status(STATUS_SUCCESS, pt_read(&d->fs, file, text, 0, sizeof(text), &n));
	assert_int_equal(n, 6);
	assert_memory_equal(text, "abcdeX", 6);
	assert_status(STATUS_END_OF_FILE,
		      pt_read(&d->fs, file, text, 6, sizeof(text), &n));
	shut(d, file);
}

/* Opened for reading, then also for writing: a descriptor that was given away stays good.
 */
static void
the_backing_descriptor_keeps_its_number(void **state)
{
	struct drive *d = *state;
	int fd = -1, again = -1;

	put_file(in_source(d, "f"), "text");
	struct pt_file *file = must_open(d, u"\\f", FILE_READ_DATA);
	assert_status(STATUS_SUCCESS, pt_get_backing(&d->fs, file, 1, &fd));
	assert_status(STATUS_SUCCESS, pt_get_backing(&d->fs, file, 3, &again));
	assert_int_equal(fd, again);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	shut(d, file);
}

/* The kernel would write in the server's name, which takes no set-id bits away. */
static void
a_set_id_file_has_no_backing(void **state)
{
	struct drive *d = *state;
	int fd = -1;

	put_file(in_source(d, "f"), "text");
	assert_int_equal(chmod(in_source(d, "f"), 04755), 0);
	struct pt_file *file = must_open(d, u"\\f", FILE_READ_DATA | FILE_WRITE_DATA);
	assert_status(STATUS_INVALID_DEVICE_REQUEST,
		      pt_get_backing(&d->fs, file, 3, &fd));
	shut(d, file);
}

static void
holes_are_told_from_data(void **state)
{
	enum { FAR = 4 << 20 };
	struct drive *d = *state;
	FSP_FSCTL_FILE_INFO info;
	FSPX_RANGE ranges[8];
	struct pt_file *file;
	ULONG n, count = ARRAY_SIZE(ranges);

	assert_status(STATUS_SUCCESS, create_name(d, u"\\f", 0, 0644, &file));
	assert_status(STATUS_SUCCESS, pt_write(&d->fs, file, (PVOID) "x", FAR, 1, FALSE,
					       FALSE, &n, &info));
	assert_status(STATUS_SUCCESS,
		      pt_query_ranges(&d->fs, file, 0, UINT64_MAX, ranges, &count));
	assert_int_equal(count, 1);
	if (ranges[0].Offset == 0)
		skip(); /* a file system without holes */
	assert_int_equal(ranges[0].Offset, FAR);
	count = ARRAY_SIZE(ranges);
	assert_status(STATUS_SUCCESS,
		      pt_query_ranges(&d->fs, file, 0, FAR, ranges, &count));
	assert_int_equal(count, 0);
	shut(d, file);
}

static void
copies_stop_at_the_end(void **state)
{
	struct drive *d = *state;
	FSP_FSCTL_FILE_INFO info;
	struct pt_file *to;
	UINT64 done = 0;

	put_file(in_source(d, "from"), "0123456789");
	struct pt_file *from = must_open(d, u"\\from", FILE_READ_DATA);
	assert_status(STATUS_SUCCESS, create_name(d, u"\\to", 0, 0644, &to));
	assert_status(STATUS_SUCCESS,
		      pt_copy_range(&d->fs, from, 4, to, 2, 1000, &done, &info));
	assert_int_equal(done, 6);
	assert_int_equal(info.FileSize, 8);
	shut(d, from);
	shut(d, to);
}

static void
an_overwritten_file_loses_data_and_eas(void **state)
{
	struct drive *d = *state;
	struct pt_file *file = file_for_eas(d);
	FSP_FSCTL_FILE_INFO info;

	put_file(in_source(d, "f"), "text");
	assert_status(STATUS_SUCCESS, set_one(d, file, "x", "1", 1));
	assert_status(STATUS_SUCCESS,
		      pt_overwrite_ex(&d->fs, file, 0, FALSE, 0, NULL, 0, &info));
	assert_int_equal(info.FileSize, 0);
	assert_int_equal(info.EaSize, 0);
	shut(d, file);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, drive_setup, drive_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_file_is_what_its_descriptor_says),
		CASE(a_set_group_id_directory_gives_its_group),
		CASE(descriptors_show_owner_and_mode),
		CASE(a_changed_dacl_keeps_set_id_bits),
		CASE(a_changed_owner_drops_set_id_bits),
		CASE(sticky_comes_and_goes_with_the_dacl),
		CASE(ea_names_keep_their_case_and_are_found_without),
		CASE(values_that_eas_cannot_hold_round_trip),
		CASE(names_that_eas_cannot_hold_round_trip),
		CASE(lxmod_holds_set_id_bits),
		CASE(lxmod_holds_a_sticky_bit_without_dacl_form),
		CASE(links_round_trip),
		CASE(asking_for_a_link_keeps_its_access_time),
		CASE(devices_and_pipes_round_trip),
		CASE(an_empty_file_becomes_a_link_and_a_file_again),
		CASE(broken_reparse_buffers_are_refused),
		CASE(reads_end_and_writes_append),
		CASE(the_backing_descriptor_keeps_its_number),
		CASE(a_set_id_file_has_no_backing),
		CASE(holes_are_told_from_data),
		CASE(copies_stop_at_the_end),
		CASE(an_overwritten_file_loses_data_and_eas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
