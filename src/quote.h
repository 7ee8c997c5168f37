/*
 * quote.h
 *		A row of sales_crm.quote, and its columns.
 */
#ifndef SCRM_QUOTE_H
#define SCRM_QUOTE_H

#include "postgres.h"

#include "lookup.h"
#include "row.h"

/* In the order in which the guard looks at them */
typedef enum QuoteColumn
{
	QUOTE_COLUMN_ID,
	QUOTE_COLUMN_NUMBER,
	QUOTE_COLUMN_VERSION,
	QUOTE_COLUMN_OPPORTUNITY_ID,
	QUOTE_COLUMN_SUPERSEDES_ID,
	QUOTE_COLUMN_CURRENCY,
	QUOTE_COLUMN_CREATED_AT,
	QUOTE_COLUMN_CREATED_BY,
	QUOTE_COLUMN_QUOTE_TEMPLATE_ID,
	QUOTE_COLUMN_LOCALE,
	QUOTE_COLUMN_TITLE,
	QUOTE_COLUMN_INTRODUCTION,
	QUOTE_COLUMN_TERMS,
	QUOTE_COLUMN_DISCOUNT_PERCENT,
	QUOTE_COLUMN_DISCOUNT_AMOUNT,
	QUOTE_COLUMN_VAT_METHOD,
	QUOTE_COLUMN_PRICES_INCLUDE_TAX,
	QUOTE_COLUMN_CUSTOMER_NAME,
	QUOTE_COLUMN_CUSTOMER_ADDRESS,
	QUOTE_COLUMN_CUSTOMER_VAT_NUMBER,
	QUOTE_COLUMN_TOTALS,
	QUOTE_COLUMN_SNAPSHOT,
	QUOTE_COLUMN_SNAPSHOT_SHA256,
	QUOTE_COLUMN_HTML,
	QUOTE_COLUMN_HTML_SHA256,
	QUOTE_COLUMN_SENT_AT,
	QUOTE_COLUMN_VIEWED_AT,
	QUOTE_COLUMN_ANSWERED_AT,
	QUOTE_COLUMN_VALID_UNTIL,
	QUOTE_COLUMN_CONTACT_ID,
	QUOTE_COLUMN_STATUS, /* apart from the others: rules decide about it */
} QuoteColumn;

#define QUOTE_COLUMNS (QUOTE_COLUMN_STATUS + 1)

extern const RowColumn quote_columns[QUOTE_COLUMNS];
extern RowMap quote_table;

/* The places of the columns in the table */
extern const AttrNumber *quote_map(Relation relation);

/* The quote with a key, in the current memory context. Returns whether there is one */
extern bool quote_find(int64 quote_id, LookupTime time, Row *quote);

/* The same, as a new statement would see it; the key may be NULL. Errors: P0002 when there is none */
extern Row quote_require(NullableDatum quote_id);

/*
 * Refuses a quote that the session's role does not see in the active snapshot, as one that does not
 * exist; the key may be NULL. Errors: P0002
 */
extern void quote_require_visible(NullableDatum quote_id);

/* A key for messages */
extern char *quote_key_text(NullableDatum quote_id);

static inline NullableDatum
quote_value(const Row *quote, QuoteColumn column)
{
	return row_nullable(quote, column);
}

#endif /* SCRM_QUOTE_H */
