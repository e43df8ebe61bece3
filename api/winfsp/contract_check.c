/*
 * The engine's messages (fs/contract.h) and the public ones (winfsp/fsctl.h) are one layout under
 * two names. Checked here field by field; no code.
 */
#include "api/winfsp/priv.h"

#define SIZED(a, b) _Static_assert(sizeof(a) == sizeof(b), #a)
#define SAME(a, af, b, bf)                                                               \
	_Static_assert(offsetof(a, af) == offsetof(b, bf) &&                             \
			       sizeof(((a *)0)->af) == sizeof(((b *)0)->bf),             \
		       #a "." #af)
#define REQ(theirs, ours) SAME(FSP_FSCTL_TRANSACT_REQ, theirs, struct fs_req, ours)
#define RSP(theirs, ours) SAME(FSP_FSCTL_TRANSACT_RSP, theirs, struct fs_rsp, ours)
/* theirs is a bit field: what comes before it is checked instead. */
#define AT(type, field, at) _Static_assert(offsetof(type, field) == (at), #type "." #field)

SIZED(FSP_FSCTL_TRANSACT_REQ, struct fs_req);
SIZED(FSP_FSCTL_TRANSACT_RSP, struct fs_rsp);
SIZED(FSP_FSCTL_TRANSACT_BUF, struct fs_buf);
SIZED(FSP_FSCTL_TRANSACT_FULL_CONTEXT, struct fs_context);
SIZED(FSP_FSCTL_FILE_INFO, struct fs_file_info);
SIZED(FSP_FSCTL_VOLUME_INFO, struct fs_volume_info);
SIZED(FSP_FSCTL_DIR_INFO, struct fs_dir_info);
SIZED(FSP_FSCTL_STREAM_INFO, struct fs_stream_info);
SIZED(FSP_FSCTL_NOTIFY_INFO, struct fs_notify_info);
SIZED(FSPX_RANGE, struct fs_range);
_Static_assert(FSP_FSCTL_TRANSACT_REQ_SIZEMAX == FS_REQ_SIZE_MAX, "REQ_SIZEMAX");
_Static_assert(FSP_FSCTL_TRANSACT_RSP_SIZEMAX == FS_RSP_SIZE_MAX, "RSP_SIZEMAX");
_Static_assert(sizeof(WCHAR) == sizeof(uint16_t), "WCHAR");

SAME(FSP_FSCTL_FILE_INFO, FileAttributes, struct fs_file_info, attributes);
SAME(FSP_FSCTL_FILE_INFO, ReparseTag, struct fs_file_info, reparse_tag);
SAME(FSP_FSCTL_FILE_INFO, AllocationSize, struct fs_file_info, allocation_size);
SAME(FSP_FSCTL_FILE_INFO, FileSize, struct fs_file_info, file_size);
SAME(FSP_FSCTL_FILE_INFO, CreationTime, struct fs_file_info, creation_time);
SAME(FSP_FSCTL_FILE_INFO, LastAccessTime, struct fs_file_info, last_access_time);
SAME(FSP_FSCTL_FILE_INFO, LastWriteTime, struct fs_file_info, last_write_time);
SAME(FSP_FSCTL_FILE_INFO, ChangeTime, struct fs_file_info, change_time);
SAME(FSP_FSCTL_FILE_INFO, IndexNumber, struct fs_file_info, index_number);
SAME(FSP_FSCTL_FILE_INFO, HardLinks, struct fs_file_info, hard_links);
SAME(FSP_FSCTL_FILE_INFO, EaSize, struct fs_file_info, ea_size);
SAME(FSP_FSCTL_VOLUME_INFO, TotalSize, struct fs_volume_info, total_size);
SAME(FSP_FSCTL_VOLUME_INFO, FreeSize, struct fs_volume_info, free_size);
SAME(FSP_FSCTL_VOLUME_INFO, VolumeLabelLength, struct fs_volume_info, label_size);
SAME(FSP_FSCTL_VOLUME_INFO, VolumeLabel, struct fs_volume_info, label);
SAME(FSP_FSCTL_DIR_INFO, Size, struct fs_dir_info, size);
SAME(FSP_FSCTL_DIR_INFO, FileInfo, struct fs_dir_info, info);
SAME(FSP_FSCTL_DIR_INFO, NextOffset, struct fs_dir_info, next_offset);
SAME(FSP_FSCTL_STREAM_INFO, StreamSize, struct fs_stream_info, stream_size);
SAME(FSP_FSCTL_STREAM_INFO, StreamAllocationSize, struct fs_stream_info, allocation_size);
SAME(FSP_FSCTL_NOTIFY_INFO, Filter, struct fs_notify_info, filter);
SAME(FSP_FSCTL_NOTIFY_INFO, Action, struct fs_notify_info, action);

REQ(Version, version);
REQ(Size, size);
REQ(Kind, kind);
REQ(Hint, hint);
REQ(FileName, file_name);
REQ(Req.Reserved, reserve);
AT(FSP_FSCTL_TRANSACT_REQ, Buffer, offsetof(struct fs_req, buffer));
REQ(Req.Create.CreateOptions, create.options);
REQ(Req.Create.FileAttributes, create.attributes);
REQ(Req.Create.SecurityDescriptor, create.sd);
REQ(Req.Create.AllocationSize, create.allocation_size);
REQ(Req.Create.AccessToken, create.access_token);
REQ(Req.Create.DesiredAccess, create.desired_access);
REQ(Req.Create.GrantedAccess, create.granted_access);
REQ(Req.Create.ShareAccess, create.share_access);
REQ(Req.Create.Ea, create.ea);
REQ(Req.Create.NamedStream, create.named_stream);
REQ(Req.Overwrite.FileAttributes, overwrite.attributes);
REQ(Req.Overwrite.AllocationSize, overwrite.allocation_size);
REQ(Req.Overwrite.Ea, overwrite.ea);
REQ(Req.Read.Address, rw.address);
REQ(Req.Read.Offset, rw.offset);
REQ(Req.Read.Length, rw.length);
REQ(Req.Read.Key, rw.key);
REQ(Req.Write.Address, rw.address);
REQ(Req.Write.Offset, rw.offset);
REQ(Req.Write.Length, rw.length);
REQ(Req.Write.Key, rw.key);
REQ(Req.SetInformation.FileInformationClass, set_info.info_class);
REQ(Req.SetInformation.Info.Allocation.AllocationSize, set_info.allocation.allocation_size);
REQ(Req.SetInformation.Info.Basic.FileAttributes, set_info.basic.attributes);
REQ(Req.SetInformation.Info.Basic.CreationTime, set_info.basic.creation_time);
REQ(Req.SetInformation.Info.Basic.LastAccessTime, set_info.basic.last_access_time);
REQ(Req.SetInformation.Info.Basic.LastWriteTime, set_info.basic.last_write_time);
REQ(Req.SetInformation.Info.Basic.ChangeTime, set_info.basic.change_time);
REQ(Req.SetInformation.Info.DispositionEx.Flags, set_info.disposition_ex.flags);
REQ(Req.SetInformation.Info.EndOfFile.FileSize, set_info.end_of_file.file_size);
REQ(Req.SetInformation.Info.Rename.NewFileName, set_info.rename.new_name);
REQ(Req.SetInformation.Info.Rename.AccessToken, set_info.rename.access_token);
REQ(Req.SetInformation.Info.RenameEx.Flags, set_info.rename.flags);
REQ(Req.SetEa.Ea, set_ea.ea);
REQ(Req.SetVolumeInformation.FsInformationClass, set_volume.info_class);
REQ(Req.SetVolumeInformation.Info.Label.VolumeLabel, set_volume.label);
REQ(Req.QueryDirectory.Address, query_directory.address);
REQ(Req.QueryDirectory.Length, query_directory.length);
REQ(Req.QueryDirectory.Pattern, query_directory.pattern);
REQ(Req.QueryDirectory.Marker, query_directory.marker);
REQ(Req.FileSystemControl.FsControlCode, fs_control.code);
REQ(Req.FileSystemControl.Buffer, fs_control.buffer);
REQ(Req.FileSystemControl.TargetOnFileSystem, fs_control.target_on_volume);
REQ(Req.DeviceControl.IoControlCode, device_control.code);
REQ(Req.DeviceControl.Buffer, device_control.buffer);
REQ(Req.DeviceControl.OutputLength, device_control.output_length);
REQ(Req.SetSecurity.SecurityInformation, set_security.info);
REQ(Req.SetSecurity.SecurityDescriptor, set_security.sd);
/* Contexts of every kind lie where fsp_contexts() takes them. */
#define CONTEXTS(kind)                                                                   \
	AT(FSP_FSCTL_TRANSACT_REQ, Req.kind.UserContext, 16);                            \
	AT(FSP_FSCTL_TRANSACT_REQ, Req.kind.UserContext2, 24)
CONTEXTS(Overwrite);
CONTEXTS(Cleanup);
CONTEXTS(Close);
CONTEXTS(Read);
CONTEXTS(Write);
CONTEXTS(QueryInformation);
CONTEXTS(SetInformation);
CONTEXTS(QueryEa);
CONTEXTS(SetEa);
CONTEXTS(FlushBuffers);
CONTEXTS(QueryDirectory);
CONTEXTS(FileSystemControl);
CONTEXTS(DeviceControl);
CONTEXTS(QuerySecurity);
CONTEXTS(SetSecurity);
CONTEXTS(QueryStreamInformation);

RSP(Version, version);
RSP(Size, size);
RSP(Kind, kind);
RSP(Hint, hint);
RSP(IoStatus.Information, information);
RSP(IoStatus.Status, status);
RSP(Rsp.Reserved, reserve);
AT(FSP_FSCTL_TRANSACT_RSP, Buffer, offsetof(struct fs_rsp, buffer));
RSP(Rsp.Create.Opened.UserContext, create.ctx.user_context);
RSP(Rsp.Create.Opened.UserContext2, create.ctx.user_context2);
RSP(Rsp.Create.Opened.GrantedAccess, create.granted_access);
RSP(Rsp.Create.Opened.SecurityDescriptor, create.sd);
RSP(Rsp.Create.Opened.FileInfo, create.info);
RSP(Rsp.Create.Opened.FileName, create.file_name);
RSP(Rsp.Create.Reparse.Buffer, reparse.buffer);
RSP(Rsp.Overwrite.FileInfo, file.info);
RSP(Rsp.Write.FileInfo, file.info);
RSP(Rsp.QueryInformation.FileInfo, file.info);
RSP(Rsp.SetInformation.FileInfo, file.info);
RSP(Rsp.QueryEa.Ea, query_ea.ea);
RSP(Rsp.SetEa.FileInfo, set_ea.info);
RSP(Rsp.SetEa.Ea, set_ea.ea);
RSP(Rsp.FlushBuffers.FileInfo, file.info);
RSP(Rsp.QueryVolumeInformation.VolumeInfo, volume.info);
RSP(Rsp.SetVolumeInformation.VolumeInfo, volume.info);
RSP(Rsp.FileSystemControl.Buffer, data.buffer);
RSP(Rsp.DeviceControl.Buffer, data.buffer);
RSP(Rsp.QuerySecurity.SecurityDescriptor, data.buffer);
RSP(Rsp.SetSecurity.SecurityDescriptor, data.buffer);
RSP(Rsp.QueryStreamInformation.Buffer, data.buffer);
