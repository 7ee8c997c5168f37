/*
 * quote_rule.h
 *		Statuses of quotes, and which may follow which, for quote.c.
 */
#ifndef SCRM_QUOTE_RULE_H
#define SCRM_QUOTE_RULE_H

#include "postgres.h"

#include "row.h"

typedef enum QuoteStatus
{
	QUOTE_DRAFT,
	QUOTE_SENT,
	QUOTE_VIEWED,
	QUOTE_SIGNED,
	QUOTE_CHANGE_REQUESTED,
	QUOTE_DECLINED,
	QUOTE_EXPIRED,
	QUOTE_WITHDRAWN,
	QUOTE_SUPERSEDED,
} QuoteStatus;

#define QUOTE_STATUSES (QUOTE_SUPERSEDED + 1)

extern const char *const quote_status_names[QUOTE_STATUSES];

/* Sets of statuses */
#define IN(status) (1 << (status))
#define IN_OPEN (IN(QUOTE_SENT) | IN(QUOTE_VIEWED))
#define IN_ANSWERED (IN(QUOTE_SIGNED) | IN(QUOTE_CHANGE_REQUESTED) | IN(QUOTE_DECLINED))

/* The two versions of a row */
typedef struct QuoteChange
{
	Row old_row;
	Row new_row;
	QuoteStatus from;
	QuoteStatus to;
} QuoteChange;

/* Errors: 23514 for a status that is not known */
extern QuoteStatus quote_status(const Row *quote);
extern QuoteStatus quote_status_named(const char *name);

/* Whether the last day of a quote is over, in the company's time zone */
extern bool quote_is_past(const Row *quote);

/* The names of the statuses in a set, for people */
extern char *quote_status_list(int set);

/* Whether a rule has the change of status, and what it asks for is there */
extern bool quote_may_become(const QuoteChange *change);

/* The statuses that may follow one, where what their rules ask for is there */
extern int quote_next_statuses(QuoteStatus from);

#endif /* SCRM_QUOTE_RULE_H */
