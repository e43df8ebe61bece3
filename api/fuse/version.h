/*
 * Names in more than one symbol version, and the release that we answer with.
 */
#ifndef USERDRIVE_API_FUSE_VERSION_H
#define USERDRIVE_API_FUSE_VERSION_H

/*
 * Binds a function of this file under another name and version: "name@NODE" for programs linked
 * against an older binding, "name@@NODE" for the one that new links get. The function itself must
 * be visible (FAPI_EXPORT) for the assembler's sake; the version script hides its own name. Used
 * only in files that are linked into the library which has NODE.
 */
#define FAPI_SYMVER(function, name_node) __asm__(".symver " #function "," name_node)
#define FAPI_EXPORT __attribute__((visibility("default"), used))

#endif
