/*
 * quote_row.c
 *		The columns of sales_crm.quote, and single rows of it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "access.h"
#include "lookup.h"
#include "quote.h"
#include "row.h"

PG_FUNCTION_INFO_V1(scrm_require_quote);

static void refuse(NullableDatum quote_id);

const RowColumn quote_columns[QUOTE_COLUMNS] = {
	[QUOTE_COLUMN_ID] = {"quote_id", INT8OID},
	[QUOTE_COLUMN_NUMBER] = {"number", TEXTOID},
	[QUOTE_COLUMN_VERSION] = {"version", INT4OID},
	[QUOTE_COLUMN_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[QUOTE_COLUMN_SUPERSEDES_ID] = {"supersedes_id", INT8OID},
	[QUOTE_COLUMN_CURRENCY] = {"currency", TEXTOID},
	[QUOTE_COLUMN_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	[QUOTE_COLUMN_CREATED_BY] = {"created_by", INT8OID},
	[QUOTE_COLUMN_QUOTE_TEMPLATE_ID] = {"quote_template_id", INT8OID},
	[QUOTE_COLUMN_LOCALE] = {"locale", TEXTOID},
	[QUOTE_COLUMN_TITLE] = {"title", TEXTOID},
	[QUOTE_COLUMN_INTRODUCTION] = {"introduction", TEXTOID},
	[QUOTE_COLUMN_TERMS] = {"terms", TEXTOID},
	[QUOTE_COLUMN_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID},
	[QUOTE_COLUMN_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID},
	[QUOTE_COLUMN_VAT_METHOD] = {"vat_method", TEXTOID},
	[QUOTE_COLUMN_PRICES_INCLUDE_TAX] = {"prices_include_tax", BOOLOID},
	[QUOTE_COLUMN_CUSTOMER_NAME] = {"customer_name", TEXTOID},
	[QUOTE_COLUMN_CUSTOMER_ADDRESS] = {"customer_address", TEXTOID},
	[QUOTE_COLUMN_CUSTOMER_VAT_NUMBER] = {"customer_vat_number", TEXTOID},
	[QUOTE_COLUMN_TOTALS] = {"totals", JSONBOID},
	[QUOTE_COLUMN_SNAPSHOT] = {"snapshot", JSONBOID},
	[QUOTE_COLUMN_SNAPSHOT_SHA256] = {"snapshot_sha256", BYTEAOID},
	[QUOTE_COLUMN_HTML] = {"html", TEXTOID},
	[QUOTE_COLUMN_HTML_SHA256] = {"html_sha256", BYTEAOID},
	[QUOTE_COLUMN_SENT_AT] = {"sent_at", TIMESTAMPTZOID},
	[QUOTE_COLUMN_VIEWED_AT] = {"viewed_at", TIMESTAMPTZOID},
	[QUOTE_COLUMN_ANSWERED_AT] = {"answered_at", TIMESTAMPTZOID},
	[QUOTE_COLUMN_VALID_UNTIL] = {"valid_until", DATEOID},
	[QUOTE_COLUMN_CONTACT_ID] = {"contact_id", INT8OID},
	[QUOTE_COLUMN_STATUS] = {"status", TEXTOID},
};

RowMap quote_table = ROW_MAP("quote", quote_columns);

const AttrNumber *
quote_map(Relation relation)
{
	return row_map_get(&quote_table, relation);
}

bool
quote_find(int64 quote_id, LookupTime time, Row *quote)
{
	static Lookup lookup = {.map = &quote_table, .ncolumns = 1, .columns = {QUOTE_COLUMN_ID}};
	Datum key[] = {Int64GetDatum(quote_id)};

	return lookup_row(&lookup, time, key, quote);
}

Row
quote_require(NullableDatum quote_id)
{
	Row quote;

	if (quote_id.isnull || !quote_find(DatumGetInt64(quote_id.value), LOOKUP_STATEMENT, &quote))
		refuse(quote_id);
	return quote;
}

void
quote_require_visible(NullableDatum quote_id)
{
	if (quote_id.isnull || !access_sees("quote", DatumGetInt64(quote_id.value)))
		refuse(quote_id);
}

/* quote_id bigint */
Datum
scrm_require_quote(PG_FUNCTION_ARGS)
{
	quote_require_visible(fcinfo->args[0]);
	PG_RETURN_VOID();
}

char *
quote_key_text(NullableDatum quote_id)
{
	return quote_id.isnull ? pstrdup("<NULL>")
						   : psprintf(INT64_FORMAT, DatumGetInt64(quote_id.value));
}

static void
refuse(NullableDatum quote_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("quote %s does not exist", quote_key_text(quote_id)),
			 errhint("SELECT quote_id, number FROM sales_crm.quote shows those there are.")));
}
