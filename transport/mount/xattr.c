/*
 * Extended attributes (design §3): user.* are NT EAs (eas.h) or, by option, streams; NT-only
 * metadata has the names that ntfs-3g made known. security.* and trusted.* are not kept.
 *
 *  system.ntfs_acl            the descriptor, self-relative
 *  system.ntfs_attrib[_be]    32-bit attributes, host order or big-endian
 *  system.ntfs_times[_be]     64-bit FILETIMEs: creation, last write, last access, change
 *  system.ntfs_crtime[_be]    creation alone
 *  system.ntfs_reparse_data   the reparse buffer
 *  system.ntfs_ea             the whole EA list
 *
 * They are not listed, as with ntfs-3g: tools that copy all that is listed would fail elsewhere.
 */
#include "transport/mount/door_priv.h"

#include <endian.h>
#include <linux/xattr.h>
#include "base/text/names.h"
#include "fs/security/sd.h"
#include "transport/mount/eas.h"

/* What a GETXATTR or LISTXATTR is to answer, gathered before the reply is built. */
struct value {
	void *bytes; /* heap */
	size_t n;
};

struct xattr {
	struct door *d;
	struct fusek_req *req;
	struct door_node *node;
	const char *name;  /* without "user." for user attributes */
	const void *value; /* set */
	size_t n_value;
	uint32_t flags; /* XATTR_CREATE, XATTR_REPLACE */
};

static void
value_fini(struct value *v)
{
	free(v->bytes);
}

static int
value_copy(struct value *v, const void *bytes, size_t n)
{
	v->bytes = malloc(n ? n : 1);
	if (!v->bytes)
		return -ENOMEM;
	if (n)
		memcpy(v->bytes, bytes, n);
	v->n = n;
	return 0;
}

/* ---------------------------------------------------------------- NT metadata */

static int
get_acl(struct xattr *x, struct fs_handle *fs, struct value *ret_value)
{
	uint32_t size;
	NTSTATUS st = fs_query_security(fs, &ret_value->bytes, &size);

	if (!NT_SUCCESS(st))
		return st == STATUS_INVALID_DEVICE_REQUEST ? -ENODATA : -door_errno(st);
	ret_value->n = size;
	return 0;
}

