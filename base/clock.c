#include "base/clock.h"

uint64_t
clock_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_filetime_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return filetime_from_timespec(&ts);
}

uint64_t
filetime_from_timespec(const struct timespec *ts)
{
	int64_t ticks = (int64_t)((uint64_t)ts->tv_sec * FILETIME_PER_SECOND) + ts->tv_nsec / 100;

	return FILETIME_UNIX_EPOCH + (uint64_t)ticks;
}

struct timespec
timespec_from_filetime(uint64_t filetime)
{
	int64_t ticks = (int64_t)(filetime - FILETIME_UNIX_EPOCH);
	int64_t seconds = ticks / (int64_t)FILETIME_PER_SECOND;
	int64_t rest = ticks % (int64_t)FILETIME_PER_SECOND;

	if (rest < 0) {
		rest += (int64_t)FILETIME_PER_SECOND;
		seconds--;
	}
	return (struct timespec){.tv_sec = seconds, .tv_nsec = (long)(rest * 100)};
}
