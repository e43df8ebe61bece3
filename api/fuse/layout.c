/*
 * The table of layouts, and the conversions. Each older structure is declared as it was; fields of
 * the same name are copied, so byte order and padding are the compiler's affair.
 */
#include "api/fuse/layout.h"

#include <assert.h>
#include <string.h>

/* ---------------------------------------------------------------- struct fuse_file_info */

struct file_info_29 {
	int flags;
	unsigned long fh_old;
	int writepage;
	unsigned int direct_io : 1;
	unsigned int keep_cache : 1;
	unsigned int flush : 1;
	unsigned int nonseekable : 1;
	unsigned int flock_release : 1;
	unsigned int padding : 27;
	uint64_t fh;
	uint64_t lock_owner;
};

/* 3.0 to 3.14.0; each release in it gave meaning to one more bit. */
struct file_info_30 {
	int flags;
	unsigned int writepage : 1;
	unsigned int direct_io : 1;
	unsigned int keep_cache : 1;
	unsigned int flush : 1;
	unsigned int nonseekable : 1;
	unsigned int flock_release : 1;
	unsigned int cache_readdir : 1; /* from 3.5 */
	unsigned int noflush : 1;       /* from 3.11 */
	unsigned int padding : 24;
	unsigned int padding2 : 32;
	uint64_t fh;
	uint64_t lock_owner;
	uint32_t poll_events;
};

/* 3.14.1 to 3.16: a new bit in the middle. */
struct file_info_3141 {
	int flags;
	unsigned int writepage : 1;
	unsigned int direct_io : 1;
	unsigned int keep_cache : 1;
	unsigned int parallel_direct_writes : 1;
	unsigned int flush : 1;
	unsigned int nonseekable : 1;
	unsigned int flock_release : 1;
	unsigned int cache_readdir : 1;
	unsigned int noflush : 1;
	unsigned int padding : 23;
	unsigned int padding2 : 32;
	uint64_t fh;
	uint64_t lock_owner;
	uint32_t poll_events;
};

#define EACH_FILE_INFO_29(f) \
	f(flags) f(writepage) f(direct_io) f(keep_cache) f(flush) f(nonseekable) \
	f(flock_release) f(fh) f(lock_owner)
#define EACH_FILE_INFO_30(f) EACH_FILE_INFO_29(f) f(poll_events)
#define EACH_FILE_INFO_35(f) EACH_FILE_INFO_30(f) f(cache_readdir)
#define EACH_FILE_INFO_311(f) EACH_FILE_INFO_35(f) f(noflush)
#define EACH_FILE_INFO_3141(f) EACH_FILE_INFO_311(f) f(parallel_direct_writes)

/* fields that this layout lacks stay as they are in ours and are zero in theirs */
#define COPY(field) to->field = from->field;
#define FILE_INFO(name, type, each) \
	static void file_info_from_##name(struct fuse_file_info *ours, const void *theirs) \
	{ \
		const type *from = theirs; \
		struct fuse_file_info *to = ours; \
\
		each(COPY) \
	} \
	static void file_info_to_##name(void *theirs, const struct fuse_file_info *ours) \
	{ \
		const struct fuse_file_info *from = ours; \
		type *to = theirs; \
\
		memset(to, 0, sizeof(*to)); \
		each(COPY) \
	}

FILE_INFO(30, struct file_info_30, EACH_FILE_INFO_30)
FILE_INFO(35, struct file_info_30, EACH_FILE_INFO_35)
FILE_INFO(311, struct file_info_30, EACH_FILE_INFO_311)
FILE_INFO(3141, struct file_info_3141, EACH_FILE_INFO_3141)
FILE_INFO(29_plain, struct file_info_29, EACH_FILE_INFO_29)

static void
file_info_from_29(struct fuse_file_info *ours, const void *theirs)
{
	const struct file_info_29 *from = theirs;

	file_info_from_29_plain(ours, theirs);
	/* an int there, a bit here */
	ours->writepage = from->writepage != 0;
}

static void
file_info_to_29(void *theirs, const struct fuse_file_info *ours)
{
	struct file_info_29 *to = theirs;

	file_info_to_29_plain(theirs, ours);
	to->fh_old = (unsigned long)ours->fh;
}

