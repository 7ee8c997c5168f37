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

#include "batch.h"
#include "compat.h"
#include "lookup.h"
#include "quote.h"
#include "quote_line.h"
#include "quote_total.h"
#include "total.h"

static void add_line(Offer *offer, const Row *row);

NullableDatum
quote_total_compute(const Row *quote)
{
	Offer *offer = total_offer(row_nullable(quote, QUOTE_COLUMN_VAT_METHOD),
							   row_nullable(quote, QUOTE_COLUMN_CURRENCY),
							   row_nullable(quote, QUOTE_COLUMN_PRICES_INCLUDE_TAX), true);
	Row *lines;
	int count;

	money_set_discount(offer, row_nullable(quote, QUOTE_COLUMN_DISCOUNT_PERCENT),
					   row_nullable(quote, QUOTE_COLUMN_DISCOUNT_AMOUNT));
	/* The statement's own rows, too */
	CommandCounterIncrement();
	count =
		quote_line_rows(DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)), LOOKUP_LATEST, &lines);
	if (count == 0)
		return batch_null();
	for (int i = 0; i < count; i++)
		add_line(offer, &lines[i]);
	money_compute(offer);
	return batch_value(total_to_jsonb(offer, true));
}

/* add_line adds a line, or a heading or text, which has no quantity. */
static void
add_line(Offer *offer, const Row *row)
{
	MoneyLine line;

	if (row_is_null(row, QUOTE_LINE_QUANTITY))
	{
		money_add_text(offer);
		return;
	}
	line = money_line(
		offer->currency, row_nullable(row, QUOTE_LINE_QUANTITY),
		row_nullable(row, QUOTE_LINE_UNIT_PRICE), row_nullable(row, QUOTE_LINE_DISCOUNT_PERCENT),
		row_nullable(row, QUOTE_LINE_DISCOUNT_AMOUNT), row_nullable(row, QUOTE_LINE_TAX_PERCENT));
	total_set_category(&line, row_nullable(row, QUOTE_LINE_TAX_CATEGORY));
	line.optional = DatumGetBool(row_value(row, QUOTE_LINE_OPTIONAL));
	money_add_line(offer, &line);
}
