/*
 * log.h
 *		Lines on standard error, and counters for Prometheus. No line has a whole token.
 */
#ifndef PORTAL_LOG_H
#define PORTAL_LOG_H

#include <stdbool.h>

#include "../common/log.h"
#include "buffer.h"

extern void log_start(bool requests);

/* A request that has been answered. route is the name of a route; tail begins its token, or is "" */
extern void log_request(const char *method, const char *route, const char *tail, int status,
						long long microseconds, const char *address);

/* The text of /metrics */
extern void log_metrics(Buffer *out);

#endif /* PORTAL_LOG_H */
