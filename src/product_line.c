/*
 * product_line.c
 *		Product lines: fills them in, and keeps the amount of their opportunity.
 *
 * The guard fills in and checks a row before it is stored. After each statement the opportunities
 * that it touched are locked in the order of their keys, so that two sessions never wait for each
 * other in a circle; then their lines are read with the latest snapshot, so that what another
 * session committed before the lock counts, and their amounts are set. A transaction with an older
 * snapshot gets 40001 from the lock when the opportunity has changed since. One opportunity alone,
 * the common case, is locked by its UPDATE, whose guard then asks for the total.
 *
 * Lock order: rows of product_line that the statement writes, then rows of opportunity.
 *
 * Memory: the context of the trigger call, and SPI's between plan_begin() and plan_end().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compat.h"
#include "decimal.h"
#include "error.h"
#include "money.h"
#include "plan.h"
#include "product_line.h"
#include "trigger.h"

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

/* What of an opportunity decides about its total */
typedef struct Terms
{
	int64 opportunity_id;
	const Currency *currency;
	VatMethod method;
	bool prices_include_tax;
	NullableDatum discount_percent;
	NullableDatum discount_amount;
} Terms;

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

static ScrmPlan read_plan = {
	.sql = "SELECT l.opportunity_id, l.quantity, l.unit_price, l.discount_percent,"
		   " l.discount_amount, l.tax_percent, l.tax_category, l.optional"
		   " FROM sales_crm.product_line l WHERE l.opportunity_id = ANY ($1) AND l.kind = 'item'"
		   " ORDER BY l.opportunity_id",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID},
	.by_set = true,
};

static ScrmPlan read_one_plan = {
	.sql = "SELECT l.opportunity_id, l.quantity, l.unit_price, l.discount_percent,"
		   " l.discount_amount, l.tax_percent, l.tax_category, l.optional"
		   " FROM sales_crm.product_line l WHERE l.opportunity_id = $1 AND l.kind = 'item'",
	.nargs = 1,
	.argtypes = {INT8OID},
	.by_key = true,
};

static ScrmPlan recompute_plan = {
	.sql = "UPDATE sales_crm.opportunity SET amount = amount WHERE opportunity_id = $1",
	.nargs = 1,
	.argtypes = {INT8OID},
	.by_key = true,
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
static bool
total_of_row(const OpportunityRow *row, Member member, bool checked, int64 of_lines, Datum *total);
static void set_amounts(const Amounts *amounts);
static bool
total_of(const Terms *terms, SPITupleTable *lines, uint64 nlines, uint64 *next, Offer **offer);
static void check_discount(const Offer *offer, int64 opportunity_id, int64 of_lines, Member member);
static Datum key_array(const Touched *touched, int count);

Datum
scrm_product_line_amount(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "product_line_amount", TRIGGER_EVENT_AFTER, 0);
	const LineMap *map = line_map(trigger->tg_relation);
	TouchedList list = {.count = 0, .capacity = 0, .items = NULL};
	TriggerRows rows;

	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		LineRow old;
		LineRow new;

		if (rows.old_row != NULL)
			old = line_row(map, rows.old_row);
		if (rows.new_row != NULL)
			new = line_row(map, rows.new_row);
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

/* terms_from makes the terms but for the discount; of rows written with triggers off, NULLs too. */
static Terms
terms_from(int64 opportunity_id, Datum currency, NullableDatum method,
		   NullableDatum prices_include_tax)
{
	const Configuration *configuration = configuration_get();
	text *code = DatumGetTextPP(currency);
	text *name = method.isnull ? NULL : DatumGetTextPP(method.value);

	return (Terms){
		.opportunity_id = opportunity_id,
		.currency =
			configuration_find_currency(configuration, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code)),
		.method = name == NULL
					  ? configuration->vat_method
					  : configuration_vat_method(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)),
		.prices_include_tax = prices_include_tax.isnull ? configuration->prices_include_tax
														: DatumGetBool(prices_include_tax.value),
	};
}

