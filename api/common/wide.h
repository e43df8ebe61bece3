/* UTF-16 text of the native APIs: conversion, and a printf whose format and strings are wide. */
#ifndef USERDRIVE_API_COMMON_WIDE_H
#define USERDRIVE_API_COMMON_WIDE_H

#include <stdarg.h>
#include "base/buf.h"

/* UTF-8 of a wide string; NULL without memory. Caller frees. */
char *wide_utf8(const uint16_t *s);
/* printf in the manner of Windows: %s is wide, %hs and %S narrow, %l 32 bits. Adds UTF-8 to dst. */
void wide_format(struct buf *dst, const uint16_t *format, va_list ap);

#endif