static void
file_info_from_ours(struct fuse_file_info *ours, const void *theirs)
{
	memcpy(ours, theirs, sizeof(*ours));
}

static void
file_info_to_ours(void *theirs, const struct fuse_file_info *ours)
{
	memcpy(theirs, ours, sizeof(*ours));
}

/* ---------------------------------------------------------------- struct fuse_config */

#define CONFIG_HEAD \
	int set_gid; \
	unsigned int gid; \
	int set_uid; \
	unsigned int uid; \
	int set_mode; \
	unsigned int umask; \
	double entry_timeout; \
	double negative_timeout; \
	double attr_timeout; \
	int intr; \
	int intr_signal; \
	int remember; \
	int hard_remove; \
	int use_ino; \
	int readdir_ino; \
	int direct_io; \
	int kernel_cache; \
	int auto_cache;

struct config_30 {
	CONFIG_HEAD
	int ac_attr_timeout_set;
	double ac_attr_timeout;
	int nullpath_ok;
	int show_help;
	char *modules;
	int debug;
};

struct config_311 {
	CONFIG_HEAD
	int no_rofd_flush;
	int ac_attr_timeout_set;
	double ac_attr_timeout;
	int nullpath_ok;
	int show_help;
	char *modules;
	int debug;
};

struct config_3141 {
	CONFIG_HEAD
	int no_rofd_flush;
	int ac_attr_timeout_set;
	double ac_attr_timeout;
	int nullpath_ok;
	int parallel_direct_writes;
	int show_help;
	char *modules;
	int debug;
};

#define EACH_CONFIG_30(f) \
	f(set_gid) f(gid) f(set_uid) f(uid) f(set_mode) f(umask) f(entry_timeout) \
	f(negative_timeout) f(attr_timeout) f(intr) f(intr_signal) f(remember) f(hard_remove) \
	f(use_ino) f(readdir_ino) f(direct_io) f(kernel_cache) f(auto_cache) \
	f(ac_attr_timeout_set) f(ac_attr_timeout) f(nullpath_ok) f(show_help) f(modules) f(debug)
#define EACH_CONFIG_311(f) EACH_CONFIG_30(f) f(no_rofd_flush)
#define EACH_CONFIG_3141(f) EACH_CONFIG_311(f) f(parallel_direct_writes)

#define CONFIG(name, type, each) \
	static void config_from_##name(struct fuse_config *ours, const void *theirs) \
	{ \
		const type *from = theirs; \
		struct fuse_config *to = ours; \
\
		each(COPY) \
	} \
	static void config_to_##name(void *theirs, const struct fuse_config *ours) \
	{ \
		const struct fuse_config *from = ours; \
		type *to = theirs; \
\
		memset(to, 0, sizeof(*to)); \
		each(COPY) \
	}

CONFIG(30, struct config_30, EACH_CONFIG_30)
CONFIG(311, struct config_311, EACH_CONFIG_311)
CONFIG(3141, struct config_3141, EACH_CONFIG_3141)

static void
config_from_ours(struct fuse_config *ours, const void *theirs)
{
	memcpy(ours, theirs, sizeof(*ours));
}

static void
config_to_ours(void *theirs, const struct fuse_config *ours)
{
	memcpy(theirs, ours, sizeof(*ours));
}

/* ---------------------------------------------------------------- struct fuse_conn_info */

struct conn_29 {
	unsigned proto_major;
	unsigned proto_minor;
	unsigned async_read;
	unsigned max_write;
	unsigned max_readahead;
	unsigned capable;
	unsigned want;
	unsigned max_background;
	unsigned congestion_threshold;
	unsigned reserved[23];
};

struct conn_30 {
	unsigned proto_major;
	unsigned proto_minor;
	unsigned max_write;
	unsigned max_read;
	unsigned max_readahead;
	unsigned capable;
	unsigned want;
	unsigned max_background;
	unsigned congestion_threshold;
	unsigned time_gran;
	unsigned reserved[22];
};

#define EACH_CONN_29(f) \
	f(proto_major) f(proto_minor) f(max_write) f(max_readahead) f(capable) f(want) \
	f(max_background) f(congestion_threshold)
