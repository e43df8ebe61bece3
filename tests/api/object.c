/* The file system object: what creation accepts, its volume name, mount points that are refused. */
#include "tests/api/test.h"
#include <unistd.h>
#include "tests/api/ram.h"
#include "api/winfsp/priv.h"

static NTSTATUS
create(const WCHAR *device, const FSP_FSCTL_VOLUME_PARAMS *params, FSP_FILE_SYSTEM **fs)
{
	return FspFileSystemCreate((PWSTR)device, params, NULL, fs);
}

static void
test_devices(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params)};
	FSP_FILE_SYSTEM *fs = NULL;

	assert_status(create(u"WinFsp.Disk", &params, &fs), STATUS_SUCCESS);
	assert_non_null(fs->VolumeHandle);
	assert_int_equal(fs->VolumeName[0], '\\');
	FspFileSystemDelete(fs);
	assert_status(create(u"WinFsp.Tape", &params, &fs), STATUS_NO_SUCH_DEVICE);
	assert_null(fs);
}

static void
test_both_context_bits(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params),
					  .UmFileContextIsUserContext2 = 1,
					  .UmFileContextIsFullContext = 1};
	FSP_FILE_SYSTEM *fs;

	assert_status(create(u"WinFsp.Disk", &params, &fs), STATUS_INVALID_PARAMETER);
}

static void
test_versions(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = 1};
	FSP_FILE_SYSTEM *fs;

	assert_status(create(u"WinFsp.Disk", &params, &fs), STATUS_INVALID_PARAMETER);
}

/* With Version 0 the second half of the structure is not read. */
static void
test_version_0(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS_V0 *params = calloc(1, sizeof(*params));
	FSP_FILE_SYSTEM *fs;

	params->FileInfoTimeout = 500;
	params->CaseSensitiveSearch = 1;
	params->RejectIrpPriorToTransact0 = 1;
	assert_status(create(u"WinFsp.Disk", (FSP_FSCTL_VOLUME_PARAMS *)(void *)params, &fs),
		      STATUS_SUCCESS);
	const struct fs_volume_params *p = fs_volume_get_params(fsp_of(fs)->volume);
	assert_int_equal(p->dir_info_timeout, 500);
	assert_int_equal(p->ea_timeout, 500);
	assert_int_equal(p->flags, FS_VOL_CASE_SENSITIVE);
	FspFileSystemDelete(fs);
	free(params);
}

static void
test_timeouts(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params), .FileInfoTimeout = 500,
					  .DirInfoTimeoutValid = 1, .DirInfoTimeout = 7,
					  .EaTimeout = 9};
	FSP_FILE_SYSTEM *fs;

	assert_status(create(u"WinFsp.Disk", &params, &fs), STATUS_SUCCESS);
	const struct fs_volume_params *p = fs_volume_get_params(fsp_of(fs)->volume);
	assert_int_equal(p->dir_info_timeout, 7);
	assert_int_equal(p->ea_timeout, 500);
	FspFileSystemDelete(fs);
}

static void
set_wide(WCHAR *dst, const WCHAR *src)
{
	while ((*dst++ = *src++) != 0)
		;
}

static void
test_prefixes(void **state)
{
	static const struct {
		const WCHAR *prefix;
		NTSTATUS st;
	} rows[] = {{u"\\server\\share", STATUS_SUCCESS},   {u"\\server\\share\\", STATUS_SUCCESS},
		    {u"\\server", STATUS_INVALID_PARAMETER}, {u"", STATUS_INVALID_PARAMETER},
		    {u"server\\share", STATUS_INVALID_PARAMETER},
		    {u"\\\\server\\share", STATUS_INVALID_PARAMETER}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params)};
		FSP_FILE_SYSTEM *fs;

		set_wide(params.Prefix, rows[i].prefix);
		assert_status(create(u"WinFsp.Net", &params, &fs), rows[i].st);
		if (NT_SUCCESS(rows[i].st))
			FspFileSystemDelete(fs);
	}
}

