/*
 * quote_lock.h
 *		Locks of a quote and its opportunity.
 */
#ifndef SCRM_QUOTE_LOCK_H
#define SCRM_QUOTE_LOCK_H

#include "postgres.h"

#include "plan.h"

/*
 * Locks the row FOR NO KEY UPDATE until the end of the transaction; mode says what is seen:
 * PLAN_WRITE fails in a transaction with one snapshot (40001) when the row has changed since,
 * PLAN_WRITE_LATEST does not. Nothing is locked where there is no row
 */
extern void quote_lock_opportunity(int64 opportunity_id, PlanMode mode);
extern void quote_lock(int64 quote_id, PlanMode mode);

#endif /* SCRM_QUOTE_LOCK_H */
