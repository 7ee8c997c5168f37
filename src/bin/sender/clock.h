/*
 * clock.h
 *		Seconds of a clock that never goes back; and jitter.
 */
#ifndef SCRM_CLOCK_H
#define SCRM_CLOCK_H

#include <math.h>
#include <stdlib.h>
#include <time.h>

static inline double
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* The pause after the given number of failures: doubled each time, up to most, and half of it by chance */
static inline double
clock_backoff(int failures, double least, double most)
{
	double pause = fmin(most, ldexp(least, failures < 30 ? failures - 1 : 30));

	return pause * (0.5 + 0.5 * drand48());
}

#endif /* SCRM_CLOCK_H */
