/*
 * quote_lock.c
 *		Locks quotes, in the order of all: the opportunity, then the quote.
 *
 * Memory: none but the plans'.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"

#include "compat.h"
#include "quote_lock.h"

/* The quote that was locked last, and by whom: locked it stays, unless that is undone */
static struct
{
	FullTransactionId transaction;
	SubTransactionId subtransaction;
	int64 quote_id;
} locked;

static void lock_row(ScrmPlan *plan, int64 key, PlanMode mode);

void
quote_lock_opportunity(int64 opportunity_id, PlanMode mode)
{
	static ScrmPlan plan = {
		.sql = "SELECT FROM sales_crm.opportunity WHERE opportunity_id = $1 FOR NO KEY UPDATE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};

	lock_row(&plan, opportunity_id, mode);
}

void
quote_lock(int64 quote_id, PlanMode mode)
{
	static ScrmPlan plan = {
		.sql = "SELECT FROM sales_crm.quote WHERE quote_id = $1 FOR NO KEY UPDATE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	FullTransactionId transaction = GetTopFullTransactionId();

	if (locked.quote_id == quote_id && FullTransactionIdEquals(locked.transaction, transaction) &&
		SubTransactionIsActive(locked.subtransaction))
		return;
	lock_row(&plan, quote_id, mode);
	locked.transaction = transaction;
	locked.subtransaction = GetCurrentSubTransactionId();
	locked.quote_id = quote_id;
}

static void
lock_row(ScrmPlan *plan, int64 key, PlanMode mode)
{
	Datum values[] = {Int64GetDatum(key)};

	plan_begin();
	(void) plan_run(plan, mode, values, NULL);
	plan_end();
}