static NullableDatum
opportunity_nullable(const OpportunityRow *row, OpportunityColumn column)
{
	return opportunity_is_null(row, column) ? batch_null()
											: batch_value(opportunity_value(row, column));
}

bool
product_line_total(const OpportunityRow *row, Member member, bool new_discount, Datum *total)
{
	return total_of_row(row, member, new_discount, 0, total);
}

bool
product_line_recomputes(const OpportunityRow *row, Member member, Datum *total)
{
	const Touched *touched = being_recomputed;

	if (touched == NULL || touched->opportunity_id != opportunity_key(row, OPPORTUNITY_ID))
		return false;
	check_open(touched->opportunity_id, opportunity_nullable(row, OPPORTUNITY_CLOSED_AT));
	return total_of_row(
		row, member, touched->discounted || !opportunity_is_null(row, OPPORTUNITY_DISCOUNT_AMOUNT),
		touched->discount, total);
}

/*
 * total_of_row computes the total of a row that the session has locked, or false when no line
 * counts; checked says whether the limit of discounts holds for what it comes to.
 */
static bool
total_of_row(const OpportunityRow *row, Member member, bool checked, int64 of_lines, Datum *total)
{
	int64 opportunity_id = opportunity_key(row, OPPORTUNITY_ID);
	Terms terms = terms_from(opportunity_id, opportunity_value(row, OPPORTUNITY_CURRENCY),
							 opportunity_nullable(row, OPPORTUNITY_VAT_METHOD),
							 opportunity_nullable(row, OPPORTUNITY_PRICES_INCLUDE_TAX));
	MemoryContext caller = CurrentMemoryContext;
	Datum values[1] = {Int64GetDatum(opportunity_id)};
	uint64 nlines;
	uint64 next = 0;
	Offer *offer;
	bool found;

	terms.discount_percent = opportunity_nullable(row, OPPORTUNITY_DISCOUNT_PERCENT);
	terms.discount_amount = opportunity_nullable(row, OPPORTUNITY_DISCOUNT_AMOUNT);
	plan_begin();
	nlines = plan_run(&read_one_plan, PLAN_READ_LATEST, values, NULL);
	found = total_of(&terms, SPI_tuptable, nlines, &next, &offer);
	if (checked)
		check_discount(offer, opportunity_id, of_lines, member);
	if (found)
	{
		MemoryContextSwitchTo(caller);
		*total = decimal_to_numeric(offer->net, terms.currency->minor_units);
	}
	plan_end();
	MemoryContextSwitchTo(caller);
	return found;
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

static NullableDatum
spi_value(SPITupleTable *table, uint64 row, int column)
{
	NullableDatum value;

	value.value = SPI_getbinval(table->vals[row], table->tupdesc, column, &value.isnull);
	return value;
}

/* terms_of reads a row of lock_plan. Errors: SC004 when the opportunity is closed */
static Terms
terms_of(SPITupleTable *table, uint64 row)
{
	Terms terms =
		terms_from(DatumGetInt64(spi_value(table, row, 1).value), spi_value(table, row, 2).value,
				   spi_value(table, row, 3), spi_value(table, row, 4));

	terms.discount_percent = spi_value(table, row, 5);
	terms.discount_amount = spi_value(table, row, 6);
	check_open(terms.opportunity_id, spi_value(table, row, 8));
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
	Datum values[1] = {Int64GetDatum(touched->opportunity_id)};

	PG_TRY();
	{
		being_recomputed = touched;
		plan_begin();
		(void) plan_run(&recompute_plan, PLAN_WRITE, values, NULL);
		plan_end();
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
	uint64 nlines = 0;
	uint64 next = 0;
	bool counts = false;

	for (int i = 0; i < count; i++)
		counts |= touched[i].counts;
	plan_begin();
	spi = CurrentMemoryContext;
	values[0] = key_array(touched, count);
	nopportunities = plan_run(&lock_plan, PLAN_WRITE, values, NULL);
	opportunities = SPI_tuptable;
	if (counts && nopportunities > 0)
		nlines = plan_run(&read_plan, PLAN_READ_LATEST, values, NULL);
	for (uint64 i = 0; i < nopportunities; i++)
	{
		Terms terms = terms_of(opportunities, i);
		NullableDatum amount = spi_value(opportunities, i, 7);
		const Touched *mine;
		Offer *offer;
		Datum total;

		mine = bsearch(&(Touched){.opportunity_id = terms.opportunity_id}, touched, count,
					   sizeof(Touched), compare_touched);
		if (!counts || !total_of(&terms, SPI_tuptable, nlines, &next, &offer))
			continue;
		/* A fixed amount weighs more when the total falls */
		if (mine->discounted || (mine->counts && !terms.discount_amount.isnull))
			check_discount(offer, terms.opportunity_id, mine->discount, member);
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

/*
 * total_of computes an opportunity from the rows of read_plan, from *next on; false when none of
 * its lines counts.
 */
static bool
total_of(const Terms *terms, SPITupleTable *lines, uint64 nlines, uint64 *next, Offer **offer)
{
	bool counts = false;

	*offer = money_offer(terms->currency, terms->method, terms->prices_include_tax, false);
	money_set_discount(*offer, terms->discount_percent, terms->discount_amount);
	for (; *next < nlines; (*next)++)
	{
		int64 key = DatumGetInt64(spi_value(lines, *next, 1).value);
		MoneyLine line;

		if (key < terms->opportunity_id)
			continue;
		if (key > terms->opportunity_id)
			break;
		line = money_line(terms->currency, spi_value(lines, *next, 2), spi_value(lines, *next, 3),
						  spi_value(lines, *next, 4), spi_value(lines, *next, 5),
						  spi_value(lines, *next, 6));
		text_to_cstring_buffer(DatumGetTextPP(spi_value(lines, *next, 7).value), line.category,
							   sizeof(line.category));
		line.optional = DatumGetBool(spi_value(lines, *next, 8).value);
		money_add_line(*offer, &line);
		counts |= !line.optional;
	}
	if (counts)
		money_compute(*offer);
	return counts;
}

/*
 * check_discount refuses a discount above the member's limit, unless a manager approved it: of a
 * line, and of the offer with its lines. A session without member has no limit.
 */
static void
check_discount(const Offer *offer, int64 opportunity_id, int64 of_lines, Member member)
{
	static ScrmPlan plan = {
		.sql = "SELECT coalesce(max(a.discount_percent) * 10000, 0)::int8"
			   " FROM sales_crm.discount_approval a"
			   " WHERE a.opportunity_id = $1 AND a.status = 'approved'",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	int64 limit = configuration_get()->max_discount[member.is_manager ? 1 : 0];
	int64 given = Max(money_percent(offer->list, offer->amount - offer->discount), of_lines);
	Datum values[1] = {Int64GetDatum(opportunity_id)};

	if (offer->given.kind == DISCOUNT_PERCENT)
		given = Max(given, offer->given.value);
	if (member.member_id == 0 || given <= limit)
		return;
	plan_begin();
	(void) plan_run(&plan, PLAN_READ_LATEST, values, NULL);
	limit = Max(limit, DatumGetInt64(spi_value(SPI_tuptable, 0, 1).value));
	plan_end();
	if (given > limit)
		ereport(ERROR, (errcode(ERRCODE_SCRM_NOT_PERMITTED), errmsg("discount is above the limit"),
						errdetail("Opportunity " INT64_FORMAT
								  " would have a discount of %.2f %%; member " INT64_FORMAT
								  " may give %.2f %%.",
								  opportunity_id, (double) given / 10000, member.member_id,
								  (double) limit / 10000),
						errhint("SELECT sales_crm.request_discount_approval(" INT64_FORMAT
								", discount_percent, reason) asks a manager.",
								opportunity_id)));
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
