/*
 * product_line.c
 *		Keeps the amounts of opportunities: which ones a statement on product lines touches, and how
 *		they get their amounts. What their lines come to is computed by product_line_total.c.
 *
 * After each statement the opportunities that it touched are locked in the order of their keys, so
 * that two sessions never wait for each other in a circle; then their lines are read with the latest
 * snapshot, so that what another session committed before the lock counts, and their amounts are
 * set. A transaction with an older snapshot gets 40001 from the lock when the opportunity has
 * changed since. One opportunity alone, the common case, is locked by its UPDATE, whose guard then
 * asks for the total.
 *
 * Lock order: rows of product_line that the statement writes, then rows of opportunity.
 *
 * Memory: the context of the trigger call, and SPI's between plan_begin() and plan_end().
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compat.h"
#include "decimal.h"
#include "error.h"
#include "money.h"
#include "plan.h"
#include "product_line.h"
#include "product_line_total.h"
#include "trigger.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_product_line_amount);

/* Opportunities that are locked and read at a time */
#define CHUNK 1000

/* An opportunity that a statement touches */
typedef struct Touched
{
	int64 opportunity_id;
	bool counts;	 /* its total may have changed */
	bool discounted; /* a discount has */
	int64 discount;	 /* the largest new one of its lines, in ten-thousandths of a percent */
} Touched;

typedef struct TouchedList
{
	int count;
	int capacity;
	Touched *items;
} TouchedList;

/* The amounts that are being set: in the order of the keys */
typedef struct Amounts
{
	int count;
	int64 *keys;
	Datum *values;
} Amounts;

static const Amounts *amounts_being_set = NULL;

/* The one whose guard is to ask for its total */
static const Touched *being_recomputed = NULL;

static ScrmPlan lock_plan = {
	.sql = "SELECT o.opportunity_id, o.currency, o.vat_method, o.prices_include_tax,"
		   " o.discount_percent, o.discount_amount, o.amount, o.closed_at"
		   " FROM sales_crm.opportunity o WHERE o.opportunity_id = ANY ($1)"
		   " ORDER BY o.opportunity_id FOR NO KEY UPDATE",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID},
	.by_set = true,
};

static Update recompute_update = {
	.lookup = {.map = &opportunity_table, .ncolumns = 1, .columns = {OPPORTUNITY_ID}},
	.ncolumns = 1,
	.columns = {OPPORTUNITY_AMOUNT},
};

static BatchPlan amount_plan = {
	.sql = "UPDATE sales_crm.opportunity o SET amount = n.amount"
		   " FROM @rows AS n (opportunity_id, amount) WHERE o.opportunity_id = n.opportunity_id",
	.ncolumns = 2,
	.nargs = 2,
	.types = {INT8OID, NUMERICOID},
};

static void touch_row(TouchedList *list, const LineRow *old, const LineRow *new);
static void touch(TouchedList *list, Touched touched);
static void merge_touched(TouchedList *list);
static void settle(const Touched *touched, int count);
static void recompute(const Touched *touched);
static void check_open(int64 opportunity_id, NullableDatum closed_at);
static void set_amounts(const Amounts *amounts);
static Datum key_array(const Touched *touched, int count);

Datum
scrm_product_line_amount(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "product_line_amount", TRIGGER_EVENT_AFTER, 0);
	const AttrNumber *map = line_map(trigger->tg_relation);
	TouchedList list = {.count = 0, .capacity = 0, .items = NULL};
	TriggerRows rows;

	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		LineRow old;
		LineRow new;

		if (rows.old_row != NULL)
			old = row_in_slot(map, rows.old_row);
		if (rows.new_row != NULL)
			new = row_in_slot(map, rows.new_row);
		touch_row(&list, rows.old_row != NULL ? &old : NULL, rows.new_row != NULL ? &new : NULL);
	}
	trigger_close_rows(&rows);
	merge_touched(&list);
	if (list.count == 1 && list.items[0].counts)
		recompute(list.items);
	else
		for (int i = 0; i < list.count; i += CHUNK)
			settle(list.items + i, Min(CHUNK, list.count - i));
	return PointerGetDatum(NULL);
}

