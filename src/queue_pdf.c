/*
 * queue_pdf.c
 *		Has the PDF of a quote made, unless it is there or asked for.
 *
 * Nothing is locked: two who ask at the same time may both have it made, which does no harm.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "batch.h"
#include "compat.h"
#include "json.h"
#include "lookup.h"
#include "queue_message.h"
#include "queue_pdf.h"
#include "quote.h"
#include "quote_rule.h"

PG_FUNCTION_INFO_V1(scrm_queue_pdf);

#define KIND_PDF "pdf"

typedef enum DocumentColumn
{
	DOCUMENT_QUOTE_ID,
	DOCUMENT_PURPOSE,
} DocumentColumn;

static const RowColumn document_columns[] = {
	[DOCUMENT_QUOTE_ID] = {"quote_id", INT8OID},
	[DOCUMENT_PURPOSE] = {"purpose", TEXTOID},
};
static RowMap document_map = ROW_MAP("quote_document", document_columns);

typedef enum BodyColumn
{
	BODY_MESSAGE_ID,
	BODY_KIND,
	BODY_QUOTE_ID,
	BODY_PAYLOAD,
} BodyColumn;

static const RowColumn body_columns[] = {
	[BODY_MESSAGE_ID] = {"message_id", INT8OID},
	[BODY_KIND] = {"kind", TEXTOID},
	[BODY_QUOTE_ID] = {"quote_id", INT8OID},
	[BODY_PAYLOAD] = {"payload", JSONBOID},
};
static RowMap body_map = ROW_MAP("message_body", body_columns);

static const RowColumn done_columns[] = {{"message_id", INT8OID}};
static RowMap done_map = ROW_MAP("message_done", done_columns);

static bool has_document(const Row *quote, const char *purpose);
pg_noreturn static void refuse(NullableDatum quote_id);
static bool is_made(NullableDatum quote_id, const char *purpose);
static NullableDatum find_message(NullableDatum quote_id, const char *purpose);
static bool is_for_pdf(const Row *body, const char *purpose);
static bool is_done(Datum message_id);
static Datum payload(NullableDatum quote_id, const char *purpose);

/* quote_id bigint, purpose text */
Datum
scrm_queue_pdf(PG_FUNCTION_ARGS)
{
	NullableDatum quote_id = fcinfo->args[0];
	NullableDatum message_id;
	Row quote;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) ||
		!quote_find(PG_GETARG_INT64(0), LOOKUP_STATEMENT, &quote))
		refuse(quote_id);
	message_id = queue_pdf(&quote, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (message_id.isnull)
		PG_RETURN_NULL();
	return message_id.value;
}

NullableDatum
queue_pdf(const Row *quote, const char *purpose)
{
	NullableDatum quote_id = quote_value(quote, QUOTE_COLUMN_ID);
	NullableDatum message[MESSAGE_ARGUMENTS];
	NullableDatum known;
	char *number;

	if (!has_document(quote, purpose))
		refuse(quote_id);
	if (is_made(quote_id, purpose))
		return batch_null();
	known = find_message(quote_id, purpose);
	if (!known.isnull)
		return known;
	number = TextDatumGetCString(row_value(quote, QUOTE_COLUMN_NUMBER));
	for (int i = 0; i < MESSAGE_ARGUMENTS; i++)
		message[i] = batch_null();
	message[MESSAGE_KIND] = batch_value(CStringGetTextDatum(KIND_PDF));
	message[MESSAGE_EVENT] = batch_value(CStringGetTextDatum("quote.pdf"));
	message[MESSAGE_PAYLOAD] = batch_value(payload(quote_id, purpose));
	message[MESSAGE_RECIPIENT] =
		batch_value(CStringGetTextDatum(psprintf("%s %s", number, purpose)));
	message[MESSAGE_QUOTE_ID] = quote_id;
	message[MESSAGE_OPPORTUNITY_ID] = quote_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID);
	return queue_message(message);
}

static bool
has_document(const Row *quote, const char *purpose)
{
	if (row_is_null(quote, QUOTE_COLUMN_HTML))
		return false;
	return strcmp(purpose, PDF_OF_QUOTE) == 0 ||
		   (strcmp(purpose, PDF_OF_SIGNED) == 0 && quote_status(quote) == QUOTE_SIGNED);
}

static void
refuse(NullableDatum quote_id)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("quote %s has no document to make a PDF of", quote_key_text(quote_id)),
					errhint("Send it first, or have it signed; purposes are quote and signed.")));
}

static bool
is_made(NullableDatum quote_id, const char *purpose)
{
	static Lookup lookup = {
		.map = &document_map,
		.ncolumns = 2,
		.columns = {DOCUMENT_QUOTE_ID, DOCUMENT_PURPOSE},
	};
	Datum key[] = {quote_id.value, CStringGetTextDatum(purpose)};
	Row document;

	return lookup_row(&lookup, LOOKUP_STATEMENT, key, &document);
}

/* find_message returns the first message for the PDF that was not delivered, NULL without one. */
static NullableDatum
find_message(NullableDatum quote_id, const char *purpose)
{
	static Lookup lookup = {.map = &body_map, .ncolumns = 1, .columns = {BODY_QUOTE_ID}};
	NullableDatum found = batch_null();
	LookupScan scan;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, &quote_id.value);
	while (lookup_next(&scan))
	{
		Datum message_id = row_value(&scan.row, BODY_MESSAGE_ID);

		if (!found.isnull && DatumGetInt64(message_id) > DatumGetInt64(found.value))
			continue;
		if (is_for_pdf(&scan.row, purpose) && !is_done(message_id))
			found = batch_value(message_id);
	}
	lookup_end(&scan);
	return found;
}

static bool
is_for_pdf(const Row *body, const char *purpose)
{
	char *asked;

	if (strcmp(TextDatumGetCString(row_value(body, BODY_KIND)), KIND_PDF) != 0)
		return false;
	asked = json_text(&DatumGetJsonbP(row_value(body, BODY_PAYLOAD))->root, "purpose");
	return asked != NULL && strcmp(asked, purpose) == 0;
}

static bool
is_done(Datum message_id)
{
	static Lookup lookup = {.map = &done_map, .ncolumns = 1};
	Row done;

	return lookup_row(&lookup, LOOKUP_STATEMENT, &message_id, &done);
}

static Datum
payload(NullableDatum quote_id, const char *purpose)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "purpose", purpose);
	json_push_number(&state, "quote_id", DirectFunctionCall1(int8_numeric, quote_id.value));
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
