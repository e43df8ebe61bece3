/*
 * Names: bytes on the POSIX side, UTF-16 on the NT side.
 *
 * The volume engine works in UTF-16, because everything that rules a name there is defined on
 * 16-bit units: the 255-unit component limit, the case rule, wildcards, and the contract with
 * the file system program. POSIX names are converted once, at the door.
 *
 * The map round-trips every POSIX name (docs/architecture.md, "Names"):
 *  - well-formed UTF-8 maps to its UTF-16;
 *  - bytes 01h-1Fh and " * : < > ? \ | , which NT names cannot hold, travel as U+F000|c;
 *  - a byte b >= 80h that is not part of well-formed UTF-8 travels as U+F000|b;
 *  - a real U+F0xx character that could be mistaken for one of these is escaped byte by byte
 *    (the others, such as U+F041, stay themselves, so that NT names with them can be opened);
 *  - a lone surrogate from the NT side is its three WTF-8 bytes.
 */
#ifndef USERDRIVE_BASE_TEXT_NAMES_H
#define USERDRIVE_BASE_TEXT_NAMES_H

#include "base/compiler.h"

enum {
	NAME_MAX_BYTES = 255,     /* POSIX component, as NAME_MAX */
	NAME_MAX_UNITS = 255,     /* NT component */
	NAME_MAX_UTF8_BYTES = 765 /* 255 units of three bytes each */
};

/*
 * Converts one path component (no '/') or, with TEXT_PATH, a path where '/' becomes '\\'.
 * dst may be NULL to measure. Returns the number of units (no NUL is written), or
 * -ENAMETOOLONG when cap is too small.
 */
enum text_kind { TEXT_COMPONENT, TEXT_PATH };
NODISCARD int name_from_posix(const char *src, size_t n_bytes, enum text_kind kind,
			      uint16_t *dst, size_t cap_units);
/* The inverse; '\\' becomes '/' with TEXT_PATH. Returns bytes, no NUL, or -ENAMETOOLONG. */
NODISCARD int name_to_posix(const uint16_t *src, size_t n_units, enum text_kind kind, char *dst,
			    size_t cap_bytes);

/* Plain UTF-8 (WTF-8) <-> UTF-16 without the name map. NUL-terminated results on the heap. */
NODISCARD int utf16_from_utf8(const char *src, uint16_t **ret_units); /* 0, -EILSEQ, -ENOMEM */
NODISCARD int utf8_from_utf16(const uint16_t *src, char **ret_utf8);  /* 0, -ENOMEM */

size_t utf16_len(const uint16_t *s);
/* NT's upper case: one unit to one unit, by the simple Unicode mapping of the BMP where that
 * can be undone (dotless i is not I). */
uint16_t utf16_upcase(uint16_t c);
void utf16_upcase_n(uint16_t *s, size_t n_units);
/* Ordinal by unit; fold_case compares upper-cased units. <0, 0, >0. */
int utf16_compare(const uint16_t *a, size_t na, const uint16_t *b, size_t nb, bool fold_case);
uint32_t utf16_hash(const uint16_t *s, size_t n_units, bool fold_case);
/* Wildcards * ? and the DOS forms < > " as FsRtlIsNameInExpression; pattern upper-cased by the
 * caller when fold_case. A name longer than 1023 units matches only "*". */
bool utf16_match(const uint16_t *pattern, size_t n_pattern, const uint16_t *name, size_t n_name,
		 bool fold_case);
bool utf16_has_wildcards(const uint16_t *s, size_t n_units);

#endif
