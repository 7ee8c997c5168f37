/*
 * clock.h
 *		Time that only goes forwards.
 */
#ifndef PORTAL_CLOCK_H
#define PORTAL_CLOCK_H

#include <time.h>

static inline long long
clock_microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static inline long long
clock_milliseconds(void)
{
	return clock_microseconds() / 1000;
}

#endif /* PORTAL_CLOCK_H */