#define EACH_CONN_30(f) EACH_CONN_29(f) f(max_read) f(time_gran)

/* Bits of 2.9 that mean something else, or nothing, now. */
#define CAP_29_BIG_WRITES (1u << 5)
#define CAP_29_ALL ((1u << 12) - 1)

static void
conn_want_low(struct fuse_conn_info *conn, uint32_t known)
{
	conn->want_ext = (conn->want_ext & ~(uint64_t)known) | (conn->want & known);
	conn->want = (uint32_t)conn->want_ext;
}

static void
conn_from_29(struct fuse_conn_info *ours, const void *theirs)
{
	const struct conn_29 *from = theirs;
	struct fuse_conn_info *to = ours;
	uint32_t capable = ours->capable;

	EACH_CONN_29(COPY)
	to->capable = capable;
	to->want &= ~CAP_29_BIG_WRITES;
	if (!from->async_read)
		to->want &= ~(uint32_t)FUSE_CAP_ASYNC_READ;
	conn_want_low(to, CAP_29_ALL);
}

static void
conn_to_29(void *theirs, const struct fuse_conn_info *ours)
{
	const struct fuse_conn_info *from = ours;
	struct conn_29 *to = theirs;

	memset(to, 0, sizeof(*to));
	EACH_CONN_29(COPY)
	to->capable = (to->capable & CAP_29_ALL) | CAP_29_BIG_WRITES;
	to->want = (to->want & CAP_29_ALL) | CAP_29_BIG_WRITES;
	to->async_read = (ours->want & FUSE_CAP_ASYNC_READ) != 0;
}

static void
conn_from_30(struct fuse_conn_info *ours, const void *theirs)
{
	const struct conn_30 *from = theirs;
	struct fuse_conn_info *to = ours;

	EACH_CONN_30(COPY)
	conn_want_low(to, UINT32_MAX);
}

static void
conn_to_30(void *theirs, const struct fuse_conn_info *ours)
{
	const struct fuse_conn_info *from = ours;
	struct conn_30 *to = theirs;

	memset(to, 0, sizeof(*to));
	EACH_CONN_30(COPY)
}

static void
conn_from_ours(struct fuse_conn_info *ours, const void *theirs)
{
	memcpy(ours, theirs, sizeof(*ours));
}

static void
conn_to_ours(void *theirs, const struct fuse_conn_info *ours)
{
	memcpy(theirs, ours, sizeof(*ours));
}

/* ---------------------------------------------------------------- the table */

struct buf_29 {
	size_t size;
	enum fuse_buf_flags flags;
	void *mem;
	int fd;
	off_t pos;
};

static_assert(offsetof(struct fuse_buf, mem_size) == sizeof(struct buf_29),
	      "older pieces are a prefix of ours");
static_assert(sizeof(struct conn_29) == sizeof(struct fuse_conn_info), "one size for all");
static_assert(sizeof(struct conn_30) == sizeof(struct fuse_conn_info), "one size for all");
static_assert(sizeof(union fapi_file_info_store) >= sizeof(struct file_info_29), "room");
static_assert(sizeof(union fapi_config_store) >= sizeof(struct config_3141), "room");

/* Up to 3.11 fuse_cmdline_opts ended before max_threads. */
#define CMDLINE_30 offsetof(struct fuse_cmdline_opts, max_threads)
#define CMDLINE_OURS sizeof(struct fuse_cmdline_opts)
#define PTRS(n) ((n) * sizeof(void *))

#define FILE_INFO_FNS(name) \
	.file_info_from = file_info_from_##name, .file_info_to = file_info_to_##name
#define CONFIG_FNS(name) .config_from = config_from_##name, .config_to = config_to_##name
#define CONN_FNS(name) .conn_from = conn_from_##name, .conn_to = conn_to_##name

