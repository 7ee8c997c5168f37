/*
 * log.c
 *		Lines on standard error, and counters for Prometheus.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "limit.h"
#include "log.h"
#include "pool.h"

#define MAX_ROUTES 32
/* Upper ends of the histogram's buckets, in milliseconds; the last one has no end */
static const int bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000};
#define BOUNDS ((int) (sizeof(bounds) / sizeof(bounds[0])))

typedef struct RouteFigures
{
	const char *route;
	unsigned long by_class[6]; /* of the status: 2 is 2xx */
} RouteFigures;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool log_requests;
static RouteFigures routes[MAX_ROUTES];
static int route_count;
static unsigned long buckets[BOUNDS + 1];
static unsigned long long total_microseconds;

void
log_start(bool requests)
{
	log_requests = requests;
}

void
log_error(const char *format, ...)
{
	char line[1000];
	va_list values;

	va_start(values, format);
	vsnprintf(line, sizeof(line), format, values);
	va_end(values);
	log_make_line(line);
	fprintf(stderr, "sales_crm_portal: %s\n", line);
}

void
log_request(const char *method, const char *route, const char *tail, int status,
			long long microseconds, const char *address)
{
	int bucket = 0;
	int i;

	while (bucket < BOUNDS && microseconds > bounds[bucket] * 1000LL)
		bucket++;
	pthread_mutex_lock(&lock);
	for (i = 0; i < route_count && strcmp(routes[i].route, route) != 0; i++)
		;
	if (i == route_count && route_count < MAX_ROUTES)
		routes[route_count++].route = route;
	if (i < MAX_ROUTES && status >= 100 && status < 600)
		routes[i].by_class[status / 100]++;
	buckets[bucket]++;
	total_microseconds += (unsigned long long) microseconds;
	pthread_mutex_unlock(&lock);
	if (log_requests)
		fprintf(stderr, "%s %s %s%s %d %.1f ms\n", address, method, route, tail, status,
				(double) microseconds / 1000);
}

void
log_metrics(Buffer *out)
{
	PoolFigures pool = pool_figures();
	LimitFigures limits = limit_figures();
	unsigned long sum = 0;

	buffer_text(out, "# HELP sales_crm_portal_requests_total Requests answered.\n"
					 "# TYPE sales_crm_portal_requests_total counter\n");
	pthread_mutex_lock(&lock);
	for (int i = 0; i < route_count; i++)
	{
		for (int class = 1; class < 6; class ++)
		{
			if (routes[i].by_class[class] > 0)
				buffer_printf(out,
							  "sales_crm_portal_requests_total{route=\"%s\",status=\"%dxx\"} %lu\n",
							  routes[i].route, class, routes[i].by_class[class]);
		}
	}
	buffer_text(out, "# HELP sales_crm_portal_request_seconds Time to answer a request.\n"
					 "# TYPE sales_crm_portal_request_seconds histogram\n");
	for (int i = 0; i < BOUNDS; i++)
	{
		sum += buckets[i];
		buffer_printf(out, "sales_crm_portal_request_seconds_bucket{le=\"%g\"} %lu\n",
					  bounds[i] / 1000.0, sum);
	}
	sum += buckets[BOUNDS];
	buffer_printf(out,
				  "sales_crm_portal_request_seconds_bucket{le=\"+Inf\"} %lu\n"
				  "sales_crm_portal_request_seconds_sum %.6f\n"
				  "sales_crm_portal_request_seconds_count %lu\n",
				  sum, (double) total_microseconds / 1e6, sum);
	pthread_mutex_unlock(&lock);
	buffer_printf(
		out,
		"# HELP sales_crm_portal_connections Connections of clients now.\n"
		"# TYPE sales_crm_portal_connections gauge\n"
		"sales_crm_portal_connections %d\n"
		"# HELP sales_crm_portal_limited_total Requests and connections refused by a limit.\n"
		"# TYPE sales_crm_portal_limited_total counter\n"
		"sales_crm_portal_limited_total %lu\n"
		"# HELP sales_crm_portal_database_connections Connections to the database now.\n"
		"# TYPE sales_crm_portal_database_connections gauge\n"
		"sales_crm_portal_database_connections{state=\"open\"} %d\n"
		"sales_crm_portal_database_connections{state=\"busy\"} %d\n"
		"# HELP sales_crm_portal_database_calls_total Calls of the database.\n"
		"# TYPE sales_crm_portal_database_calls_total counter\n"
		"sales_crm_portal_database_calls_total %lu\n"
		"# HELP sales_crm_portal_database_failures_total Calls for which there was no database.\n"
		"# TYPE sales_crm_portal_database_failures_total counter\n"
		"sales_crm_portal_database_failures_total %lu\n",
		limits.connections, limits.refused, pool.open, pool.busy, pool.calls, pool.failures);
}
