/*
 * quote_line.h
 *		Lines of quotes.
 */
#ifndef SCRM_QUOTE_LINE_H
#define SCRM_QUOTE_LINE_H

#include "postgres.h"

#include "lookup.h"

/* Columns in the order of line_columns */
typedef enum QuoteLineColumn
{
	QUOTE_LINE_ID,
	QUOTE_LINE_QUOTE_ID,
	QUOTE_LINE_KIND,
	QUOTE_LINE_POSITION,
	QUOTE_LINE_PRODUCT_ID,
	QUOTE_LINE_PRODUCT_LINE_ID,
	QUOTE_LINE_NAME,
	QUOTE_LINE_DESCRIPTION,
	QUOTE_LINE_EXTRA_DESCRIPTION,
	QUOTE_LINE_QUANTITY,
	QUOTE_LINE_UNIT,
	QUOTE_LINE_UNIT_PRICE,
	QUOTE_LINE_DISCOUNT_PERCENT,
	QUOTE_LINE_DISCOUNT_AMOUNT,
	QUOTE_LINE_TAX_RATE_ID,
	QUOTE_LINE_TAX_PERCENT,
	QUOTE_LINE_TAX_CATEGORY,
	QUOTE_LINE_OPTIONAL,
	QUOTE_LINE_COLUMNS,
} QuoteLineColumn;

extern RowMap quote_line_table;

/* The lines of a quote in their order, in the current memory context. Returns how many there are */
extern int quote_line_rows(int64 quote_id, LookupTime time, Row **lines);

/* Whether a line is neither a heading nor a text */
extern bool quote_line_is_item(const Row *line);

#endif /* SCRM_QUOTE_LINE_H */