bool
product_line_sets(const OpportunityRow *row)
{
	int64 key = opportunity_key(row, OPPORTUNITY_ID);
	int low = 0;
	int high = amounts_being_set == NULL ? -1 : amounts_being_set->count - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;

		if (amounts_being_set->keys[middle] == key)
			return !opportunity_is_null(row, OPPORTUNITY_AMOUNT) &&
				   DatumGetBool(DirectFunctionCall2(numeric_eq, amounts_being_set->values[middle],
													opportunity_value(row, OPPORTUNITY_AMOUNT)));
		if (amounts_being_set->keys[middle] < key)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return false;
}

bool
product_line_recomputes(const OpportunityRow *row, Member member, Datum *total)
{
	const Touched *touched = being_recomputed;

	if (touched == NULL || touched->opportunity_id != opportunity_key(row, OPPORTUNITY_ID))
		return false;
	check_open(touched->opportunity_id, opportunity_nullable(row, OPPORTUNITY_CLOSED_AT));
	return line_total_of(
		row, member, touched->discounted || !opportunity_is_null(row, OPPORTUNITY_DISCOUNT_AMOUNT),
		touched->discount, total);
}

/* touch_row notes what a row that came, changed or went means for its opportunity. */
static void
touch_row(TouchedList *list, const LineRow *old, const LineRow *new)
{
	static const LineColumn counting[] = {
		LINE_OPPORTUNITY_ID,   LINE_KIND,
		LINE_QUANTITY,		   LINE_UNIT_PRICE,
		LINE_DISCOUNT_PERCENT, LINE_DISCOUNT_AMOUNT,
		LINE_TAX_PERCENT,	   LINE_TAX_CATEGORY,
		LINE_OPTIONAL,
	};
	Touched touched = {.opportunity_id = 0};

	if (old == NULL || new == NULL)
		touched.counts = line_is_item(old == NULL ? new : old);
	else
	{
		for (size_t i = 0; i < lengthof(counting); i++)
			touched.counts |= line_differs(old, new, counting[i]);
	}
	if (old != NULL)
	{
		touched.opportunity_id = line_key(old, LINE_OPPORTUNITY_ID);
		touch(list, touched);
	}
	if (new != NULL)
	{
		if (touched.counts && line_is_item(new))
		{
			int64 before = old != NULL && line_is_item(old) ? line_discount(old) : 0;
			int64 after = line_discount(new);

			touched.discounted = after > before;
			touched.discount = touched.discounted ? after : 0;
		}
		touched.opportunity_id = line_key(new, LINE_OPPORTUNITY_ID);
		touch(list, touched);
	}
}

/* touch adds an opportunity; the rows of one often follow each other. */
static void
touch(TouchedList *list, Touched touched)
{
	Touched *last = list->count == 0 ? NULL : &list->items[list->count - 1];

	if (last != NULL && last->opportunity_id == touched.opportunity_id)
	{
		last->counts |= touched.counts;
		last->discounted |= touched.discounted;
		last->discount = Max(last->discount, touched.discount);
		return;
	}
	if (list->count == list->capacity)
	{
		list->capacity = Max(8, list->capacity * 2);
		list->items = list->items == NULL
						  ? palloc_array(Touched, list->capacity)
						  : repalloc_huge(list->items, sizeof(Touched) * list->capacity);
	}
	list->items[list->count++] = touched;
}

static int
compare_touched(const void *a, const void *b)
{
	int64 key = ((const Touched *) a)->opportunity_id;
	int64 other = ((const Touched *) b)->opportunity_id;

	return (key > other) - (key < other);
}

/* merge_touched sorts the opportunities by key and leaves each once. */
static void
merge_touched(TouchedList *list)
{
	int count = list->count;

	if (count < 2)
		return;
	qsort(list->items, count, sizeof(Touched), compare_touched);
	list->count = 0;
	for (int i = 0; i < count; i++)
		touch(list, list->items[i]);
}

/* terms_of reads a row of lock_plan. Errors: SC004 when the opportunity is closed */
static Terms
terms_of(SPITupleTable *table, uint64 row)
{
	Terms terms =
		line_terms(DatumGetInt64(plan_value(table, row, 1).value), plan_value(table, row, 2).value,
				   plan_value(table, row, 3), plan_value(table, row, 4));

	terms.discount_percent = plan_value(table, row, 5);
	terms.discount_amount = plan_value(table, row, 6);
	check_open(terms.opportunity_id, plan_value(table, row, 8));
	return terms;
}

