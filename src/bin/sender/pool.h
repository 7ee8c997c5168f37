/*
 * pool.h
 *		Threads for transfers that libcurl makes the caller wait for.
 *
 * A few more may be given than run at once, so that no thread waits for the loop. Threads stay for
 * the next transfers: there are as many as ever ran at once.
 */
#ifndef SCRM_POOL_H
#define SCRM_POOL_H

#include <stdbool.h>

#include <curl/curl.h>
#include <glib.h>

/* In memory of the caller, who leaves it and the handle alone until it is taken or removed */
typedef struct PoolJob
{
	CURL *easy;
	void *context;
	double begin_before; /* of clock_now(); set by pool_set_deadline() afterwards */
	CURLcode code;
	bool is_late;	/* it was not begun in time: nothing was sent */
	bool has_begun; /* the rest is the pool's */
	gint aborted;	/* atomic */
	GList link;
} PoolJob;

/* Threads wake the loop through its multi handle */
extern void pool_init(CURLM *multi);

/* No job may be left */
extern void pool_finish(void);

/* How many may run at once, from the next one on that begins */
extern void pool_set_limit(int limit);

extern void pool_add(PoolJob *job);
extern void pool_set_deadline(PoolJob *job, double begin_before);

/* One that is over, NULL for none */
extern PoolJob *pool_take(void);

/* Takes a job out, wherever it is; one that runs is aborted and waited for, up to a second */
extern void pool_remove(PoolJob *job);

/*
 * For how long the loop may wait, in seconds, after it has taken all that was over. Where much ends
 * it is not woken for each one.
 */
extern double pool_pause(void);

#endif /* SCRM_POOL_H */
