/* Drive programs: where userdrive finds them. */
#ifndef USERDRIVE_TOOLS_PROGRAMS_H
#define USERDRIVE_TOOLS_PROGRAMS_H

#include "base/compiler.h"

/* A program that belongs to userdrive: beside it, in ../libexec/userdrive, or in the build tree. */
bool program_find_own(const char *name, char *dst, size_t cap);
/* Becomes the program (argv[0]): by path when the name has a slash, one of our own, or from $PATH.
 * Returns errno. */
int program_exec(char **argv);

#endif
