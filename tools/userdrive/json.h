/* As much of reading JSON as the answers of our own control sockets need. */
#ifndef USERDRIVE_TOOLS_JSON_H
#define USERDRIVE_TOOLS_JSON_H

#include "base/compiler.h"

/* Top-level member of an object as text (strings unescaped, others as they stand); false when it
 * is not there or dst is too small. */
bool json_get(const char *object, const char *key, char *dst, size_t cap);
/* The same of an array's item; false also behind the last one. */
bool json_item(const char *array, size_t index, char *dst, size_t cap);

#endif
