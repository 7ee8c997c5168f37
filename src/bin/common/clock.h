/*
 * clock.h
 *		A clock that never goes back; and pauses with jitter.
 */
#ifndef SCRM_CLOCK_H
#define SCRM_CLOCK_H

#include <math.h>
#include <stdlib.h>
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

/* In seconds */
static inline double
clock_now(void)
{
	return (double) clock_microseconds() / 1e6;
}

/* The pause after the given number of failures: doubled each time, up to most, and half of it by chance */
static inline double
clock_backoff(int failures, double least, double most)
{
	double pause = fmin(most, ldexp(least, failures < 30 ? failures - 1 : 30));

	return pause * (0.5 + 0.5 * drand48());
}

#endif /* SCRM_CLOCK_H */
