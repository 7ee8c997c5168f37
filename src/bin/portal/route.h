/*
 * route.h
 *		What may be asked for.
 */
#ifndef PORTAL_ROUTE_H
#define PORTAL_ROUTE_H

#include "page.h"
#include "request.h"

typedef struct Route
{
	const char *path;	 /* TOKEN stands for a part of one's own */
	const char *methods; /* as Allow says them */
	void (*handle)(Request *request);
	bool has_secret; /* TOKEN is one: limited, and cut in the log */
} Route;

/* The route of a request, whose token is filled in; NULL when there is none */
extern const Route *route_find(Request *request);
extern bool route_allows(const Route *route, const char *method);

/* Answers with the page that belongs to a status */
extern void route_error(Request *request, int status);

/* The same with the page named; path is where it leads, or NULL */
extern void route_message(Request *request, int status, PageMessage message, const char *path);

/* The language of pages without a quote, and what stands at the top of all pages */
extern PageFrame route_frame(const Request *request, const char *locale);

#endif /* PORTAL_ROUTE_H */
