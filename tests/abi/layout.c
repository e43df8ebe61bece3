/*
 * Sizes and offsets of the public structures of the native API, 64-bit, as the original documents
 * them. A program that was compiled against one build of the headers must work with every other.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "winfsp/ext.h"

#define SIZE(type, n) assert_int_equal(sizeof(type), n)
#define OFFSET(type, field, n) assert_int_equal(offsetof(type, field), n)

static void
test_volume_params(void **state)
{
	SIZE(FSP_FSCTL_VOLUME_PARAMS_V0, 456);
	SIZE(FSP_FSCTL_VOLUME_PARAMS, 504);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, SectorSize, 2);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, SectorsPerAllocationUnit, 4);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, MaxComponentLength, 6);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, VolumeCreationTime, 8);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, VolumeSerialNumber, 16);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, TransactTimeout, 20);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, IrpTimeout, 24);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, IrpCapacity, 28);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, FileInfoTimeout, 32);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, Prefix, 40);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, FileSystemName, 424);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, VolumeInfoTimeout, 460);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, DirInfoTimeout, 464);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, SecurityTimeout, 468);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, StreamInfoTimeout, 472);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, EaTimeout, 476);
	OFFSET(FSP_FSCTL_VOLUME_PARAMS, FsextControlCode, 480);
}

/* Flags are bit fields: their numbers show in the word at offset 36. */
static uint32_t
flags_of(const FSP_FSCTL_VOLUME_PARAMS *params)
{
	return ((const uint32_t *)(const void *)params)[36 / 4];
}

#define FLAG(name, bit)                                                                  \
	do {                                                                             \
		FSP_FSCTL_VOLUME_PARAMS p_ = {0};                                        \
		p_.name = 1;                                                             \
		assert_int_equal(flags_of(&p_), 1u << (bit));                            \
	} while (0)

static void
test_volume_flags(void **state)
{
	FLAG(CaseSensitiveSearch, 0);
	FLAG(CasePreservedNames, 1);
	FLAG(UnicodeOnDisk, 2);
	FLAG(PersistentAcls, 3);
	FLAG(ReparsePoints, 4);
	FLAG(ReparsePointsAccessCheck, 5);
	FLAG(NamedStreams, 6);
	FLAG(HardLinks, 7);
	FLAG(ExtendedAttributes, 8);
	FLAG(ReadOnlyVolume, 9);
	FLAG(PostCleanupWhenModifiedOnly, 10);
	FLAG(PassQueryDirectoryPattern, 11);
	FLAG(AlwaysUseDoubleBuffering, 12);
	FLAG(PassQueryDirectoryFileName, 13);
	FLAG(FlushAndPurgeOnCleanup, 14);
	FLAG(DeviceControl, 15);
	FLAG(UmFileContextIsUserContext2, 16);
	FLAG(UmFileContextIsFullContext, 17);
	FLAG(UmNoReparsePointsDirCheck, 18);
	FLAG(AllowOpenInKernelMode, 24);
	FLAG(CasePreservedExtendedAttributes, 25);
	FLAG(WslFeatures, 26);
	FLAG(DirectoryMarkerAsNextOffset, 27);
	FLAG(RejectIrpPriorToTransact0, 28);
	FLAG(SupportsPosixUnlinkRename, 29);
	FLAG(PostDispositionWhenNecessaryOnly, 30);
}

static void
test_data_structures(void **state)
{
	SIZE(FSP_FSCTL_VOLUME_INFO, 88);
	OFFSET(FSP_FSCTL_VOLUME_INFO, VolumeLabelLength, 16);
	OFFSET(FSP_FSCTL_VOLUME_INFO, VolumeLabel, 18);
	SIZE(FSP_FSCTL_FILE_INFO, 72);
	OFFSET(FSP_FSCTL_FILE_INFO, ReparseTag, 4);
	OFFSET(FSP_FSCTL_FILE_INFO, AllocationSize, 8);
	OFFSET(FSP_FSCTL_FILE_INFO, FileSize, 16);
	OFFSET(FSP_FSCTL_FILE_INFO, CreationTime, 24);
	OFFSET(FSP_FSCTL_FILE_INFO, LastAccessTime, 32);
	OFFSET(FSP_FSCTL_FILE_INFO, LastWriteTime, 40);
	OFFSET(FSP_FSCTL_FILE_INFO, ChangeTime, 48);
	OFFSET(FSP_FSCTL_FILE_INFO, IndexNumber, 56);
	OFFSET(FSP_FSCTL_FILE_INFO, HardLinks, 64);
	OFFSET(FSP_FSCTL_FILE_INFO, EaSize, 68);
	SIZE(FSP_FSCTL_OPEN_FILE_INFO, 88);
	OFFSET(FSP_FSCTL_OPEN_FILE_INFO, NormalizedName, 72);
	OFFSET(FSP_FSCTL_OPEN_FILE_INFO, NormalizedNameSize, 80);
	SIZE(FSP_FSCTL_DIR_INFO, 104);
	OFFSET(FSP_FSCTL_DIR_INFO, FileInfo, 8);
	OFFSET(FSP_FSCTL_DIR_INFO, NextOffset, 80);
	OFFSET(FSP_FSCTL_DIR_INFO, FileNameBuf, 104);
	SIZE(FSP_FSCTL_STREAM_INFO, 24);
	OFFSET(FSP_FSCTL_STREAM_INFO, StreamSize, 8);
	OFFSET(FSP_FSCTL_STREAM_INFO, StreamAllocationSize, 16);
	OFFSET(FSP_FSCTL_STREAM_INFO, StreamNameBuf, 24);
	SIZE(FSP_FSCTL_NOTIFY_INFO, 12);
	OFFSET(FSP_FSCTL_NOTIFY_INFO, Filter, 4);
	OFFSET(FSP_FSCTL_NOTIFY_INFO, Action, 8);
	SIZE(FSP_FSCTL_TRANSACT_FULL_CONTEXT, 16);
	SIZE(FSP_FSCTL_TRANSACT_BUF, 4);
	OFFSET(REPARSE_DATA_BUFFER, SymbolicLinkReparseBuffer.PathBuffer, 20);
	OFFSET(REPARSE_DATA_BUFFER, MountPointReparseBuffer.PathBuffer, 16);
	OFFSET(REPARSE_DATA_BUFFER, GenericReparseBuffer.DataBuffer, 8);
	OFFSET(REPARSE_GUID_DATA_BUFFER, GenericReparseBuffer.DataBuffer, 24);
	OFFSET(FILE_FULL_EA_INFORMATION, EaName, 8);
}

