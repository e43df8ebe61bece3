/* Characters that stand for others in text. */
#ifndef USERDRIVE_BASE_TEXT_ESCAPE_H
#define USERDRIVE_BASE_TEXT_ESCAPE_H

/* 0 to 15, or -1: no hexadecimal digit (of either case; the locale does not matter). */
int hex_digit_value(char c);

/* In place: /proc/PID/mountinfo and fstab write space, tab, newline and backslash as \ooo. */
void unescape_octal(char *s);

#endif
