/* Clocks, and the FILETIME scale (100 ns since 1601-01-01 UTC) that NT contracts use. */
#ifndef USERDRIVE_BASE_CLOCK_H
#define USERDRIVE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define FILETIME_UNIX_EPOCH 116444736000000000ull
#define FILETIME_PER_SECOND 10000000ull

uint64_t clock_monotonic_ns(void);
uint64_t clock_filetime_now(void);

/* Exact for every time a FILETIME can hold; sub-100 ns digits are cut towards the past. */
uint64_t filetime_from_timespec(const struct timespec *ts);
/* tv_nsec is always 0..999999999, also before 1970. */
struct timespec timespec_from_filetime(uint64_t filetime);

#endif
