/*
 * opportunity_guard.h
 *		One row of sales_crm.opportunity on its way into the table: what opportunity.c decides and
 *		opportunity_check.c checks.
 */
#ifndef SCRM_OPPORTUNITY_GUARD_H
#define SCRM_OPPORTUNITY_GUARD_H

#include "postgres.h"

#include "opportunity.h"
#include "transition.h"

/* What the guard knows while it works on the row */
typedef struct Guard
{
	Move move;
	const OpportunityRow *old; /* NULL for INSERT */
	OpportunityRow *new;
	bool follows;	   /* the amount has just been made what product lines come to */
	TimestampTz now;   /* when the transaction began */
	TimestampTz clock; /* the present moment */
} Guard;

/* Whether a column gets another value; every one of a new row does */
static inline bool
guard_changes(const Guard *guard, OpportunityColumn column)
{
	return guard->old == NULL || opportunity_differs(guard->old, guard->new, column);
}

/*
 * Refuses values that no opportunity may have, and rounds the amount to its currency. Errors: 23502,
 * 23503, 23514
 */
extern void guard_check_values(Guard *guard);

/* Refuses to change who an opportunity is and where it comes from. Errors: 23514 */
extern void guard_check_identity(const Guard *guard);

/* Refuses to change what counts of an opportunity that is closed and stays so. Errors: SC004 */
extern void guard_check_frozen(const Guard *guard);

/*
 * Refuses to empty a field that the present phase requires. One that was empty before, since the
 * requirement is newer than the row, does not hold up other changes. Errors: SC003
 */
extern void guard_check_still_filled(const Guard *guard);

#endif /* SCRM_OPPORTUNITY_GUARD_H */
