/* What the high-level API sees: the public headers and our own helpers of the language. */
#ifndef USERDRIVE_API_FUSE_HL_API_H
#define USERDRIVE_API_FUSE_HL_API_H

#include "api/fuse/api.h"
#include "base/compiler.h"

#endif
