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
#include "opportunity.h"
#include "quote.h"
#include "quote_lock.h"
#include "record.h"
#include "row_lock.h"

PG_FUNCTION_INFO_V1(scrm_lock_quote);

/* The quote that was locked last, and by whom: locked it stays, unless that is undone */
static struct
{
	FullTransactionId transaction;
	SubTransactionId subtransaction;
	int64 quote_id;
} locked;

/* What lock_quote() returns of the quote, in the order of its arguments */
static const QuoteColumn locked_columns[] = {
	QUOTE_COLUMN_NUMBER,		 QUOTE_COLUMN_VERSION,			 QUOTE_COLUMN_STATUS,
	QUOTE_COLUMN_OPPORTUNITY_ID, QUOTE_COLUMN_QUOTE_TEMPLATE_ID, QUOTE_COLUMN_VALID_UNTIL,
	QUOTE_COLUMN_SENT_AT,
};

static void lock_row(Lookup *lookup, ScrmPlan *plan, int64 key, PlanMode mode);

void
quote_lock_opportunity(int64 opportunity_id, PlanMode mode)
{
	static Lookup lookup = {.map = &opportunity_table, .ncolumns = 1, .columns = {OPPORTUNITY_ID}};
	static ScrmPlan plan = {
		.sql = "SELECT FROM sales_crm.opportunity WHERE opportunity_id = $1 FOR NO KEY UPDATE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};

	lock_row(&lookup, &plan, opportunity_id, mode);
}

void
quote_lock(int64 quote_id, PlanMode mode)
{
	static Lookup lookup = {.map = &quote_table, .ncolumns = 1, .columns = {QUOTE_COLUMN_ID}};
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
	lock_row(&lookup, &plan, quote_id, mode);
	locked.transaction = transaction;
	locked.subtransaction = GetCurrentSubTransactionId();
	locked.quote_id = quote_id;
}

/* quote_id bigint: what the quote is once it is locked, see lock_quote() */
Datum
scrm_lock_quote(PG_FUNCTION_ARGS)
{
	Row quote = quote_require(fcinfo->args[0]);
	Datum values[lengthof(locked_columns) + 1];
	bool nulls[lengthof(values)];
	OpportunityRow opportunity;

	quote_lock_opportunity(DatumGetInt64(row_value(&quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
						   PLAN_WRITE);
	quote_lock(PG_GETARG_INT64(0), PLAN_WRITE);
	quote = quote_require(fcinfo->args[0]);
	for (size_t i = 0; i < lengthof(locked_columns); i++)
	{
		values[i] = row_value(&quote, locked_columns[i]);
		nulls[i] = row_is_null(&quote, locked_columns[i]);
	}
	nulls[lengthof(locked_columns)] =
		!opportunity_find(DatumGetInt64(row_value(&quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
						  &opportunity) ||
		opportunity_is_null(&opportunity, OPPORTUNITY_CLOSED_AT);
	if (!nulls[lengthof(locked_columns)])
		values[lengthof(locked_columns)] = opportunity_value(&opportunity, OPPORTUNITY_CLOSED_AT);
	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

/*
 * lock_row locks without a statement, except for what is later than the only snapshot of the
 * transaction.
 */
static void
lock_row(Lookup *lookup, ScrmPlan *plan, int64 key, PlanMode mode)
{
	Datum values[] = {Int64GetDatum(key)};

	if (mode == PLAN_WRITE || !IsolationUsesXactSnapshot())
	{
		/* What the statement has made so far is there */
		CommandCounterIncrement();
		(void) row_lock(lookup, values[0], LockTupleNoKeyExclusive, NULL);
		return;
	}
	plan_begin();
	(void) plan_run(plan, mode, values, NULL);
	plan_end();
}
