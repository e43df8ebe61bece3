#include "fs-fake.h"

#include <stdio.h>
#include "fs/security/sd.h"

size_t
units(const char *text, uint16_t *dst)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		dst[i] = (uint8_t)text[i];
	return n;
}

static void
to_text(const uint16_t *name, size_t n_units, char *dst)
{
	size_t n = n_units < FAKE_NAME - 1 ? n_units : FAKE_NAME - 1;

	for (size_t i = 0; i < n; i++)
		dst[i] = name[i] < 0x80 ? (char)name[i] : '?';
	dst[n] = 0;
}

static bool
case_folds(const struct fake *f)
{
	return !(fs_volume_get_params(f->volume)->flags & FS_VOL_CASE_SENSITIVE);
}

static bool
same_name(const struct fake *f, const char *a, const char *b)
{
	return case_folds(f) ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

struct fake_file *
fake_find(struct fake *f, const char *name)
{
	for (unsigned i = 0; i < FAKE_FILES; i++)
		for (unsigned k = 0; k < 2; k++)
			if (f->files[i].used && f->files[i].names[k][0] &&
			    same_name(f, f->files[i].names[k], name))
				return &f->files[i];
	return NULL;
}

struct fake_file *
fake_add(struct fake *f, const char *name, uint32_t attributes)
{
	for (unsigned i = 0; i < FAKE_FILES; i++) {
		struct fake_file *file = &f->files[i];

		if (file->used)
			continue;
		memset(file, 0, sizeof(*file));
		file->used = true;
		snprintf(file->names[0], FAKE_NAME, "%s", name);
		file->info.attributes = attributes;
		file->info.index_number = ++f->next_index;
		return file;
	}
	return NULL;
}

static void
parent_of(const char *name, char *dst)
{
	char *slash;

	snprintf(dst, FAKE_NAME, "%s", name);
	slash = strrchr(dst, '\\');
	slash[slash == dst] = 0;
}

static struct fake_file *
of_context(const struct fs_context *ctx)
{
	return (struct fake_file *)(uintptr_t)ctx->user_context;
}

static bool
is_directory(const struct fake_file *file)
{
	return file->info.attributes & FILE_ATTRIBUTE_DIRECTORY;
}

/* ------------------------------------------------------------------ operations */

static NTSTATUS
make_file(struct fake *f, const struct fs_req *req, const char *name, struct fake_file **ret)
{
	char parent[FAKE_NAME];
	struct fake_file *dir;

	if (strchr(name, ':')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)strcspn(name, ":"), name);
		if (!fake_find(f, parent))
			return STATUS_OBJECT_NAME_NOT_FOUND;
	}
	parent_of(name, parent);
	dir = fake_find(f, parent);
	if (!dir)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (!is_directory(dir))
		return STATUS_NOT_A_DIRECTORY;
	*ret = fake_add(f, name, req->create.attributes);
	if (!*ret)
		return STATUS_DISK_FULL;
	if (req->create.ea.size > 0) {
		memcpy((*ret)->ea, req->buffer + req->create.ea.offset, req->create.ea.size);
		(*ret)->ea_size = req->create.ea.size;
	}
	return STATUS_SUCCESS;
}

static NTSTATUS
open_or_make(struct fake *f, const struct fs_req *req, const char *name,
	     struct fake_file **ret_file, uint32_t *ret_information)
{
	static const uint32_t opened[] = {FILE_SUPERSEDED, FILE_OPENED, 0, FILE_OPENED,
					  FILE_OVERWRITTEN, FILE_OVERWRITTEN};
	uint32_t disposition = req->create.options >> 24;
	struct fake_file *file = fake_find(f, name);

