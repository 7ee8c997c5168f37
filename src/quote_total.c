/*
 * quote_total.c
 *		Computes what the lines of a quote come to, when they have changed.
 *
 * The SQL function quote_totals() says the same by a query, for those who may see the quote.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "batch.h"
#include "compat.h"
#include "lookup.h"
#include "quote.h"
#include "quote_line.h"
#include "quote_total.h"
#include "total.h"

/* A line with its place among the others */
typedef struct PlacedLine
{
	Numeric position;
	int64 quote_line_id;
	bool is_text; /* has no amount */
	MoneyLine line;
} PlacedLine;

static PlacedLine place_line(const Offer *offer, const Row *row);
static int compare_places(const void *a, const void *b);

NullableDatum
quote_total_compute(const Row *quote)
{
	Offer *offer = total_offer(row_nullable(quote, QUOTE_COLUMN_VAT_METHOD),
							   row_nullable(quote, QUOTE_COLUMN_CURRENCY),
							   row_nullable(quote, QUOTE_COLUMN_PRICES_INCLUDE_TAX), true);
	int capacity = 32;
	int count = 0;
	PlacedLine *lines = palloc_array(PlacedLine, capacity);
	LookupScan scan;

	money_set_discount(offer, row_nullable(quote, QUOTE_COLUMN_DISCOUNT_PERCENT),
					   row_nullable(quote, QUOTE_COLUMN_DISCOUNT_AMOUNT));
	/* The statement's own rows, too */
	CommandCounterIncrement();
	quote_line_scan_begin(&scan, DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)));
	while (lookup_next(&scan))
	{
		if (count == capacity)
		{
			capacity *= 2;
			lines = repalloc_huge(lines, sizeof(PlacedLine) * capacity);
		}
		lines[count++] = place_line(offer, &scan.row);
	}
	lookup_end(&scan);
	if (count == 0)
		return batch_null();
	qsort(lines, count, sizeof(PlacedLine), compare_places);
	for (int i = 0; i < count; i++)
	{
		if (lines[i].is_text)
			money_add_text(offer);
		else
			money_add_line(offer, &lines[i].line);
	}
	money_compute(offer);
	return batch_value(total_to_jsonb(offer, true));
}

static PlacedLine
place_line(const Offer *offer, const Row *row)
{
	PlacedLine placed = {
		.position = DatumGetNumericCopy(row_value(row, QUOTE_LINE_POSITION)),
		.quote_line_id = DatumGetInt64(row_value(row, QUOTE_LINE_ID)),
		.is_text = row_is_null(row, QUOTE_LINE_QUANTITY),
	};

	if (placed.is_text)
		return placed;
	placed.line = money_line(
		offer->currency, row_nullable(row, QUOTE_LINE_QUANTITY),
		row_nullable(row, QUOTE_LINE_UNIT_PRICE), row_nullable(row, QUOTE_LINE_DISCOUNT_PERCENT),
		row_nullable(row, QUOTE_LINE_DISCOUNT_AMOUNT), row_nullable(row, QUOTE_LINE_TAX_PERCENT));
	total_set_category(&placed.line, row_nullable(row, QUOTE_LINE_TAX_CATEGORY));
	placed.line.optional = DatumGetBool(row_value(row, QUOTE_LINE_OPTIONAL));
	return placed;
}

static int
compare_places(const void *a, const void *b)
{
	const PlacedLine *one = a;
	const PlacedLine *other = b;
	int32 order = DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(one->position),
													NumericGetDatum(other->position)));

	if (order != 0)
		return order;
	return (one->quote_line_id > other->quote_line_id) -
		   (one->quote_line_id < other->quote_line_id);
}
