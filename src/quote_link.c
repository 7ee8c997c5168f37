/*
 * quote_link.c
 *		Finds the quote that a token leads to.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "digest.h"
#include "error.h"
#include "lookup.h"
#include "quote.h"
#include "quote_link.h"
#include "quote_lock.h"
#include "record.h"

PG_FUNCTION_INFO_V1(scrm_token_sha256);
PG_FUNCTION_INFO_V1(scrm_find_quote_link);

/* Longer tokens are as unknown as their beginning */
#define TOKEN_MAX_CHARACTERS 100

typedef enum QuoteLinkColumn
{
	QUOTE_LINK_ID,
	QUOTE_LINK_QUOTE_ID,
	QUOTE_LINK_TOKEN_SHA256,
	QUOTE_LINK_EXPIRES_AT,
	QUOTE_LINK_REVOKED_AT,
	QUOTE_LINK_CHANNEL,
	QUOTE_LINK_RECIPIENT_NAME,
	QUOTE_LINK_RECIPIENT_EMAIL,
} QuoteLinkColumn;

#define QUOTE_LINK_COLUMNS (QUOTE_LINK_RECIPIENT_EMAIL + 1)

static const RowColumn columns[QUOTE_LINK_COLUMNS] = {
	[QUOTE_LINK_ID] = {"quote_link_id", INT8OID},
	[QUOTE_LINK_QUOTE_ID] = {"quote_id", INT8OID},
	[QUOTE_LINK_TOKEN_SHA256] = {"token_sha256", BYTEAOID},
	[QUOTE_LINK_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID},
	[QUOTE_LINK_REVOKED_AT] = {"revoked_at", TIMESTAMPTZOID},
	[QUOTE_LINK_CHANNEL] = {"channel", TEXTOID},
	[QUOTE_LINK_RECIPIENT_NAME] = {"recipient_name", TEXTOID},
	[QUOTE_LINK_RECIPIENT_EMAIL] = {"recipient_email", TEXTOID},
};
static RowMap table_map = ROW_MAP("quote_link", columns);

static bytea *token_digest(const text *token, int max_characters);
static bool find(Datum token_sha256, LookupTime time, QuoteLink *link);

/* token text: bytea */
Datum
scrm_token_sha256(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(token_digest(PG_GETARG_TEXT_PP(0), PG_INT32_MAX));
}

/* token text, locking boolean: quote_id bigint, quote_link_id bigint */
Datum
scrm_find_quote_link(PG_FUNCTION_ARGS)
{
	QuoteLink link = quote_link_find(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0),
									 !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
	Datum values[] = {Int64GetDatum(link.quote_id), Int64GetDatum(link.quote_link_id)};
	bool nulls[lengthof(values)] = {false};

	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

/* Whatever it is, one hash and one look at one index: no token costs less than another */
QuoteLink
quote_link_find(text *token, bool locking)
{
	Datum wanted = PointerGetDatum(
		token_digest(token == NULL ? cstring_to_text("") : token, TOKEN_MAX_CHARACTERS));
	QuoteLink link;
	bool found = find(wanted, locking ? LOOKUP_STATEMENT : LOOKUP_CALLER, &link);

	if (found && locking)
	{
		Row quote;

		if (quote_find(link.quote_id, LOOKUP_STATEMENT, &quote))
			quote_lock_opportunity(DatumGetInt64(row_value(&quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
								   PLAN_WRITE);
		quote_lock(link.quote_id, PLAN_WRITE);
		found = find(wanted, LOOKUP_STATEMENT, &link);
	}
	if (!found)
		ereport(ERROR, (errcode(ERRCODE_SCRM_LINK_NOT_KNOWN), errmsg("link is not known"),
						errdetail("It is wrong, was revoked, or has expired."),
						errhint("Ask the sender for a new one.")));
	return link;
}

static bytea *
token_digest(const text *token, int max_characters)
{
	const char *characters = VARDATA_ANY(token);
	int length = pg_mbcharcliplen(characters, VARSIZE_ANY_EXHDR(token), max_characters);

	return digest_of_string(characters, length);
}

/* find returns whether a link has the hash and still leads to its quote. */
static bool
find(Datum token_sha256, LookupTime time, QuoteLink *link)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {QUOTE_LINK_TOKEN_SHA256}};
	Row row;

	if (!lookup_row(&lookup, time, &token_sha256, &row) ||
		!row_is_null(&row, QUOTE_LINK_REVOKED_AT) ||
		(!row_is_null(&row, QUOTE_LINK_EXPIRES_AT) &&
		 DatumGetTimestampTz(row_value(&row, QUOTE_LINK_EXPIRES_AT)) <= GetCurrentTimestamp()))
		return false;
	link->quote_link_id = DatumGetInt64(row_value(&row, QUOTE_LINK_ID));
	link->quote_id = DatumGetInt64(row_value(&row, QUOTE_LINK_QUOTE_ID));
	link->channel = row_nullable(&row, QUOTE_LINK_CHANNEL);
	link->recipient_name = row_nullable(&row, QUOTE_LINK_RECIPIENT_NAME);
	link->recipient_email = row_nullable(&row, QUOTE_LINK_RECIPIENT_EMAIL);
	return true;
}