static int
set_acl(struct xattr *x, struct fs_handle *fs)
{
	struct sid sid;
	uint32_t info = 0;
	NTSTATUS st;

	if (!sd_valid(x->value, x->n_value))
		return -EINVAL;
	info |= sd_owner(x->value, &sid) ? SD_OWNER : 0;
	info |= sd_group(x->value, &sid) ? SD_GROUP : 0;
	info |= sd_dacl_state(x->value) != SD_ACL_ABSENT ? SD_DACL : 0;
	st = fs_set_security(fs, info, x->value);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static bool
is_big_endian(const struct xattr *x)
{
	size_t n = strlen(x->name);

	return n > 3 && strcmp(x->name + n - 3, "_be") == 0;
}

static int
get_attrib(struct xattr *x, struct fs_handle *fs, struct value *ret_value)
{
	struct fs_file_info info;
	NTSTATUS st = fs_query_info(fs, &info);
	uint32_t attributes;

	if (!NT_SUCCESS(st))
		return -door_errno(st);
	attributes = is_big_endian(x) ? htobe32(info.attributes) : info.attributes;
	return value_copy(ret_value, &attributes, sizeof(attributes));
}

static int
set_basic(struct fs_handle *fs, const struct fs_basic_info *basic)
{
	struct fs_file_info info;
	NTSTATUS st = fs_set_basic(fs, basic, &info);

	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static int
set_attrib(struct xattr *x, struct fs_handle *fs)
{
	/* What a caller may choose; the others follow from what the file is. */
	const uint32_t settable = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN |
				  FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE |
				  FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_OFFLINE |
				  FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;
	struct fs_basic_info basic = {0};
	struct fs_file_info info;
	uint32_t attributes;
	NTSTATUS st;

	if (x->n_value != sizeof(attributes))
		return -EINVAL;
	memcpy(&attributes, x->value, sizeof(attributes));
	if (is_big_endian(x))
		attributes = be32toh(attributes);
	st = fs_query_info(fs, &info);
	if (!NT_SUCCESS(st))
		return -door_errno(st);
	basic.attributes = (info.attributes & ~settable) | (attributes & settable);
	if (basic.attributes == 0) /* 0 means "leave" */
		basic.attributes = FILE_ATTRIBUTE_NORMAL;
	return set_basic(fs, &basic);
}

enum { N_TIMES = 4 };

/* How many times a name carries. */
static size_t
times_of(const struct xattr *x)
{
	return strncmp(x->name, "system.ntfs_crtime", 18) == 0 ? 1 : N_TIMES;
}

static int
get_times(struct xattr *x, struct fs_handle *fs, struct value *ret_value)
{
	struct fs_file_info info;
	NTSTATUS st = fs_query_info(fs, &info);
	uint64_t times[N_TIMES];

	if (!NT_SUCCESS(st))
		return -door_errno(st);
	times[0] = info.creation_time;
	times[1] = info.last_write_time;
	times[2] = info.last_access_time;
	times[3] = info.change_time;
	for (size_t i = 0; i < N_TIMES && is_big_endian(x); i++)
		times[i] = htobe64(times[i]);
	return value_copy(ret_value, times, times_of(x) * sizeof(*times));
}

static int
set_times(struct xattr *x, struct fs_handle *fs)
{
	struct fs_basic_info basic = {.attributes = INVALID_FILE_ATTRIBUTES};
	uint64_t times[N_TIMES] = {0};
	size_t n = x->n_value / sizeof(*times);

	if (n == 0 || n > times_of(x) || x->n_value % sizeof(*times) != 0)
		return -EINVAL;
	memcpy(times, x->value, x->n_value);
	for (size_t i = 0; i < N_TIMES && is_big_endian(x); i++)
		times[i] = be64toh(times[i]);
	basic.creation_time = times[0];
	basic.last_write_time = times[1];
	basic.last_access_time = times[2];
	basic.change_time = times[3];
	return set_basic(fs, &basic);
}

static int
get_reparse(struct xattr *x, struct fs_handle *fs, struct value *ret_value)
{
	uint32_t size;
	NTSTATUS st;

	ret_value->bytes = malloc(MAXIMUM_REPARSE_DATA_BUFFER_SIZE);
	if (!ret_value->bytes)
		return -ENOMEM;
	st = fs_get_reparse(fs, ret_value->bytes, MAXIMUM_REPARSE_DATA_BUFFER_SIZE, &size);
	if (st == STATUS_NOT_A_REPARSE_POINT || st == STATUS_INVALID_DEVICE_REQUEST)
		return -ENODATA;
	if (!NT_SUCCESS(st))
		return -door_errno(st);
	ret_value->n = size;
	return 0;
}

static int
set_reparse(struct xattr *x, struct fs_handle *fs)
{
	NTSTATUS st = x->n_value <= MAXIMUM_REPARSE_DATA_BUFFER_SIZE ?
			      fs_set_reparse(fs, x->value, (uint32_t)x->n_value) :
			      STATUS_IO_REPARSE_DATA_INVALID;

	door_node_set_extras(&x->d->nodes, x->node, &(struct door_extras){0});
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

/* The point is named by the header of what is there (winfsp-fsctl §21). */
static int
remove_reparse(struct xattr *x, struct fs_handle *fs)
{
	CLEANUP(value_fini) struct value current = {0};
	uint32_t tag;
	uint32_t header;
	NTSTATUS st;
	int err = get_reparse(x, fs, &current);

	if (err)
		return err;
	memcpy(&tag, current.bytes, sizeof(tag));
	header = IsReparseTagMicrosoft(tag) ? REPARSE_DATA_BUFFER_HEADER_SIZE :
					      REPARSE_GUID_DATA_BUFFER_HEADER_SIZE;
	memset((char *)current.bytes + 4, 0, 4);
	st = fs_delete_reparse(fs, current.bytes, header);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static int
get_ea_list(struct xattr *x, struct fs_handle *fs, struct value *ret_value)
{
	uint32_t size;
	NTSTATUS st = fs_query_ea(fs, &ret_value->bytes, &size);

	if (!NT_SUCCESS(st) && st != STATUS_INVALID_DEVICE_REQUEST)
		return -door_errno(st);
	if (!NT_SUCCESS(st) || size == 0)
		return -ENODATA;
	ret_value->n = size;
	return 0;
}

static int
set_ea_list(struct xattr *x, struct fs_handle *fs)
{
	NTSTATUS st = fs_set_ea(fs, x->value, (uint32_t)x->n_value, NULL);

	if (st == STATUS_EA_LIST_INCONSISTENT || st == STATUS_INVALID_EA_NAME)
		return -EINVAL;
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static const struct {
	const char *name;
	int (*get)(struct xattr *x, struct fs_handle *fs, struct value *ret_value);
	int (*set)(struct xattr *x, struct fs_handle *fs);
	int (*remove)(struct xattr *x, struct fs_handle *fs);
} nt_names[] = {
	{"system.ntfs_acl", get_acl, set_acl, NULL},
	{"system.ntfs_attrib", get_attrib, set_attrib, NULL},
	{"system.ntfs_attrib_be", get_attrib, set_attrib, NULL},
	{"system.ntfs_times", get_times, set_times, NULL},
	{"system.ntfs_times_be", get_times, set_times, NULL},
	{"system.ntfs_crtime", get_times, set_times, NULL},
	{"system.ntfs_crtime_be", get_times, set_times, NULL},
	{"system.ntfs_reparse_data", get_reparse, set_reparse, remove_reparse},
	{"system.ntfs_ea", get_ea_list, set_ea_list, NULL},
};

static int
nt_index(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(nt_names); i++)
		if (strcmp(nt_names[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* ---------------------------------------------------------------- user.* as EAs */

static int
query_list(struct fs_handle *fs, struct value *ret_list)
{
	uint32_t size;
	NTSTATUS st = fs_query_ea(fs, &ret_list->bytes, &size);

	if (!NT_SUCCESS(st))
		return -door_errno(st);
	ret_list->n = size;
	return 0;
}

static int
get_user_ea(struct xattr *x, struct fs_handle *fs, struct value *ret_value)
{
	CLEANUP(value_fini) struct value list = {0};
	const uint8_t *bytes;
	struct fs_ea ea;
	size_t n;
	int err = query_list(fs, &list);

	if (err)
		return err;
	if (door_lx_is_name(x->name, strlen(x->name)) ||
	    !door_ea_find(list.bytes, (uint32_t)list.n, x->name, &ea))
		return -ENODATA;
	bytes = door_ea_value(&ea, &n);
	return value_copy(ret_value, bytes, n);
}

/* Sends one entry: value, or without one the deletion of the EA. */
static int
send_ea(struct fs_handle *fs, const char *ea_name, size_t n_name, const struct xattr *x, bool set)
{
	uint32_t cap = (uint32_t)(x->n_value + DOOR_EA_NAME_MAX + 32), size = 0;
	CLEANUP(free_ptr) void *list = malloc(cap);
	struct fs_ea gone = {.name = ea_name, .n_name = (uint8_t)n_name,
			     .value = (const uint8_t *)""};
	NTSTATUS st;

	if (!list)
		return -ENOMEM;
	if (set)
		size = door_ea_build(ea_name, n_name, x->value, x->n_value, list, cap);
	else if (!fs_ea_append(list, cap, &size, &gone))
		return -ERANGE;
	if (size == 0)
		return -E2BIG;
	st = fs_set_ea(fs, list, size, NULL);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static int
change_user_ea(struct xattr *x, struct fs_handle *fs, bool set)
{
	CLEANUP(value_fini) struct value list = {0};
	char encoded[DOOR_EA_NAME_MAX + 1];
	struct fs_ea ea;
	bool exists;
	int n, err = query_list(fs, &list);

	if (err)
		return err;
	if (door_lx_is_name(x->name, strlen(x->name)))
		return -EPERM;
	exists = door_ea_find(list.bytes, (uint32_t)list.n, x->name, &ea);
	if (exists && (x->flags & XATTR_CREATE))
		return -EEXIST;
	if (!exists && (!set || (x->flags & XATTR_REPLACE)))
		return -ENODATA;
	if (exists) /* as it is spelt there */
		return send_ea(fs, ea.name, ea.n_name, x, set);
	n = door_ea_encode_name(x->name, encoded);
	return n < 0 ? n : send_ea(fs, encoded, (size_t)n, x, set);
}

/* Names into a NUL-separated list. */
static int
add_name(struct value *list, const char *name)
{
	size_t n = strlen(name) + sizeof("user.");
	char *grown = realloc(list->bytes, list->n + n);

	if (!grown)
		return -ENOMEM;
	list->bytes = grown;
	memcpy(grown + list->n, "user.", 5);
	memcpy(grown + list->n + 5, name, n - 5);
	list->n += n;
	return 0;
}

static int
list_user_eas(struct fs_handle *fs, struct value *ret_names)
{
	CLEANUP(value_fini) struct value list = {0};
	char name[DOOR_EA_NAME_MAX + 2];
	uint32_t offset = 0;
	struct fs_ea ea;
	int err = query_list(fs, &list);

	while (!err && fs_ea_next(list.bytes, (uint32_t)list.n, &offset, &ea)) {
		door_ea_decode_name(ea.name, ea.n_name, name);
		if (!door_lx_is_name(name, strlen(name)))
			err = add_name(ret_names, name);
	}
	return err;
}

/* ---------------------------------------------------------------- user.* as streams */

/* As large as the kernel lets an attribute be. */
enum { STREAM_VALUE_MAX = XATTR_SIZE_MAX };

static int
open_stream(struct xattr *x, uint32_t access, uint32_t disposition, struct fs_handle **ret_fs)
{
	CLEANUP(free_ptr) struct door_path *path = malloc(sizeof(*path));
	CLEANUP(door_result_fini) struct fs_open_result result = {0};
	struct fs_open_params params;
	int err = path ? door_node_path(&x->d->nodes, x->node, NULL, 0, path) : -ENOMEM, n;

	if (err)
		return err;
	if (path->n + 1 + 255 > DOOR_PATH_UNITS)
		return -ENAMETOOLONG;
	path->units[path->n++] = ':';
	n = name_from_posix(x->name, strlen(x->name), TEXT_COMPONENT, path->units + path->n, 255);
	if (n < 0)
		return -ERANGE;
	path->n += (size_t)n;
	params = door_open_params(x->d, path, access, NULL);
	params.disposition = disposition;
	err = door_engine_open(x->d, &params, &result, ret_fs);
	if (err == -ENOENT)
		return -ENODATA;
	return err;
}

static int
get_stream(struct xattr *x, struct value *ret_value)
{
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	struct fs_file_info info;
	uint32_t done = 0;
	NTSTATUS st;
	int err = open_stream(x, FILE_READ_DATA | FILE_READ_ATTRIBUTES, FILE_OPEN, &fs);

	if (err)
		return err;
	st = fs_query_info(fs, &info);
	if (!NT_SUCCESS(st))
		return -door_errno(st);
	if (info.file_size > STREAM_VALUE_MAX)
		return -E2BIG;
	ret_value->bytes = malloc(info.file_size + 1);
	if (!ret_value->bytes)
		return -ENOMEM;
	st = info.file_size ? fs_read(fs, ret_value->bytes, 0, (uint32_t)info.file_size, &done) :
			      STATUS_SUCCESS;
	ret_value->n = done;
	return NT_SUCCESS(st) || st == STATUS_END_OF_FILE ? 0 : -door_errno(st);
}

static int
set_stream(struct xattr *x)
{
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	uint32_t disposition = x->flags & XATTR_CREATE	? FILE_CREATE :
			       x->flags & XATTR_REPLACE ? FILE_OPEN :
							  FILE_OPEN_IF;
	struct fs_file_info info;
	uint32_t done;
	NTSTATUS st = STATUS_SUCCESS;
	int err = open_stream(x, FILE_WRITE_DATA | FILE_READ_ATTRIBUTES, disposition, &fs);

	if (err)
		return err;
	err = door_truncate(fs, 0);
	if (!err && x->n_value)
		st = fs_write(fs, x->value, 0, (uint32_t)x->n_value, false, &done, &info);
	return NT_SUCCESS(st) ? err : -door_errno(st);
}

static int
remove_stream(struct xattr *x)
{
	CLEANUP(door_close_handle) struct fs_handle *fs = NULL;
	NTSTATUS st;
	int err = open_stream(x, DELETE, FILE_OPEN, &fs);

	if (err)
		return err;
	st = fs_set_disposition(fs, FILE_DISPOSITION_DELETE, false);
	return NT_SUCCESS(st) ? 0 : -door_errno(st);
}

static int
list_streams(struct fs_handle *fs, struct value *ret_names)
{
	CLEANUP(free_ptr) void *list = NULL;
	const struct fs_stream_info *s;
	char name[NAME_MAX_UTF8_BYTES + 1];
	uint32_t size, offset = 0;
	NTSTATUS st = fs_query_streams(fs, &list, &size);
	int n, err = NT_SUCCESS(st) ? 0 : -door_errno(st);

	while (!err && (s = fs_list_next(list, size, &offset, sizeof(*s), NULL))) {
		n = name_to_posix(s->name, (s->size - sizeof(*s)) / sizeof(uint16_t),
				  TEXT_COMPONENT, name, sizeof(name) - 1);
		if (n <= 0)
			continue; /* the unnamed stream is the file */
		name[n] = '\0';
		err = add_name(ret_names, name);
	}
	return err;
}

/* ---------------------------------------------------------------- requests */

static bool
streams_are_xattrs(const struct door *d)
{
	return d->options.streams == DOOR_STREAMS_XATTR;
}

/* user.*: whoever may read (write) the file's data; NT metadata: to be read by all who see the
 * file, to be changed by the owner. */
static int
check_caller(struct xattr *x, bool user, bool change)
{
	CLEANUP(door_state_fini) struct door_state state = {0};
	struct fuse_attr attr;
	int err;

	if (x->req->uid == 0 || (!user && !change))
		return 0;
	err = door_state_of(x->d, x->node, NULL, &state);
	if (err)
		return err;
	if (user)
		return door_check_state(x->d, x->req, &state,
					change ? FILE_WRITE_DATA : FILE_READ_DATA);
	door_state_attr(x->d, &state, x->node, &attr);
	return attr.uid == x->req->uid ? 0 : -EPERM;
}

static bool
is_user(const char *name)
{
	return strncmp(name, "user.", 5) == 0 && name[5];
}

static int
begin(struct xattr *x, struct door *d, struct fusek_req *req)
{
	*x = (struct xattr){.d = d, .req = req, .name = req->name};
	x->node = door_node_get(&d->nodes, req->nodeid);
	return x->node ? 0 : -ESTALE;
}

static int
get_value(struct xattr *x, struct value *ret_value)
{
	CLEANUP(door_access_end) struct door_access access = {0};
	bool user = is_user(x->name);
	int index = nt_index(x->name), err;
	DOOR_TREE_SHARED(x->d);

	err = check_caller(x, user, false);
	if (err)
		return err;
	x->name += user ? 5 : 0;
	if (user && streams_are_xattrs(x->d))
		return get_stream(x, ret_value);
	if (user && !x->d->has_eas)
		return -EOPNOTSUPP;
	err = door_access_begin(x->d, x->node, NULL, DOOR_READ_STATE, &access);
	if (err)
		return err;
	return user ? get_user_ea(x, access.fs, ret_value) :
		      nt_names[index].get(x, access.fs, ret_value);
}

/* A value, or its size alone, as getxattr(2) and listxattr(2) answer. */
static int
reply_value(struct fusek_req *req, const struct value *v)
{
	const struct fuse_getxattr_in *in = req->arg;
	struct fuse_getxattr_out size = {.size = (uint32_t)v->n};

	if (in->size == 0)
		return door_reply_put(req, &size, sizeof(size));
	if (v->n > in->size || v->n > req->out_cap)
		return -ERANGE;
	return door_reply_put(req, v->n ? v->bytes : "", v->n);
}

/* Without an answer at once, each write would cost a request (security.capability). */
static int
refuse_name(const char *name, int unknown)
{
	if (is_user(name) || nt_index(name) >= 0)
		return 0;
	if (strcmp(name, "user.") == 0)
		return -EINVAL;
	return strcmp(name, "security.capability") == 0 ? unknown : -EOPNOTSUPP;
}

int
door_getxattr(struct door *d, struct fusek_req *req)
{
	CLEANUP(value_fini) struct value value = {0};
	struct xattr x;
	int err = refuse_name(req->name, -ENODATA);

	if (err)
		return err;
	err = begin(&x, d, req);
	if (!err)
		err = get_value(&x, &value);
	door_node_put(&d->nodes, x.node);
	return err ? err : reply_value(req, &value);
}

int
door_listxattr(struct door *d, struct fusek_req *req)
{
	CLEANUP(value_fini) struct value names = {0};
	struct xattr x;
	int err = begin(&x, d, req);

	if (!err && (d->has_eas || streams_are_xattrs(d))) {
		CLEANUP(door_access_end) struct door_access access = {0};
		DOOR_TREE_SHARED(d);

		err = door_access_begin(d, x.node, NULL, DOOR_READ_STATE, &access);
		if (!err)
			err = streams_are_xattrs(d) ? list_streams(access.fs, &names) :
						      list_user_eas(access.fs, &names);
	}
	door_node_put(&d->nodes, x.node);
	return err ? err : reply_value(req, &names);
}

static int
change_stream(struct xattr *x, bool set)
{
	return set ? set_stream(x) : remove_stream(x);
}

static int
change_value(struct xattr *x, bool set)
{
	CLEANUP(door_access_end) struct door_access access = {0};
	bool user = is_user(x->name);
	int index = nt_index(x->name), err;
	DOOR_TREE_SHARED(x->d);

	err = check_caller(x, user, true);
	if (err)
		return err;
	x->name += user ? 5 : 0;
	if (user && streams_are_xattrs(x->d))
		return change_stream(x, set);
	if (user && !x->d->has_eas)
		return -EOPNOTSUPP;
	if (!user && !(set ? nt_names[index].set : nt_names[index].remove))
		return -EOPNOTSUPP;
	err = door_access_begin(x->d, x->node, NULL,
				DOOR_READ_STATE | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES |
					WRITE_DAC | WRITE_OWNER,
				&access);
	if (err)
		return err;
	if (user)
		return change_user_ea(x, access.fs, set);
	return set ? nt_names[index].set(x, access.fs) : nt_names[index].remove(x, access.fs);
}

int
door_setxattr(struct door *d, struct fusek_req *req)
{
	const struct fuse_setxattr_in *in = req->arg;
	struct xattr x;
	int err = refuse_name(req->name, -EOPNOTSUPP);

	if (err)
		return err;
	err = begin(&x, d, req);
	x.value = req->data;
	x.n_value = MIN(in->size, req->data_size);
	x.flags = in->flags;
	if (!err)
		err = change_value(&x, true);
	door_node_put(&d->nodes, x.node);
	return err;
}

int
door_removexattr(struct door *d, struct fusek_req *req)
{
	struct xattr x;
	int err = refuse_name(req->name, -ENODATA);

	if (err)
		return err;
	err = begin(&x, d, req);
	if (!err)
		err = change_value(&x, false);
	door_node_put(&d->nodes, x.node);
	return err;
}