	if (file) {
		if (disposition == FILE_CREATE)
			return STATUS_OBJECT_NAME_COLLISION;
		if ((req->create.options & FILE_DIRECTORY_FILE) && !is_directory(file))
			return STATUS_NOT_A_DIRECTORY;
		if ((req->create.options & FILE_NON_DIRECTORY_FILE) && is_directory(file))
			return STATUS_FILE_IS_A_DIRECTORY;
		*ret_file = file;
		*ret_information = opened[disposition];
		return STATUS_SUCCESS;
	}
	if (disposition == FILE_OPEN || disposition == FILE_OVERWRITE)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	*ret_information = FILE_CREATED;
	return make_file(f, req, name, ret_file);
}

static NTSTATUS
do_create(struct fake *f, struct fs_req *req, struct fs_rsp *rsp, const char *name)
{
	char parent[FAKE_NAME];
	struct fake_file *file = NULL;
	NTSTATUS st = STATUS_SUCCESS;

	if (req->create.flags & FS_CREATE_OPEN_TARGET_DIRECTORY) {
		rsp->information = fake_find(f, name) ? FILE_EXISTS : FILE_DOES_NOT_EXIST;
		parent_of(name, parent);
		file = fake_find(f, parent);
		if (!file)
			return STATUS_OBJECT_PATH_NOT_FOUND;
	} else {
		st = open_or_make(f, req, name, &file, &rsp->information);
	}
	if (!NT_SUCCESS(st))
		return st;
	file->refs++;
	rsp->create.ctx.user_context = (uintptr_t)file;
	rsp->create.ctx.user_context2 = ++f->next_context2;
	rsp->create.granted_access =
		req->create.granted_access |
		(req->create.desired_access & MAXIMUM_ALLOWED ? FILE_ALL_ACCESS :
								req->create.desired_access);
	rsp->create.info = file->info;
	return STATUS_SUCCESS;
}

static void
drop_streams(struct fake *f, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; i < FAKE_FILES; i++)
		if (f->files[i].used && strncmp(f->files[i].names[0], name, n) == 0 &&
		    f->files[i].names[0][n] == ':')
			f->files[i].names[0][0] = 0;
}

static NTSTATUS
do_cleanup(struct fake *f, struct fs_req *req, const char *name)
{
	struct fake_file *file = of_context(&req->cleanup.ctx);

	if (!(req->cleanup.flags & FS_CLEANUP_DELETE))
		return STATUS_SUCCESS;
	drop_streams(f, name);
	for (unsigned k = 0; k < 2; k++)
		if (same_name(f, file->names[k], name))
			file->names[k][0] = 0;
	return STATUS_SUCCESS;
}

static NTSTATUS
do_close(struct fs_req *req)
{
	struct fake_file *file = of_context(&req->close.ctx);

	assert_true(file->refs > 0);
	if (--file->refs == 0 && !file->names[0][0] && !file->names[1][0])
		file->used = false;
	return STATUS_SUCCESS;
}

static NTSTATUS
do_read(struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->rw.ctx);
	uint64_t size = file->info.file_size, at = req->rw.offset;

	if (at >= size)
		return STATUS_END_OF_FILE;
	rsp->information = (uint32_t)MIN((uint64_t)req->rw.length, size - at);
	memcpy((void *)(uintptr_t)req->rw.address, file->data + at, rsp->information);
	return STATUS_SUCCESS;
}

static NTSTATUS
do_write(struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->rw.ctx);
	uint64_t at = req->rw.offset == FS_OFFSET_APPEND ? file->info.file_size : req->rw.offset;

	if (at > FAKE_DATA || req->rw.length > FAKE_DATA - at)
		return STATUS_DISK_FULL;
	memcpy(file->data + at, (void *)(uintptr_t)req->rw.address, req->rw.length);
	file->info.file_size = MAX(file->info.file_size, at + req->rw.length);
	rsp->information = req->rw.length;
	rsp->file.info = file->info;
	return STATUS_SUCCESS;
}