static const struct fapi_layout layouts[] = {
	{ "2.9.0", { 2, 9, 0, 0 }, sizeof(struct file_info_29), 0, PTRS(45), PTRS(41),
	  sizeof(struct buf_29), 0, FILE_INFO_FNS(29), CONN_FNS(29) },
	{ "3.0.0", { 3, 0, 0, 0 }, sizeof(struct file_info_30), sizeof(struct config_30), PTRS(40),
	  PTRS(42), sizeof(struct buf_29), CMDLINE_30, FILE_INFO_FNS(30), CONFIG_FNS(30),
	  CONN_FNS(30) },
	{ "3.4.0", { 3, 4, 0, 0 }, sizeof(struct file_info_30), sizeof(struct config_30), PTRS(41),
	  PTRS(43), sizeof(struct buf_29), CMDLINE_30, FILE_INFO_FNS(30), CONFIG_FNS(30),
	  CONN_FNS(30) },
	{ "3.5.0", { 3, 5, 0, 0 }, sizeof(struct file_info_30), sizeof(struct config_30), PTRS(41),
	  PTRS(43), sizeof(struct buf_29), CMDLINE_30, FILE_INFO_FNS(35), CONFIG_FNS(30),
	  CONN_FNS(30) },
	{ "3.8.0", { 3, 8, 0, 0 }, sizeof(struct file_info_30), sizeof(struct config_30), PTRS(42),
	  PTRS(44), sizeof(struct buf_29), CMDLINE_30, FILE_INFO_FNS(35), CONFIG_FNS(30),
	  CONN_FNS(30) },
	{ "3.11.0", { 3, 11, 0, 0 }, sizeof(struct file_info_30), sizeof(struct config_311),
	  PTRS(42), PTRS(44), sizeof(struct buf_29), CMDLINE_30, FILE_INFO_FNS(311),
	  CONFIG_FNS(311), CONN_FNS(30) },
	{ "3.12.0", { 3, 12, 0, 0 }, sizeof(struct file_info_30), sizeof(struct config_311),
	  PTRS(42), PTRS(44), sizeof(struct buf_29), CMDLINE_OURS, FILE_INFO_FNS(311),
	  CONFIG_FNS(311), CONN_FNS(30) },
	{ "3.14.1", { 3, 14, 1, 0 }, sizeof(struct file_info_3141), sizeof(struct config_3141),
	  PTRS(42), PTRS(44), sizeof(struct buf_29), CMDLINE_OURS, FILE_INFO_FNS(3141),
	  CONFIG_FNS(3141), CONN_FNS(30) },
	{ "3.17.0", { 3, 17, 0, 0 }, sizeof(struct fuse_file_info), sizeof(struct fuse_config),
	  PTRS(42), PTRS(45), sizeof(struct fuse_buf), CMDLINE_OURS, FILE_INFO_FNS(ours),
	  CONFIG_FNS(ours), CONN_FNS(ours) },
	{ "3.18.0", { 3, 18, 0, 0 }, sizeof(struct fuse_file_info), sizeof(struct fuse_config),
	  sizeof(struct fuse_operations), sizeof(struct fuse_lowlevel_ops),
	  sizeof(struct fuse_buf), CMDLINE_OURS, FILE_INFO_FNS(ours), CONFIG_FNS(ours),
	  CONN_FNS(ours) },
};
#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

const struct fapi_layout *
fapi_layout_all(size_t *ret_n)
{
	*ret_n = N_LAYOUTS;
	return layouts;
}

const struct fapi_layout *
fapi_layout_newest(void)
{
	return &layouts[N_LAYOUTS - 1];
}

static bool
version_before(const struct libfuse_version *a, const struct libfuse_version *b)
{
	if (a->major != b->major)
		return a->major < b->major;
	if (a->minor != b->minor)
		return a->minor < b->minor;
	return a->hotfix < b->hotfix;
}

const struct fapi_layout *
fapi_layout_of_version(const struct libfuse_version *version)
{
	size_t i = N_LAYOUTS;

	if (!version || version->major == 0)
		return fapi_layout_library();
	while (--i > 0 && version_before(version, &layouts[i].version))
		;
	return &layouts[i];
}

void
fapi_ops_take(void *ours, size_t our_size, const void *op, size_t op_size)
{
	size_t n = op_size < our_size ? op_size : our_size;

	memset(ours, 0, our_size);
	if (op)
		memcpy(ours, op, n);
}