static void
check_open(int64 opportunity_id, NullableDatum closed_at)
{
	if (!closed_at.isnull)
		ereport(ERROR, (errcode(ERRCODE_SCRM_OPPORTUNITY_CLOSED),
						errmsg("product lines of a closed opportunity are frozen"),
						errdetail("Opportunity " INT64_FORMAT " was closed at %s.", opportunity_id,
								  timestamptz_to_str(DatumGetTimestampTz(closed_at.value))),
						errhint("A manager can reopen it by moving it to an open phase of its "
								"pipeline.")));
}

/*
 * recompute updates one opportunity; its guard, which knows the row as it is once it is locked,
 * gets the total from product_line_recomputes(). Calls can nest, as in set_amounts().
 */
static void
recompute(const Touched *touched)
{
	const Touched *outer = being_recomputed;

	PG_TRY();
	{
		being_recomputed = touched;
		(void) update_row(&recompute_update, Int64GetDatum(touched->opportunity_id), NULL);
	}
	PG_FINALLY();
	{
		being_recomputed = outer;
	}
	PG_END_TRY();
}

/* settle sets the amounts of opportunities, which are in the order of their keys. */
static void
settle(const Touched *touched, int count)
{
	Member member = member_current();
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Amounts amounts = {
		.count = 0, .keys = palloc_array(int64, count), .values = palloc_array(Datum, count)};
	Datum values[1];
	SPITupleTable *opportunities;
	uint64 nopportunities;

	plan_begin();
	spi = CurrentMemoryContext;
	values[0] = key_array(touched, count);
	nopportunities = plan_run(&lock_plan, PLAN_WRITE, values, NULL);
	opportunities = SPI_tuptable;
	for (uint64 i = 0; i < nopportunities; i++)
	{
		Terms terms = terms_of(opportunities, i);
		NullableDatum amount = plan_value(opportunities, i, 7);
		const Touched *mine;
		Offer *offer;
		Datum total;

		mine = bsearch(&(Touched){.opportunity_id = terms.opportunity_id}, touched, count,
					   sizeof(Touched), compare_touched);
		if (!mine->counts || !line_total(&terms, &offer))
			continue;
		/* A fixed amount weighs more when the total falls */
		if (mine->discounted || !terms.discount_amount.isnull)
			line_check_discount(offer, terms.opportunity_id, mine->discount, member);
		MemoryContextSwitchTo(caller);
		total = decimal_to_numeric(offer->net, terms.currency->minor_units);
		MemoryContextSwitchTo(spi);
		if (!amount.isnull && DatumGetBool(DirectFunctionCall2(numeric_eq, amount.value, total)))
			continue;
		amounts.keys[amounts.count] = terms.opportunity_id;
		amounts.values[amounts.count++] = total;
	}
	plan_end();
	if (amounts.count > 0)
		set_amounts(&amounts);
}

/*
 * set_amounts updates the opportunities; meanwhile their guard knows which amounts come from here.
 * A row trigger of a user may change lines in between, so that calls can nest.
 */
static void
set_amounts(const Amounts *amounts)
{
	const Amounts *outer = amounts_being_set;

	PG_TRY();
	{
		Batch batch;

		amounts_being_set = amounts;
		batch_open(&batch, &amount_plan);
		for (int i = 0; i < amounts->count; i++)
		{
			NullableDatum row[] = {
				batch_value(Int64GetDatum(amounts->keys[i])),
				batch_value(amounts->values[i]),
			};

			batch_add(&batch, row);
		}
		batch_close(&batch);
	}
	PG_FINALLY();
	{
		amounts_being_set = outer;
	}
	PG_END_TRY();
}

static Datum
key_array(const Touched *touched, int count)
{
	Datum *keys = palloc_array(Datum, count);

	for (int i = 0; i < count; i++)
		keys[i] = Int64GetDatum(touched[i].opportunity_id);
	return PointerGetDatum(
		construct_array(keys, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