static void
check_name(const WCHAR *given, const WCHAR *reported, const char *subtype)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params)};
	FSP_FILE_SYSTEM *fs;

	set_wide(params.FileSystemName, given);
	assert_status(create(u"WinFsp.Disk", &params, &fs), STATUS_SUCCESS);
	const uint16_t *name = fs_volume_get_params(fsp_of(fs)->volume)->fs_name;
	for (size_t i = 0; i == 0 || reported[i - 1]; i++)
		assert_int_equal(name[i], reported[i]);
	assert_string_equal(fsp_of(fs)->subtype, subtype);
	FspFileSystemDelete(fs);
}

static void
test_names(void **state)
{
	check_name(u"", u"WinFsp", "winfsp");
	check_name(u"-MEMFS", u"WinFsp-MEMFS", "memfs");
	check_name(u"NTFS", u"NTFS", "ntfs");
}

static NTSTATUS
link_file(FSP_FILE_SYSTEM *fs, PVOID context, PWSTR name, PWSTR new_name, BOOLEAN replace,
	  FSP_FSCTL_FILE_INFO *info)
{
	return STATUS_SUCCESS;
}

static void
test_optional_kinds(void **state)
{
	FSP_FSCTL_VOLUME_PARAMS params = {.Version = sizeof(params)};
	FSP_FILE_SYSTEM_INTERFACE interface = {0};
	FSP_FILE_SYSTEM *fs;

	FspxInterfaceSetLink(&interface, link_file);
	assert_status(FspFileSystemCreate((PWSTR)u"WinFsp.Disk", &params, &interface, &fs),
		      STATUS_SUCCESS);
	assert_int_equal(fs_volume_get_params(fsp_of(fs)->volume)->optional_kinds, 1);
	FspFileSystemDelete(fs);
}

static void
test_dispatcher_result(void **state)
{
	struct ram ram;
	NTSTATUS st;

	assert_status(ram_create(&ram, NULL), STATUS_SUCCESS);
	FspFileSystemSetDispatcherResult(ram.fs, STATUS_SUCCESS);
	FspFileSystemSetDispatcherResult(ram.fs, STATUS_ACCESS_DENIED);
	FspFileSystemSetDispatcherResult(ram.fs, STATUS_DISK_FULL);
	FspFileSystemGetDispatcherResult(ram.fs, &st);
	assert_status(st, STATUS_ACCESS_DENIED);
	ram_delete(&ram);
}

static unsigned n_stopped;

static VOID
stopped(FSP_FILE_SYSTEM *fs, BOOLEAN normally)
{
	n_stopped += normally ? 1 : 100;
}

static void
test_dispatcher(void **state)
{
	struct ram ram;

	assert_status(ram_create(&ram, NULL), STATUS_SUCCESS);
	ram.interface.DispatcherStopped = stopped;
	FspFileSystemStopDispatcher(ram.fs);
	assert_int_equal(n_stopped, 0);
	assert_status(FspFileSystemStartDispatcher(ram.fs, 0), STATUS_SUCCESS);
	assert_status(FspFileSystemStartDispatcher(ram.fs, 0), STATUS_INVALID_PARAMETER);
	FspFileSystemStopDispatcher(ram.fs);
	FspFileSystemStopDispatcher(ram.fs);
	assert_int_equal(n_stopped, 1);
	ram_delete(&ram);
}

static void
test_preflight(void **state)
{
	char dir[] = "/tmp/api-object-XXXXXX";
	WCHAR wide[64] = {0};

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; dir[i]; i++)
		wide[i] = (WCHAR)dir[i];
	assert_status(FspFileSystemPreflight((PWSTR)u"WinFsp.Disk", NULL), STATUS_SUCCESS);
	assert_status(FspFileSystemPreflight((PWSTR)u"WinFsp.Disk", wide), STATUS_SUCCESS);
	assert_status(FspFileSystemPreflight((PWSTR)u"WinFsp.Disk", (PWSTR)u"/dev/null"),
		      STATUS_OBJECT_NAME_COLLISION);
	assert_status(FspFileSystemPreflight((PWSTR)u"WinFsp.Disk", (PWSTR)u""),
		      STATUS_OBJECT_NAME_INVALID);
	assert_status(FspFileSystemPreflight((PWSTR)u"nothing", wide), STATUS_NO_SUCH_DEVICE);
	rmdir(dir);
}