static void
move_names(struct fake *f, const char *from, const char *to)
{
	size_t n = strlen(from);

	for (unsigned i = 0; i < FAKE_FILES; i++) {
		char *name = f->files[i].names[0], moved[2 * FAKE_NAME];

		if (!f->files[i].used || strncasecmp(name, from, n) != 0 ||
		    (name[n] != 0 && name[n] != '\\' && name[n] != ':'))
			continue;
		snprintf(moved, sizeof(moved), "%s%s", to, name + n);
		snprintf(name, FAKE_NAME, "%.*s", FAKE_NAME - 1, moved);
	}
}

static NTSTATUS
do_rename(struct fake *f, struct fs_req *req, const char *name, struct fs_buf new_buf,
	  bool replace)
{
	char to[FAKE_NAME];
	struct fake_file *target;

	to_text((uint16_t *)(req->buffer + new_buf.offset), new_buf.size / 2 - 1, to);
	target = fake_find(f, to);
	if (target && target != of_context(&req->set_info.ctx)) {
		if (!replace)
			return STATUS_OBJECT_NAME_COLLISION;
		if (is_directory(target))
			return STATUS_ACCESS_DENIED;
		target->names[0][0] = 0;
	}
	if (!same_name(f, name, to))
		drop_streams(f, to);
	move_names(f, name, to);
	return STATUS_SUCCESS;
}

static bool
has_children(struct fake *f, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; i < FAKE_FILES; i++)
		if (f->files[i].used && strncmp(f->files[i].names[0], name, n) == 0 &&
		    f->files[i].names[0][n] == '\\')
			return true;
	return false;
}

static NTSTATUS
do_set_info(struct fake *f, struct fs_req *req, struct fs_rsp *rsp, const char *name)
{
	struct fake_file *file = of_context(&req->set_info.ctx);
	NTSTATUS st = STATUS_SUCCESS;

	switch (req->set_info.info_class) {
	case FileBasicInformation:
		if (req->set_info.basic.attributes != INVALID_FILE_ATTRIBUTES)
			file->info.attributes = req->set_info.basic.attributes;
		if (req->set_info.basic.last_write_time != 0)
			file->info.last_write_time = req->set_info.basic.last_write_time;
		break;
	case FileEndOfFileInformation:
		file->info.file_size = MIN(req->set_info.end_of_file.file_size,
					   (uint64_t)FAKE_DATA);
		break;
	case FileAllocationInformation:
		file->info.allocation_size = req->set_info.allocation.allocation_size;
		break;
	case FileDispositionInformation:
	case FileDispositionInformationEx:
		if (req->set_info.disposition.delete_file & 1) {
			if (has_children(f, name))
				return STATUS_DIRECTORY_NOT_EMPTY;
			if ((file->info.attributes & FILE_ATTRIBUTE_READONLY) &&
			    !(req->set_info.disposition_ex.flags &
			      FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE))
				return STATUS_CANNOT_DELETE;
		}
		break;
	case FileRenameInformation:
	case FileRenameInformationEx:
		st = do_rename(f, req, name, req->set_info.rename.new_name,
			       req->set_info.rename.access_token != 0);
		break;
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
	rsp->file.info = file->info;
	return st;
}

static bool
put_dir_entry(uint8_t *list, uint32_t cap, uint32_t *at, const char *name,
	      const struct fs_file_info *info, uint64_t next_offset)
{
	struct fs_dir_info *entry = (struct fs_dir_info *)(list + *at);
	uint32_t size = (uint32_t)(sizeof(*entry) + 2 * strlen(name));

	if (size > cap - *at)
		return false;
	memset(entry, 0, sizeof(*entry));
	entry->size = (uint16_t)size;
	entry->info = *info;
	entry->next_offset = next_offset;
	units(name, entry->name);
	*at = MIN(ALIGN_UP(*at + size, 8), cap);
	return true;
}

static NTSTATUS
do_query_directory(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *dir = of_context(&req->query_directory.ctx);
	uint8_t *list = (uint8_t *)(uintptr_t)req->query_directory.address;
	char prefix[FAKE_NAME], marker[FAKE_NAME] = "";
	uint32_t at = 0, cap = req->query_directory.length;
	unsigned n = 0, i = 0;

	snprintf(prefix, sizeof(prefix), "%.298s%s", dir->names[0],
		 dir->names[0][1] ? "\\" : "");
	if (req->query_directory.marker.size > 0) {
		uint8_t *at_marker = req->buffer + req->query_directory.marker.offset;

		if (fs_volume_get_params(f->volume)->flags & FS_VOL_MARKER_AS_NEXT_OFFSET) {
			memcpy(&n, at_marker, sizeof(n));
			i = n;
			n = 0;
		} else {
			to_text((uint16_t *)at_marker,
				req->query_directory.marker.size / 2 - 1, marker);
		}
	}
	bool found = marker[0] == 0;
	for (; i < FAKE_FILES; i++) {
		const char *name = f->files[i].names[0];
		size_t n_prefix = strlen(prefix);

		if (!f->files[i].used || strncmp(name, prefix, n_prefix) != 0 ||
		    !name[n_prefix] || strpbrk(name + n_prefix, "\\:"))
			continue;
		if (!found) {
			found = strcmp(name + n_prefix, marker) == 0;
			continue;
		}
		if ((f->slice > 0 && n == f->slice) ||
		    !put_dir_entry(list, cap, &at, name + n_prefix, &f->files[i].info, i + 1)) {
			rsp->information = at;
			return STATUS_SUCCESS;
		}
		n++;
	}
	if (cap - at >= 2) {
		memset(list + at, 0, 2);
		at += 2;
	}
	rsp->information = at;
	return STATUS_SUCCESS;
}

static NTSTATUS
do_streams(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->query_streams.ctx);
	size_t n = strlen(file->names[0]);
	uint32_t at = 0;

	for (unsigned i = 0; i < FAKE_FILES; i++) {
		const char *name = f->files[i].names[0];
		struct fs_stream_info *entry = (struct fs_stream_info *)(rsp->buffer + at);

		if (!f->files[i].used || strncmp(name, file->names[0], n) != 0 || name[n] != ':')
			continue;
		memset(entry, 0, sizeof(*entry));
		entry->size = (uint16_t)(sizeof(*entry) + 2 * strlen(name + n + 1));
		units(name + n + 1, entry->name);
		at += ALIGN_UP((uint32_t)entry->size, 8);
	}
	rsp->data.buffer = (struct fs_buf){0, (uint16_t)at};
	rsp->size = (uint16_t)(rsp->size + at);
	return STATUS_SUCCESS;
}

