/*
 * open_quote.c
 *		What the page behind a link shows.
 *
 * Pages are read far more often than anything else is done with a quote: rows are looked up, as the
 * calling query sees them, and nothing is written, so that a standby serves pages, too.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "answer.h"
#include "batch.h"
#include "compat.h"
#include "format.h"
#include "json.h"
#include "plan.h"
#include "queue_pdf.h"
#include "quote.h"
#include "quote_link.h"
#include "quote_rule.h"
#include "record.h"
#include "signature.h"

PG_FUNCTION_INFO_V1(scrm_open_quote);

/* The results of open_quote() */
typedef enum OpenedColumn
{
	OPENED_STATUS,
	OPENED_HTML,
	OPENED_SNAPSHOT_SHA256,
	OPENED_NUMBER,
	OPENED_VERSION,
	OPENED_TITLE,
	OPENED_LOCALE,
	OPENED_CURRENCY,
	OPENED_GROSS,
	OPENED_VALID_UNTIL,
	OPENED_COMPANY,
	OPENED_SELLER,
	OPENED_RECIPIENT_NAME,
	OPENED_RECIPIENT_EMAIL,
	OPENED_SIGNER_NAME,
	OPENED_ANSWERED_AT,
	OPENED_CODE_REQUIRED,
	OPENED_HAS_SUCCESSOR,
	OPENED_CHANNEL,
	OPENED_HAS_PDF,
} OpenedColumn;

#define OPENED_COLUMNS (OPENED_HAS_PDF + 1)

/* Those that are the quote's own */
static const struct
{
	OpenedColumn result;
	QuoteColumn column;
} own[] = {
	{OPENED_HTML, QUOTE_COLUMN_HTML},
	{OPENED_SNAPSHOT_SHA256, QUOTE_COLUMN_SNAPSHOT_SHA256},
	{OPENED_NUMBER, QUOTE_COLUMN_NUMBER},
	{OPENED_VERSION, QUOTE_COLUMN_VERSION},
	{OPENED_TITLE, QUOTE_COLUMN_TITLE},
	{OPENED_LOCALE, QUOTE_COLUMN_LOCALE},
	{OPENED_CURRENCY, QUOTE_COLUMN_CURRENCY},
	{OPENED_VALID_UNTIL, QUOTE_COLUMN_VALID_UNTIL},
	{OPENED_ANSWERED_AT, QUOTE_COLUMN_ANSWERED_AT},
};

static QuoteStatus status_now(const Row *quote);
static void add_facts(const Row *quote, NullableDatum *opened);
static NullableDatum gross_text(const Row *quote, JsonbContainer *facts);
static NullableDatum member_of(JsonbContainer *facts, const char *key);
static NullableDatum signer_name(int64 quote_id);
static bool has_successor(int64 quote_link_id);

/* token text, ip inet, user_agent text: see OpenedColumn */
Datum
scrm_open_quote(PG_FUNCTION_ARGS)
{
	QuoteLink link = quote_link_find(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0), false);
	NullableDatum opened[OPENED_COLUMNS];
	Datum values[OPENED_COLUMNS];
	bool nulls[OPENED_COLUMNS];
	QuoteStatus status;
	PdfState pdf;
	Row quote;

	if (!quote_find(link.quote_id, LOOKUP_CALLER, &quote))
		elog(ERROR, "quote " INT64_FORMAT " of a link is not there", link.quote_id);
	status = quote_status(&quote);
	for (size_t i = 0; i < lengthof(own); i++)
		opened[own[i].result] = quote_value(&quote, own[i].column);
	if (status == QUOTE_WITHDRAWN)
		opened[OPENED_HTML] = batch_null();
	add_facts(&quote, opened);
	opened[OPENED_STATUS] = batch_text(quote_status_names[status_now(&quote)]);
	opened[OPENED_RECIPIENT_NAME] = link.recipient_name;
	opened[OPENED_RECIPIENT_EMAIL] = link.recipient_email;
	opened[OPENED_CHANNEL] = link.channel;
	opened[OPENED_SIGNER_NAME] = signer_name(link.quote_id);
	opened[OPENED_CODE_REQUIRED] =
		batch_value(BoolGetDatum((IN(status) & IN_OPEN) != 0 && answer_needs_code(&quote)));
	opened[OPENED_HAS_SUCCESSOR] =
		batch_value(BoolGetDatum(status == QUOTE_SUPERSEDED && has_successor(link.quote_link_id)));
	pdf = pdf_state(quote_value(&quote, QUOTE_COLUMN_ID), status);
	opened[OPENED_HAS_PDF] = batch_value(BoolGetDatum(!pdf.attachment_id.isnull || pdf.expected));
	for (int i = 0; i < OPENED_COLUMNS; i++)
	{
		values[i] = opened[i].value;
		nulls[i] = opened[i].isnull;
	}
	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

/* status_now is expired by time already before that is written down. */
static QuoteStatus
status_now(const Row *quote)
{
	QuoteStatus status = quote_status(quote);

	return (IN(status) & IN_OPEN) != 0 && quote_is_past(quote) ? QUOTE_EXPIRED : status;
}

/* add_facts gives what the snapshot has, if there is one. */
static void
add_facts(const Row *quote, NullableDatum *opened)
{
	JsonbContainer *facts = NULL;

	if (!row_is_null(quote, QUOTE_COLUMN_SNAPSHOT))
		facts = &DatumGetJsonbP(row_value(quote, QUOTE_COLUMN_SNAPSHOT))->root;
	opened[OPENED_GROSS] = gross_text(quote, facts);
	opened[OPENED_COMPANY] = member_of(facts, "company");
	opened[OPENED_SELLER] = member_of(facts, "seller");
}

static NullableDatum
gross_text(const Row *quote, JsonbContainer *facts)
{
	char *gross = json_text(json_container(facts, "totals"), "gross");
	char *minor_units = json_text(facts, "minor_units");
	char *locale = row_text(quote, QUOTE_COLUMN_LOCALE);

	if (gross == NULL || minor_units == NULL)
		return batch_null();
	return batch_text(format_amount(format_digits(gross), row_text(quote, QUOTE_COLUMN_CURRENCY),
									format_language(locale, strlen(locale)),
									pg_strtoint32(minor_units)));
}

static NullableDatum
member_of(JsonbContainer *facts, const char *key)
{
	JsonbValue *value = json_find(facts, key);

	return value == NULL ? batch_null() : batch_value(JsonbPGetDatum(JsonbValueToJsonb(value)));
}

static NullableDatum
signer_name(int64 quote_id)
{
	Row signature;

	if (!signature_find(quote_id, LOOKUP_CALLER, &signature))
		return batch_null();
	return row_nullable(&signature, SIGNATURE_SIGNER_NAME);
}

static bool
has_successor(int64 quote_link_id)
{
	static ScrmPlan plan = {
		.sql = "SELECT WHERE sales_crm.quote_successor($1) IS NOT NULL",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	Datum values[] = {Int64GetDatum(quote_link_id)};
	bool found;

	plan_begin();
	found = plan_run(&plan, PLAN_READ_LATEST, values, NULL) > 0;
	plan_end();
	return found;
}
