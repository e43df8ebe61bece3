/*
 * Which libfuse we say we are: the one whose layouts we honour, since programs print it and some
 * compare it with what they were built for.
 */
#include "api/fuse/layout.h"

#include <pthread.h>
#include <stdio.h>

static char pkgversion[32];
static pthread_once_t pkgversion_once = PTHREAD_ONCE_INIT;

int
fuse_version(void)
{
	const struct libfuse_version *v = fapi_layout_release();

	/* the scale changed with the first minor number of two digits */
	if (v->major < 3 || v->minor < 10)
		return (int)(v->major * 10 + v->minor);
	return (int)FUSE_MAKE_VERSION(v->major, v->minor);
}

static void
pkgversion_write(void)
{
	const struct libfuse_version *v = fapi_layout_release();

	snprintf(pkgversion, sizeof(pkgversion), "%u.%u.%u", v->major, v->minor, v->hotfix);
}

const char *
fuse_pkgversion(void)
{
	pthread_once(&pkgversion_once, pkgversion_write);
	return pkgversion;
}
