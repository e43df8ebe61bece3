/*
 * libfuse_config.h: which libfuse these headers stand for.
 *
 * Programs hand the three numbers to the library (struct libfuse_version), which thereby knows the
 * layouts that the program was built with.
 */
#ifndef LIBFUSE_CONFIG_H_
#define LIBFUSE_CONFIG_H_

#define FUSE_MAJOR_VERSION 3
#define FUSE_MINOR_VERSION 18
#define FUSE_HOTFIX_VERSION 2

/* Calls whose signature changed keep one name; the symbol version tells them apart. */
#define LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS 1

#endif
