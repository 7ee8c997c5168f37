/*
 * product_line.h
 *		A row of sales_crm.product_line, and what the guard of
 *		opportunities needs to know about lines.
 */
#ifndef SCRM_PRODUCT_LINE_H
#define SCRM_PRODUCT_LINE_H

#include "postgres.h"

#include "member.h"
#include "money.h"
#include "opportunity.h"
#include "row.h"
#include "lookup.h"

typedef enum LineColumn
{
	LINE_ID,
	LINE_OPPORTUNITY_ID,
	LINE_KIND,
	LINE_POSITION,
	LINE_PRODUCT_ID,
	LINE_NAME,
	LINE_DESCRIPTION,
	LINE_QUANTITY,
	LINE_UNIT,
	LINE_UNIT_PRICE,
	LINE_DISCOUNT_PERCENT,
	LINE_DISCOUNT_AMOUNT,
	LINE_TAX_RATE_ID,
	LINE_TAX_PERCENT,
	LINE_TAX_CATEGORY,
	LINE_OPTIONAL,
	LINE_UNIT_COST,
} LineColumn;

#define LINE_COLUMNS (LINE_UNIT_COST + 1)

typedef Row LineRow;

/* The places of the columns in the table, as row.h has them */
extern const AttrNumber *line_map(Relation relation);

/* Begins with the lines of an opportunity, for lookup_next() */
extern void line_scan_begin(LookupScan *scan, int64 opportunity_id);

extern NullableDatum line_value(const LineRow *row, LineColumn column);

/* The value of a key; 0 for NULL */
extern int64 line_key(const LineRow *row, LineColumn column);
extern bool line_differs(const LineRow *a, const LineRow *b, LineColumn column);
extern bool line_is_item(const LineRow *row);

/* An item as money.c wants it, without its VAT category. Errors: 23502, 23514 */
extern MoneyLine line_money(const LineRow *row, const Currency *currency);

/* The discount of an item, in ten-thousandths of a percent */
extern int64 line_discount(const LineRow *row);

/* Whether the trigger of product lines is just setting this amount */
extern bool product_line_sets(const OpportunityRow *row);

/*
 * The total for a row that is locked because its lines changed; false when it is not the one, or no
 * line counts. Errors: SC004 when it is closed, and those of product_line_total()
 */
extern bool product_line_recomputes(const OpportunityRow *row, Member member, Datum *total);

/*
 * The discounted net total of the lines of a row that is new or locked; false when no line counts.
 * A new discount must be within the member's limit, lines or not. Errors: SC201, 23514, 22003
 */
extern bool
product_line_total(const OpportunityRow *row, Member member, bool new_discount, Datum *total);

#endif /* SCRM_PRODUCT_LINE_H */