static void
test_request(void **state)
{
	SIZE(FSP_FSCTL_TRANSACT_REQ, 88);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Kind, 4);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Hint, 8);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req, 16);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, FileName, 80);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Buffer, 88);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.FileAttributes, 20);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.SecurityDescriptor, 24);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.AllocationSize, 32);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.AccessToken, 40);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.DesiredAccess, 48);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.GrantedAccess, 52);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.ShareAccess, 56);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.Ea, 60);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Create.NamedStream, 72);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Overwrite.AllocationSize, 40);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Overwrite.Ea, 52);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Read.Address, 32);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Read.Offset, 40);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.Read.Length, 48);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.FileInformationClass, 32);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.Info.Basic.CreationTime, 48);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.Info.Rename.AccessToken, 48);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.SetInformation.Info.RenameEx.Flags, 56);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.SetVolumeInformation.Info.Label.VolumeLabel, 20);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.QueryDirectory.Length, 40);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.QueryDirectory.Pattern, 44);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.QueryDirectory.Marker, 48);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.FileSystemControl.Buffer, 36);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.FileSystemControl.TargetOnFileSystem, 40);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.DeviceControl.OutputLength, 40);
	OFFSET(FSP_FSCTL_TRANSACT_REQ, Req.SetSecurity.SecurityDescriptor, 36);
}

static void
test_response(void **state)
{
	SIZE(FSP_FSCTL_TRANSACT_RSP, 128);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, IoStatus.Information, 16);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, IoStatus.Status, 20);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp, 24);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Buffer, 128);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp.Create.Opened.UserContext2, 32);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp.Create.Opened.GrantedAccess, 40);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp.Create.Opened.SecurityDescriptor, 44);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp.Create.Opened.FileInfo, 48);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp.Create.Opened.FileName, 120);
	OFFSET(FSP_FSCTL_TRANSACT_RSP, Rsp.SetEa.Ea, 96);
}

static void
test_objects(void **state)
{
	SIZE(FSP_FILE_SYSTEM, 792);
	OFFSET(FSP_FILE_SYSTEM, UserContext, 8);
	OFFSET(FSP_FILE_SYSTEM, VolumeName, 16);
	OFFSET(FSP_FILE_SYSTEM, VolumeHandle, 528);
	OFFSET(FSP_FILE_SYSTEM, Operations, 552);
	OFFSET(FSP_FILE_SYSTEM, Interface, 728);
	OFFSET(FSP_FILE_SYSTEM, DispatcherResult, 748);
	OFFSET(FSP_FILE_SYSTEM, MountPoint, 752);
	OFFSET(FSP_FILE_SYSTEM, DebugLog, 768);
	OFFSET(FSP_FILE_SYSTEM, OpGuardLock, 776);
	SIZE(FSP_FILE_SYSTEM_INTERFACE, 64 * sizeof(void *));
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, GetSecurityByName, 2 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, Close, 7 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, Rename, 15 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, ReadDirectory, 18 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, GetDirInfoByName, 24 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, SetEa, 30 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, DispatcherStopped, 32 * 8);
	OFFSET(FSP_FILE_SYSTEM_INTERFACE, Reserved, 33 * 8);
}

static void
test_constants(void **state)
{
	assert_int_equal(FSP_FSCTL_TRANSACT_REQ_BUFFER_SIZEMAX, 16232);
	assert_int_equal(FSP_FSCTL_TRANSACT_RSP_BUFFER_SIZEMAX, 16256);
	assert_int_equal(FSP_FSCTL_VOLUME_NAME_SIZEMAX, 512);
	assert_int_equal(FSP_FSCTL_TRANSACT_PATH_SIZEMAX, 2048);
	assert_int_equal(FspFsctlTransactKindCount, 22);
	assert_int_equal(FspFsctlTransactQuerySecurityKind, 19);
	assert_int_equal(sizeof(WCHAR), 2);
	assert_int_equal(sizeof(ULONG), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume_params), cmocka_unit_test(test_volume_flags),
		cmocka_unit_test(test_data_structures), cmocka_unit_test(test_request),
		cmocka_unit_test(test_response), cmocka_unit_test(test_objects),
		cmocka_unit_test(test_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
