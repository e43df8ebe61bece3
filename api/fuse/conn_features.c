#include "api/fuse/conn_features.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Kept in conn->reserved, which no program knows. Unaligned there. */
struct noted {
	uint64_t want_ext;
	uint32_t want;
	uint32_t valid; /* NOTED_VALID */
};
#define NOTED_VALID 0x64756677u

static_assert(sizeof(struct noted) <= sizeof(((struct fuse_conn_info *)NULL)->reserved), "room");

static uint32_t
low_bits(uint64_t flags)
{
	return (uint32_t)flags;
}

static struct noted
noted_get(const struct fuse_conn_info *conn)
{
	struct noted noted;

	memcpy(&noted, conn->reserved, sizeof(noted));
	if (noted.valid != NOTED_VALID)
		noted = (struct noted){ 0 };
	return noted;
}

void
fapi_features_note_defaults(struct fuse_conn_info *conn)
{
	struct noted noted = { conn->want_ext, low_bits(conn->want_ext), NOTED_VALID };

	conn->capable = low_bits(conn->capable_ext);
	conn->want = noted.want;
	memcpy(conn->reserved, &noted, sizeof(noted));
}

/*
 * Flags set by these functions go to both forms, and to what was noted: a program may also change
 * the 32-bit form of other flags by hand.
 */
static void
flags_replace(struct fuse_conn_info *conn, uint64_t clear, uint64_t set)
{
	struct noted noted = noted_get(conn);

	conn->want_ext = (conn->want_ext & ~clear) | set;
	conn->want = (conn->want & ~low_bits(clear)) | low_bits(set);
	if (noted.valid) {
		noted.want_ext = (noted.want_ext & ~clear) | set;
		noted.want = (noted.want & ~low_bits(clear)) | low_bits(set);
		memcpy(conn->reserved, &noted, sizeof(noted));
	}
}

bool
fuse_set_feature_flag(struct fuse_conn_info *conn, uint64_t flag)
{
	if ((conn->capable_ext & flag) == 0)
		return false;
	flags_replace(conn, 0, flag);
	return true;
}

void
fuse_unset_feature_flag(struct fuse_conn_info *conn, uint64_t flag)
{
	flags_replace(conn, flag, 0);
}

bool
fuse_get_feature_flag(struct fuse_conn_info *conn, uint64_t flag)
{
	return (conn->capable_ext & flag) != 0;
}

int
fuse_convert_to_conn_want_ext(struct fuse_conn_info *conn)
{
	struct noted noted = noted_get(conn);
	bool want_changed = conn->want != noted.want;

	if (want_changed && low_bits(conn->want_ext) != conn->want) {
		if (conn->want_ext != noted.want_ext) {
			fuse_log(FUSE_LOG_ERR,
				 "fuse: init changed both want (0x%x) and want_ext (0x%llx)\n",
				 conn->want, (unsigned long long)conn->want_ext);
			return -EINVAL;
		}
		conn->want_ext = (conn->want_ext & ~(uint64_t)UINT32_MAX) | conn->want;
	}
	return 0;
}