static void
test_mount_on_file(void **state)
{
	struct ram ram;

	assert_status(ram_create(&ram, NULL), STATUS_SUCCESS);
	assert_string_equal(FspxFileSystemLastError(ram.fs), "");
	assert_status(FspFileSystemSetMountPoint(ram.fs, (PWSTR)u"/dev/null"),
		      STATUS_OBJECT_NAME_COLLISION);
	assert_non_null(strstr(FspxFileSystemLastError(ram.fs), "/dev/null"));
	assert_null(FspFileSystemMountPoint(ram.fs));
	FspFileSystemRemoveMountPoint(ram.fs);
	ram_delete(&ram);
}

/* No option is cut to what fits: what counts may be at its end. */
static void
test_long_mount_option(void **state)
{
	struct ram ram;
	char *option = malloc(8192);

	memset(option, '0', 8191);
	memcpy(option, "ro,uid=", 7);
	option[8190] = '7';
	option[8191] = 0;
	assert_status(ram_create(&ram, NULL), STATUS_SUCCESS);
	assert_status(FspxFileSystemSetMountOptions(ram.fs, option), STATUS_SUCCESS);
	option[8190] = 'x';
	assert_status(FspxFileSystemSetMountOptions(ram.fs, option), STATUS_INVALID_PARAMETER);
	assert_non_null(strstr(FspxFileSystemLastError(ram.fs), "uid="));
	ram_delete(&ram);
	free(option);
}

static void
test_notify_arguments(void **state)
{
	struct ram ram;

	assert_status(ram_create(&ram, NULL), STATUS_SUCCESS);
	assert_status(FspFileSystemNotify(ram.fs, NULL, 12), STATUS_ACCESS_VIOLATION);
	assert_status(FspFileSystemNotify(ram.fs, NULL, 0x80000000u), STATUS_INVALID_PARAMETER);
	assert_status(FspFileSystemNotifyBegin(ram.fs, 100), STATUS_SUCCESS);
	assert_status(FspFileSystemNotifyEnd(ram.fs), STATUS_SUCCESS);
	assert_status(FspFileSystemNotifyEnd(ram.fs), STATUS_SUCCESS);
	ram_delete(&ram);
}

/* Through the engine, as a door would: an open reaches Open, its end Cleanup and Close. */
static void
test_engine(void **state)
{
	struct ram ram;
	struct token *token;
	struct fs_handle *handle;
	struct fs_open_result result = {0};
	struct fs_open_params params = {.name = u"\\file", .n_units = 5,
					.desired_access = FILE_READ_ATTRIBUTES,
					.share_access = 7, .disposition = FILE_OPEN};

	assert_status(ram_create(&ram, NULL), STATUS_SUCCESS);
	ram_add(&ram, u"\\", FILE_ATTRIBUTE_DIRECTORY, NULL);
	ram_add(&ram, u"\\file", FILE_ATTRIBUTE_ARCHIVE, NULL);
	ram_add(&ram, u"\\FILE", FILE_ATTRIBUTE_ARCHIVE, NULL);
	assert_status(token_create_posix(1000, 1000, 0, &token), STATUS_SUCCESS);
	params.token = token;
	assert_status(fs_create(fsp_of(ram.fs)->volume, &params, &result, &handle),
		      STATUS_SUCCESS);
	assert_int_equal(result.info.attributes, FILE_ATTRIBUTE_ARCHIVE);
	assert_int_equal(ram.n_opens, 1);
	fs_cleanup(handle);
	fs_close(handle);
	assert_int_equal(ram.n_cleanups, 1);
	assert_int_equal(ram.n_closes, 1);
	free(result.data);
	token_unref(token);
	ram_delete(&ram);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_both_context_bits),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_version_0),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_optional_kinds),
		cmocka_unit_test(test_dispatcher_result),
		cmocka_unit_test(test_dispatcher),
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_mount_on_file),
		cmocka_unit_test(test_long_mount_option),
		cmocka_unit_test(test_notify_arguments),
		cmocka_unit_test(test_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
