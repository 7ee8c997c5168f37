/*
 * pool.c
 *		Threads for transfers that libcurl makes the caller wait for.
 *
 * A job is in the queue to_do, runs, and is in the queue done. All is guarded by one lock, but what a
 * thread does with the handle of its job.
 *
 * The loop is woken by the first job that is done; when it has just taken some, more will follow,
 * and it looks by itself a little later, unless the threads run out of jobs before.
 */
#include <math.h>

#include "../common/clock.h"
#include "pool.h"

/* Seconds after which the loop looks */
#define PAUSE 0.005

static CURLM *multi;
static GMutex lock;
static GCond more;	   /* there is something to do */
static GCond finished; /* the job that pool_remove() waits for */
static GQueue to_do = G_QUEUE_INIT;
static GQueue done = G_QUEUE_INIT;
static GPtrArray *threads; /* of GThread */
static int limit = 1;
static int running = 0;
static int idle = 0; /* threads that wait; a GCond that nobody waits for costs a system call, too */
static const PoolJob *unwanted = NULL;
static bool took_some = false;	/* since the loop last waited */
static bool loop_looks = false; /* by itself, soon */
static bool loop_woken = false;
static bool ends = false;

static void *work(void *context);
static void wake_loop(void);
static int
is_aborted(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up);

void
pool_init(CURLM *of_loop)
{
	multi = of_loop;
	threads = g_ptr_array_new();
}

void
pool_finish(void)
{
	g_mutex_lock(&lock);
	ends = true;
	g_cond_broadcast(&more);
	g_mutex_unlock(&lock);
	for (guint i = 0; i < threads->len; i++)
		g_thread_join(g_ptr_array_index(threads, i));
	g_ptr_array_unref(threads);
}

void
pool_set_limit(int most)
{
	g_mutex_lock(&lock);
	if (most > limit)
		g_cond_broadcast(&more);
	limit = most;
	g_mutex_unlock(&lock);
}

void
pool_add(PoolJob *job)
{
	job->link.data = job;
	curl_easy_setopt(job->easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(job->easy, CURLOPT_XFERINFOFUNCTION, is_aborted);
	curl_easy_setopt(job->easy, CURLOPT_XFERINFODATA, job);
	g_mutex_lock(&lock);
	g_queue_push_tail_link(&to_do, &job->link);
	if ((int) threads->len < MIN(limit, running + (int) to_do.length))
		g_ptr_array_add(threads, g_thread_new("transfer", work, NULL));
	if (idle > 0)
		g_cond_signal(&more);
	g_mutex_unlock(&lock);
}

void
pool_set_deadline(PoolJob *job, double begin_before)
{
	g_mutex_lock(&lock);
	job->begin_before = begin_before;
	g_mutex_unlock(&lock);
}

PoolJob *
pool_take(void)
{
	GList *link;

	g_mutex_lock(&lock);
	link = g_queue_pop_head_link(&done);
	took_some = took_some || link != NULL;
	g_mutex_unlock(&lock);
	return link == NULL ? NULL : link->data;
}

void
pool_remove(PoolJob *job)
{
	g_atomic_int_set(&job->aborted, 1);
	g_mutex_lock(&lock);
	if (job->has_begun)
	{
		unwanted = job;
		while (g_queue_link_index(&done, &job->link) < 0)
			g_cond_wait(&finished, &lock);
		unwanted = NULL;
		g_queue_unlink(&done, &job->link);
	}
	else
		g_queue_unlink(&to_do, &job->link);
	g_mutex_unlock(&lock);
}

double
pool_pause(void)
{
	double pause;

	g_mutex_lock(&lock);
	loop_looks = took_some;
	took_some = false;
	loop_woken = false;
	pause = done.length > 0 ? 0 : loop_looks ? PAUSE : INFINITY;
	g_mutex_unlock(&lock);
	return pause;
}

static void *
work(void *context)
{
	g_mutex_lock(&lock);
	for (;;)
	{
		PoolJob *job;

		idle++;
		while (!ends && (to_do.length == 0 || running >= limit))
			g_cond_wait(&more, &lock);
		idle--;
		if (ends)
			break;
		job = g_queue_pop_head_link(&to_do)->data;
		job->has_begun = true;
		job->is_late = clock_now() >= job->begin_before;
		running++;
		g_mutex_unlock(&lock);
		if (!job->is_late)
			job->code = curl_easy_perform(job->easy);
		g_mutex_lock(&lock);
		running--;
		g_queue_push_tail_link(&done, &job->link);
		if (job == unwanted)
			g_cond_signal(&finished);
		wake_loop();
	}
	g_mutex_unlock(&lock);
	return context;
}

static void
wake_loop(void)
{
	if (loop_woken || (loop_looks && (int) to_do.length > limit / 2))
		return;
	loop_woken = true;
	curl_multi_wakeup(multi);
}

static int
is_aborted(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	PoolJob *job = context;

	(void) down_all, (void) down, (void) up_all, (void) up;
	return g_atomic_int_get(&job->aborted);
}