static void
put_answer(struct fs_rsp *rsp, struct fs_buf *buf, const void *bytes, uint32_t size)
{
	memcpy(rsp->buffer, bytes, size);
	*buf = (struct fs_buf){0, (uint16_t)size};
	rsp->size = (uint16_t)(FS_RSP_HEADER_SIZE + size);
}

static NTSTATUS
do_security(struct fs_rsp *rsp)
{
	void *sd;
	size_t size;
	NTSTATUS st = sddl_parse("O:BAG:BAD:P(A;;FA;;;WD)", &sd, &size, NULL);

	if (!NT_SUCCESS(st))
		return st;
	put_answer(rsp, &rsp->data.buffer, sd, (uint32_t)size);
	free(sd);
	return STATUS_SUCCESS;
}

static NTSTATUS
do_fs_control(struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->fs_control.ctx);
	struct fs_buf in = req->fs_control.buffer;

	switch (req->fs_control.code) {
	case FSCTL_SET_REPARSE_POINT:
		memcpy(file->reparse, req->buffer + in.offset, in.size);
		file->reparse_size = in.size;
		file->info.attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
		return STATUS_SUCCESS;
	case FSCTL_DELETE_REPARSE_POINT:
		file->reparse_size = 0;
		file->info.attributes &= ~FILE_ATTRIBUTE_REPARSE_POINT;
		return STATUS_SUCCESS;
	default:
		if (file->reparse_size == 0)
			return STATUS_NOT_A_REPARSE_POINT;
		put_answer(rsp, &rsp->data.buffer, file->reparse, file->reparse_size);
		return STATUS_SUCCESS;
	}
}

