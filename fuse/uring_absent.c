/* Built without liburing: every session runs on /dev/fuse and says so. */
#include "fuse/session_priv.h"

#include <errno.h>
#include <stdio.h>

int
fusek_uring_prepare(struct fusek_session *session, char *why, size_t why_size)
{
	snprintf(why, why_size, "built without liburing");
	return -ENOSYS;
}

bool
fusek_uring_register(struct fusek_session *session, char *why, size_t why_size)
{
	return false;
}

void
fusek_uring_cancel(struct fusek_session *session)
{
}
