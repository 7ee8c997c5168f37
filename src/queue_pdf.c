/*
 * queue_pdf.c
 *		Has the PDF of a quote made, unless it is there or asked for, for itself or for an e-mail to carry.
 *
 * Two who ask at the same time may both have it made, which does no harm. An e-mail that is to carry it
 * waits for the message that makes it, which stays locked until the e-mail is committed: store_pdf()
 * then knows of it.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "access/xact.h"
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
#include "plan.h"
#include "queue_message.h"
#include "queue_pdf.h"
#include "quote.h"
#include "quote_rule.h"
#include "record.h"

PG_FUNCTION_INFO_V1(scrm_queue_pdf);
PG_FUNCTION_INFO_V1(scrm_await_pdf);
PG_FUNCTION_INFO_V1(scrm_quote_pdf_state);

#define KIND_PDF "pdf"

/* How often a PDF may be finished between a look for it and a look for its message */
#define MAX_ATTEMPTS 3

typedef enum DocumentColumn
{
	DOCUMENT_QUOTE_ID,
	DOCUMENT_PURPOSE,
	DOCUMENT_ATTACHMENT_ID,
} DocumentColumn;

static const RowColumn document_columns[] = {
	[DOCUMENT_QUOTE_ID] = {"quote_id", INT8OID},
	[DOCUMENT_PURPOSE] = {"purpose", TEXTOID},
	[DOCUMENT_ATTACHMENT_ID] = {"attachment_id", INT8OID},
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

static const RowColumn dead_columns[] = {{"message_id", INT8OID}};
static RowMap dead_map = ROW_MAP("message_dead", dead_columns);

static const RowColumn message_columns[] = {{"message_id", INT8OID}};
static AttrNumber message_attnums[lengthof(message_columns)];
static RowMap message_map = {
	.table = "message",
	.columns = message_columns,
	.ncolumns = lengthof(message_columns),
	.attnums = message_attnums,
};

static Row given_quote(FunctionCallInfo fcinfo);
static bool has_document(const Row *quote, const char *purpose);
pg_noreturn static void refuse(NullableDatum quote_id);
static bool
find_document(NullableDatum quote_id, const char *purpose, LookupTime time, Row *document);
static NullableDatum find_message(NullableDatum quote_id, const char *purpose);
static bool is_for_pdf(const Row *body, const char *purpose);
static bool is_done(Datum message_id);
static bool is_awaited(NullableDatum quote_id, const char *purpose);
static bool lock_message(Datum message_id);
static bool is_own(Datum message_id);
static bool lock_row(ScrmPlan *plan, Datum message_id);
static Datum payload(NullableDatum quote_id, const char *purpose);

/* quote_id bigint, purpose text */
Datum
scrm_queue_pdf(PG_FUNCTION_ARGS)
{
	NullableDatum message_id;
	Row quote = given_quote(fcinfo);

	message_id = queue_pdf(&quote, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (message_id.isnull)
		PG_RETURN_NULL();
	return message_id.value;
}

/* The same: attachment_id bigint, waits_for bigint */
Datum
scrm_await_pdf(PG_FUNCTION_ARGS)
{
	Row quote = given_quote(fcinfo);
	AwaitedPdf pdf = await_pdf(&quote, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Datum values[] = {pdf.attachment_id.value, pdf.waits_for.value};
	bool nulls[] = {pdf.attachment_id.isnull, pdf.waits_for.isnull};

	return record_return(fcinfo, values, nulls);
}

/* given_quote returns the quote of the arguments of both. */
static Row
given_quote(FunctionCallInfo fcinfo)
{
	Row quote;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) ||
		!quote_find(PG_GETARG_INT64(0), LOOKUP_STATEMENT, &quote))
		refuse(fcinfo->args[0]);
	return quote;
}

NullableDatum
queue_pdf(const Row *quote, const char *purpose)
{
	NullableDatum quote_id = quote_value(quote, QUOTE_COLUMN_ID);
	NullableDatum message[MESSAGE_ARGUMENTS];
	NullableDatum known;
	Row document;
	char *number;

	if (!has_document(quote, purpose))
		refuse(quote_id);
	if (find_document(quote_id, purpose, LOOKUP_STATEMENT, &document))
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

AwaitedPdf
await_pdf(const Row *quote, const char *purpose)
{
	AwaitedPdf pdf = {.attachment_id = batch_null(), .waits_for = batch_null()};
	NullableDatum quote_id = quote_value(quote, QUOTE_COLUMN_ID);

	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
	{
		NullableDatum message_id;
		Row document;

		if (find_document(quote_id, purpose, LOOKUP_STATEMENT, &document))
		{
			pdf.attachment_id = row_nullable(&document, DOCUMENT_ATTACHMENT_ID);
			break;
		}
		message_id = queue_pdf(quote, purpose);
		if (!message_id.isnull && lock_message(message_id.value))
		{
			pdf.waits_for = message_id;
			break;
		}
	}
	return pdf;
}

/* quote_id bigint, status text: attachment_id bigint, expected boolean */
Datum
scrm_quote_pdf_state(PG_FUNCTION_ARGS)
{
	PdfState state = {.attachment_id = batch_null()};
	Datum values[2];
	bool nulls[2] = {false, false};

	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1))
		state =
			pdf_state(fcinfo->args[0], quote_status_named(text_to_cstring(PG_GETARG_TEXT_PP(1))));
	values[0] = state.attachment_id.value;
	nulls[0] = state.attachment_id.isnull;
	values[1] = BoolGetDatum(state.expected);
	return record_return(fcinfo, values, nulls);
}