static NTSTATUS
do_link(struct fake *f, struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->link.ctx);
	char to[FAKE_NAME];

	to_text((uint16_t *)(req->buffer + req->link.new_name.offset),
		req->link.new_name.size / 2 - 1, to);
	if (fake_find(f, to))
		return STATUS_OBJECT_NAME_COLLISION;
	snprintf(file->names[file->names[0][0] ? 1 : 0], FAKE_NAME, "%s", to);
	file->info.hard_links = 2;
	rsp->file.info = file->info;
	return STATUS_SUCCESS;
}

static NTSTATUS
do_ea(struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->set_ea.ctx);

	if (req->kind == FS_KIND_SET_EA) {
		memcpy(file->ea, req->buffer + req->set_ea.ea.offset, req->set_ea.ea.size);
		file->ea_size = req->set_ea.ea.size;
		rsp->set_ea.info = file->info;
	} else {
		put_answer(rsp, &rsp->query_ea.ea, file->ea, file->ea_size);
	}
	return STATUS_SUCCESS;
}

static NTSTATUS
do_overwrite(struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake_file *file = of_context(&req->overwrite.ctx);

	file->info.file_size = 0;
	file->info.attributes = req->overwrite.attributes;
	file->ea_size = 0;
	rsp->file.info = file->info;
	return STATUS_SUCCESS;
}

static NTSTATUS
do_by_name(struct fake *f, struct fs_rsp *rsp, const char *name)
{
	struct fake_file *file = fake_find(f, name);

	if (!file)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	rsp->by_name.info = file->info;
	return STATUS_SUCCESS;
}

static NTSTATUS
answer(struct fake *f, struct fs_req *req, struct fs_rsp *rsp, const char *name)
{
	switch (req->kind) {
	case FS_KIND_CREATE:
		return do_create(f, req, rsp, name);
	case FS_KIND_OVERWRITE:
		return do_overwrite(req, rsp);
	case FS_KIND_CLEANUP:
		return do_cleanup(f, req, name);
	case FS_KIND_CLOSE:
		return do_close(req);
	case FS_KIND_READ:
		return do_read(req, rsp);
	case FS_KIND_WRITE:
		return do_write(req, rsp);
	case FS_KIND_QUERY_INFO:
		rsp->file.info = of_context(&req->query_info.ctx)->info;
		return STATUS_SUCCESS;
	case FS_KIND_SET_INFO:
		return do_set_info(f, req, rsp, name);
	case FS_KIND_QUERY_EA:
	case FS_KIND_SET_EA:
		return do_ea(req, rsp);
	case FS_KIND_FLUSH:
	case FS_KIND_QUERY_VOLUME:
	case FS_KIND_SET_VOLUME:
	case FS_KIND_SET_SECURITY:
		return STATUS_SUCCESS;
	case FS_KIND_QUERY_DIRECTORY:
		return do_query_directory(f, req, rsp);
	case FS_KIND_FS_CONTROL:
		return do_fs_control(req, rsp);
	case FS_KIND_QUERY_SECURITY:
		return do_security(rsp);
	case FS_KIND_QUERY_STREAMS:
		return do_streams(f, req, rsp);
	case FS_KIND_LINK:
		return do_link(f, req, rsp);
	case FS_KIND_QUERY_BY_NAME:
		return do_by_name(f, rsp, name);
	default:
		return STATUS_INVALID_DEVICE_REQUEST;
	}
}

static void
record(struct fake *f, const struct fs_req *req, const char *name)
{
	struct fake_record *r;

