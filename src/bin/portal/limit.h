/*
 * limit.h
 *		How much one address, or one link, may ask for.
 */
#ifndef PORTAL_LIMIT_H
#define PORTAL_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "config.h"

typedef enum Limit
{
	REQUESTS_OF_ADDRESS,
	ANSWERS_OF_ADDRESS,
	REQUESTS_OF_TOKEN,
	ANSWERS_OF_TOKEN
} Limit;

typedef struct LimitFigures
{
	int connections;
	unsigned long refused;
} LimitFigures;

extern void limit_start(const Config *config);
extern void limit_stop(void);

/* Whether there may be one more connection from an address; NULL is no address. Those that there
 * are get counted by the other two. */
extern bool limit_connection_allowed(const struct in6_addr *address);
extern void limit_connection_open(const struct in6_addr *address);
extern void limit_connection_close(const struct in6_addr *address);

/* Whether one more is within a limit, and counts it. An IPv6 address stands for its /64 */
extern bool limit_address(Limit limit, const struct in6_addr *address);
extern bool limit_token(Limit limit, const char *token);

extern LimitFigures limit_figures(void);

#endif /* PORTAL_LIMIT_H */
