/*
 * pool.h
 *		Connections to the database, shared by all requests, with their prepared statements.
 *
 * A connection is opened when one is needed and closed when it breaks. While the database is away
 * calls fail at once, but for one try a second; it needs no restart when the database is back.
 */
#ifndef PORTAL_POOL_H
#define PORTAL_POOL_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "config.h"

typedef enum Statement
{
	OPEN_QUOTE,
	QUOTE_DOCUMENT,
	RECORD_VIEW,
	SIGN_QUOTE,
	REQUEST_CHANGE,
	DECLINE_QUOTE,
	QUOTE_PDF,
	REQUEST_SIGNING_CODE,
	PRESENT_SIGNING_CODE,
	FOLLOW_QUOTE,
	CALENDAR,
	ALIVE,
	STATEMENTS
} Statement;

typedef enum Outcome
{
	DONE,		/* result has the rows */
	REFUSED,	/* the database's rules: sqlstate says which */
	UNAVAILABLE /* away, too slow, read-only, or no free connection: try again later */
} Outcome;

typedef struct Reply
{
	Outcome outcome;
	PGresult *result; /* of DONE; its columns are text, or bytes of bytea as they are */
	char sqlstate[6];
	char column[64]; /* which argument was wrong, where the database says so; else "" */
} Reply;

typedef struct PoolFigures
{
	int open;
	int busy;
	unsigned long calls;
	unsigned long failures;
} PoolFigures;

extern void pool_start(const Config *config);
extern void pool_stop(void);

/*
 * Calls a function of the database. values and lengths are as for PQexecPrepared; a length of -1
 * is a text. What broke with its connection is tried once more on another, for all these functions
 * may be repeated: answers carry a request key. The caller clears result.
 */
extern Reply pool_call(Statement statement, const char *const *values, const int *lengths);

extern PoolFigures pool_figures(void);

/* One connection, tried now: NULL, or what is wrong with it and with the rights; for --check */
extern char *pool_check(const Config *config);

#endif /* PORTAL_POOL_H */