	if (!f->keep_records || f->n_records == FAKE_RECORDS)
		return;
	r = &f->records[f->n_records++];
	memset(r, 0, sizeof(*r));
	r->kind = req->kind;
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->ctx = req->close.ctx;
	if (req->kind == FS_KIND_SET_INFO)
		r->info_class = req->set_info.info_class;
	if (req->kind == FS_KIND_CLEANUP)
		r->flags = req->cleanup.flags;
	if (req->kind == FS_KIND_CREATE)
		r->flags = req->create.flags;
}

static void
transact(void *program, struct fs_req *req, struct fs_rsp *rsp)
{
	struct fake *f = program;
	char name[FAKE_NAME] = "";

	if (req->file_name.size > 0)
		to_text((uint16_t *)req->buffer, req->file_name.size / 2 - 1, name);
	mutex_lock(&f->lock);
	record(f, req, name);
	mutex_unlock(&f->lock);
	if (f->hook && f->hook(f, req, rsp))
		return;
	mutex_lock(&f->lock);
	rsp->status = answer(f, req, rsp, name);
	mutex_unlock(&f->lock);
}

/* ------------------------------------------------------------------ life, helpers */

struct fs_volume_params
fake_params(uint32_t flags)
{
	return (struct fs_volume_params){.flags = flags};
}

struct fake *
fake_create(const struct fs_volume_params *params)
{
	static const struct fs_volume_ops ops = {transact};
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	mutex_init(&f->lock);
	f->keep_records = true;
	assert_status(fs_volume_create(params, &ops, f, &f->volume), STATUS_SUCCESS);
	fake_add(f, "\\", FILE_ATTRIBUTE_DIRECTORY);
	assert_status(token_create_posix(0, 0, 0, &f->token), STATUS_SUCCESS);
	return f;
}

/* Every open must have been closed. */
void
fake_destroy(struct fake *f)
{
	fs_volume_destroy(f->volume);
	for (unsigned i = 0; i < FAKE_FILES; i++)
		if (f->files[i].used)
			assert_int_equal(f->files[i].refs, 0);
	token_unref(f->token);
	mutex_fini(&f->lock);
	free(f);
}

unsigned
fake_count(const struct fake *f, uint32_t kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_records; i++)
		n += f->records[i].kind == kind;
	return n;
}

const struct fake_record *
fake_last(const struct fake *f, uint32_t kind)
{
	for (unsigned i = f->n_records; i-- > 0;)
		if (f->records[i].kind == kind)
			return &f->records[i];
	return NULL;
}

void
fake_forget(struct fake *f)
{
	f->n_records = 0;
}

NTSTATUS
fake_open(struct fake *f, const char *name, uint32_t access, uint32_t share,
	  uint32_t disposition, uint32_t options, struct fs_handle **ret_handle)
{
	uint16_t wide[9000];
	struct fs_open_result result;
	struct fs_open_params params = {
		.name = wide,
		.n_units = units(name, wide),
		.desired_access = access,
		.share_access = share,
		.disposition = disposition,
		.options = options,
		.token = f->token,
		.flags = f->open_flags,
	};
	NTSTATUS st = fs_create(f->volume, &params, &result, ret_handle);

	free(result.data);
	return st;
}

struct fs_handle *
must_open(struct fake *f, const char *name, uint32_t access, uint32_t share,
	  uint32_t disposition, uint32_t options)
{
	struct fs_handle *h = NULL;

	assert_status(fake_open(f, name, access, share, disposition, options, &h),
		      STATUS_SUCCESS);
	return h;
}

void
done(struct fs_handle *h)
{
	fs_cleanup(h);
	fs_close(h);
}

NTSTATUS
fake_rename(struct fs_handle *h, struct fs_handle *directory, const char *name, uint32_t flags,
	    bool ex)
{
	uint16_t wide[600];
	size_t n = units(name, wide);

	return fs_rename(h, directory, wide, n, flags, ex);
}

void
handle_name(struct fs_handle *h, char *dst)
{
	uint16_t wide[FAKE_NAME];
	int n = fs_handle_name(h, wide, FAKE_NAME);

	assert_true(n > 0);
	to_text(wide, (size_t)n, dst);
}