PdfState
pdf_state(NullableDatum quote_id, QuoteStatus status)
{
	const char *purpose = status == QUOTE_SIGNED ? PDF_OF_SIGNED : PDF_OF_QUOTE;
	PdfState state = {.attachment_id = batch_null()};
	Row document;

	if (status == QUOTE_WITHDRAWN)
		return state;
	if (find_document(quote_id, purpose, LOOKUP_CALLER, &document))
		state.attachment_id = row_nullable(&document, DOCUMENT_ATTACHMENT_ID);
	else
		state.expected = is_awaited(quote_id, purpose);
	return state;
}

/* is_awaited says whether there is a message for the PDF that was not given up. */
static bool
is_awaited(NullableDatum quote_id, const char *purpose)
{
	static Lookup lookup = {.map = &body_map, .ncolumns = 1, .columns = {BODY_QUOTE_ID}};
	static Lookup dead = {.map = &dead_map, .ncolumns = 1};
	bool awaited = false;
	LookupScan scan;

	lookup_begin(&scan, &lookup, LOOKUP_CALLER, &quote_id.value);
	while (!awaited && lookup_next(&scan))
	{
		Datum message_id = row_value(&scan.row, BODY_MESSAGE_ID);
		Row row;

		awaited =
			is_for_pdf(&scan.row, purpose) && !lookup_row(&dead, LOOKUP_CALLER, &message_id, &row);
	}
	lookup_end(&scan);
	return awaited;
}

/* lock_message keeps a message from being finished; false: it is. */
static bool
lock_message(Datum message_id)
{
	static ScrmPlan waiting = {
		.sql = "SELECT FROM sales_crm.message WHERE message_id = $1 FOR KEY SHARE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan dead = {
		.sql = "SELECT FROM sales_crm.message_dead WHERE message_id = $1 FOR KEY SHARE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};

	return is_own(message_id) || lock_row(&waiting, message_id) || lock_row(&dead, message_id);
}

/* is_own says whether this transaction has queued a message: nobody else has it before the commit. */
static bool
is_own(Datum message_id)
{
	static Lookup lookup = {.map = &message_map, .ncolumns = 1};
	LookupScan scan;
	bool own;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, &message_id);
	own = lookup_next(&scan) && TransactionIdIsCurrentTransactionId(scan.xmin);
	lookup_end(&scan);
	return own;
}

static bool
lock_row(ScrmPlan *plan, Datum message_id)
{
	bool found;

	plan_begin();
	found = plan_run(plan, PLAN_WRITE, &message_id, NULL) > 0;
	plan_end();
	return found;
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
find_document(NullableDatum quote_id, const char *purpose, LookupTime time, Row *document)
{
	static Lookup lookup = {
		.map = &document_map,
		.ncolumns = 2,
		.columns = {DOCUMENT_QUOTE_ID, DOCUMENT_PURPOSE},
	};
	Datum key[] = {quote_id.value, CStringGetTextDatum(purpose)};

	return lookup_row(&lookup, time, key, document);
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
