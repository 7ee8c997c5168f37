/*
 * signature.c
 *		What follows from a signature: the status of its quote and of others, the signed document, the
 *		phase of the opportunity, and what the seller is told.
 *
 * Lock order: whoever signs has locked the opportunity and then the quote; other quotes of the
 * opportunity follow in the order of their keys.
 *
 * Memory: all in the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "digest.h"
#include "insert.h"
#include "json.h"
#include "lookup.h"
#include "next_key.h"
#include "notification.h"
#include "plan.h"
#include "quote.h"
#include "quote_event.h"
#include "quote_move.h"
#include "quote_rule.h"
#include "signature.h"
#include "signed_document.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_apply_signature);

static const RowColumn columns[SIGNATURE_COLUMNS] = {
	[SIGNATURE_QUOTE_ID] = {"quote_id", INT8OID},
	[SIGNATURE_SIGNER_NAME] = {"signer_name", TEXTOID},
	[SIGNATURE_SIGNER_EMAIL] = {"signer_email", TEXTOID},
	[SIGNATURE_IMAGE] = {"image", BYTEAOID},
	[SIGNATURE_PAPER] = {"paper", BOOLOID},
	[SIGNATURE_CONSENT_TEXT] = {"consent_text", TEXTOID},
	[SIGNATURE_IP] = {"ip", INETOID},
	[SIGNATURE_USER_AGENT] = {"user_agent", TEXTOID},
	[SIGNATURE_SIGNED_AT] = {"signed_at", TIMESTAMPTZOID},
	[SIGNATURE_SNAPSHOT_SHA256] = {"snapshot_sha256", BYTEAOID},
	[SIGNATURE_ATTACHMENT_ID] = {"attachment_id", INT8OID},
	[SIGNATURE_QUOTE_LINK_ID] = {"quote_link_id", INT8OID},
};
static RowMap table_map = ROW_MAP("signature", columns);

/* What a file is written with; the rest fills in itself */
typedef enum FileColumn
{
	FILE_ATTACHMENT_ID,
	FILE_OPPORTUNITY_ID,
	FILE_FILE_NAME,
	FILE_MEDIA_TYPE,
	FILE_CONTENT,
} FileColumn;

static const RowColumn file_columns[] = {
	[FILE_ATTACHMENT_ID] = {"attachment_id", INT8OID},
	[FILE_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[FILE_FILE_NAME] = {"file_name", TEXTOID},
	[FILE_MEDIA_TYPE] = {"media_type", TEXTOID},
	[FILE_CONTENT] = {"content", BYTEAOID},
};
static RowMap file_map = ROW_MAP("attachment", file_columns);

/* What the quote's history says of it */
typedef enum StoredColumn
{
	STORED_ATTACHMENT_ID,
	STORED_FILE_NAME,
	STORED_SHA256,
} StoredColumn;

static const RowColumn stored_columns[] = {
	[STORED_ATTACHMENT_ID] = {"attachment_id", INT8OID},
	[STORED_FILE_NAME] = {"file_name", TEXTOID},
	[STORED_SHA256] = {"sha256", BYTEAOID},
};
static AttrNumber stored_attnums[lengthof(stored_columns)];
static RowMap stored_map = {
	.table = "attachment",
	.columns = stored_columns,
	.ncolumns = lengthof(stored_columns),
	.attnums = stored_attnums,
};

static void set_signed(int64 quote_id, Datum signed_at);
static void supersede_others(Datum opportunity_id);
static bool has_open_quote(Datum opportunity_id);
static Row file_of(const Row *quote, const Row *signature, OpenInsert *open);
static Row attach_document(const Row *quote, const Row *signature, NullableDatum attachment_id);
static bytea *utf8_bytes(text *document);
static Datum document_name(const Row *quote);
static Row attached_file(Datum attachment_id);
static void append_document_event(int64 quote_id, const Row *file);
static void tell_seller(const Row *quote, const char *signer_name, const char *problem);

/* quote_id bigint */
Datum
scrm_apply_signature(PG_FUNCTION_ARGS)
{
	signature_apply(PG_GETARG_INT64(0), NULL);
	PG_RETURN_VOID();
}

int64
signature_next_document(void)
{
	static KeySource source = {.map = &file_map, .column = FILE_ATTACHMENT_ID};

	return next_key(&source);
}

void
signature_apply(int64 quote_id, OpenInsert *open)
{
	Row quote;
	Row signature;
	Row file;

	if (!signature_find(quote_id, LOOKUP_STATEMENT, &signature))
		elog(ERROR, "quote " INT64_FORMAT " has no signature", quote_id);
	set_signed(quote_id, row_value(&signature, SIGNATURE_SIGNED_AT));
	quote = quote_require(batch_value(Int64GetDatum(quote_id)));
	supersede_others(row_value(&quote, QUOTE_COLUMN_OPPORTUNITY_ID));
	file = file_of(&quote, &signature, open);
	append_document_event(quote_id, &file);
	tell_seller(&quote, TextDatumGetCString(row_value(&signature, SIGNATURE_SIGNER_NAME)),
				quote_move_opportunity(&quote, "signed"));
}

bool
signature_find(int64 quote_id, LookupTime time, Row *signature)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {SIGNATURE_QUOTE_ID}};
	Datum key[] = {Int64GetDatum(quote_id)};

	return lookup_row(&lookup, time, key, signature);
}

static void
set_signed(int64 quote_id, Datum signed_at)
{
	static Update update = {
		.lookup = {.map = &quote_table, .ncolumns = 1, .columns = {QUOTE_COLUMN_ID}},
		.ncolumns = 2,
		.columns = {QUOTE_COLUMN_STATUS, QUOTE_COLUMN_ANSWERED_AT},
	};
	NullableDatum values[] = {
		batch_value(CStringGetTextDatum(quote_status_names[QUOTE_SIGNED])),
		batch_value(signed_at),
	};

	(void) update_row(&update, Int64GetDatum(quote_id), values);
}

/* supersede_others closes what is open beside the quote, where the company says so. */
static void
supersede_others(Datum opportunity_id)
{
	static ScrmPlan find_plan = {
		.sql =
			"SELECT q.quote_id FROM sales_crm.quote q"
			" WHERE q.opportunity_id = $1 AND q.status IN ('sent', 'viewed') ORDER BY q.quote_id",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan supersede_plan = {
		.sql = "UPDATE sales_crm.quote SET status = 'superseded'"
			   " WHERE quote_id = $1 AND status IN ('sent', 'viewed')",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	SPITupleTable *others;
	uint64 nothers;

	if (!configuration_get()->signing_supersedes_others || !has_open_quote(opportunity_id))
		return;
	plan_begin();
	nothers = plan_run(&find_plan, PLAN_WRITE, &opportunity_id, NULL);
	others = SPI_tuptable;
	for (uint64 i = 0; i < nothers; i++)
	{
		NullableDatum other = plan_value(others, i, 1);

		(void) plan_run(&supersede_plan, PLAN_WRITE, &other.value, NULL);
	}
	plan_end();
}

static bool
has_open_quote(Datum opportunity_id)
{
	static Lookup lookup = {
		.map = &quote_table,
		.ncolumns = 1,
		.columns = {QUOTE_COLUMN_OPPORTUNITY_ID},
	};
	LookupScan scan;
	bool found = false;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, &opportunity_id);
	while (!found && lookup_next(&scan))
		found = (IN(quote_status(&scan.row)) & IN_OPEN) != 0;
	lookup_end(&scan);
	return found;
}

/*
 * file_of returns the scan that the signature came with, or the document, which the signature refers to
 * already unless its table needs statements.
 */
static Row
file_of(const Row *quote, const Row *signature, OpenInsert *open)
{
	static Update update = {
		.lookup = {.map = &table_map, .ncolumns = 1, .columns = {SIGNATURE_QUOTE_ID}},
		.ncolumns = 1,
		.columns = {SIGNATURE_ATTACHMENT_ID},
	};
	NullableDatum attachment_id = row_nullable(signature, SIGNATURE_ATTACHMENT_ID);
	Row file;

	if (open == NULL && !attachment_id.isnull)
		return attached_file(attachment_id.value);
	if (open == NULL)
		attachment_id = batch_value(Int64GetDatum(signature_next_document()));
	file = attach_document(quote, signature, attachment_id);
	if (open == NULL)
		(void) update_row(&update, row_value(quote, QUOTE_COLUMN_ID), &attachment_id);
	else
		insert_row_end(open);
	return file;
}

static Row
attach_document(const Row *quote, const Row *signature, NullableDatum attachment_id)
{
	static Insert insert = {.map = &file_map};
	text *document = signed_document_make(quote, signature);
	NullableDatum given[lengthof(file_columns)];
	Row file;

	given[FILE_ATTACHMENT_ID] = attachment_id;
	given[FILE_OPPORTUNITY_ID] = batch_value(row_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID));
	given[FILE_FILE_NAME] = batch_value(document_name(quote));
	given[FILE_MEDIA_TYPE] = batch_value(CStringGetTextDatum("text/html"));
	given[FILE_CONTENT] = batch_null();
	if (document != NULL)
		given[FILE_CONTENT] = batch_value(PointerGetDatum(utf8_bytes(document)));
	if (!insert_row(&insert, given, &file))
		elog(ERROR, "document of a signature was not attached");
	row_map_fill(&stored_map, stored_attnums, file.tupdesc);
	file.attnums = stored_attnums;
	return file;
}

/* utf8_bytes copies the document only where the server has another encoding. */
static bytea *
utf8_bytes(text *document)
{
	char *string = VARDATA_ANY(document);
	char *utf8 = pg_server_to_any(string, (int) VARSIZE_ANY_EXHDR(document), PG_UTF8);

	return utf8 == string ? document : cstring_to_text(utf8);
}

/* document_name makes a file name of the quote's number and version. */
static Datum
document_name(const Row *quote)
{
	int32 version = DatumGetInt32(row_value(quote, QUOTE_COLUMN_VERSION));
	Datum number = DirectFunctionCall4Coll(textregexreplace, DEFAULT_COLLATION_OID,
										   row_value(quote, QUOTE_COLUMN_NUMBER),
										   CStringGetTextDatum("[/\\\\[:cntrl:]]"),
										   CStringGetTextDatum("-"), CStringGetTextDatum("g"));

	return CStringGetTextDatum(psprintf("%s%s-signed.html", TextDatumGetCString(number),
										version > 1 ? psprintf("-v%d", version) : ""));
}

static Row
attached_file(Datum attachment_id)
{
	static Lookup lookup = {.map = &stored_map, .ncolumns = 1, .columns = {STORED_ATTACHMENT_ID}};
	Row file;

	if (!lookup_row(&lookup, LOOKUP_STATEMENT, &attachment_id, &file))
		elog(ERROR, "attachment " INT64_FORMAT " of a signature is not there",
			 DatumGetInt64(attachment_id));
	return file;
}

static void
append_document_event(int64 quote_id, const Row *file)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "sha256", digest_hex(DatumGetByteaPP(row_value(file, STORED_SHA256))));
	json_push_text(&state, "file_name", TextDatumGetCString(row_value(file, STORED_FILE_NAME)));
	json_push_text(&state, "attachment_id",
				   psprintf(INT64_FORMAT, DatumGetInt64(row_value(file, STORED_ATTACHMENT_ID))));
	quote_event_append(quote_id, "document", batch_null(),
					   JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static void
tell_seller(const Row *quote, const char *signer_name, const char *problem)
{
	JsonbParseState *state = NULL;
	const char *body = signer_name;

	if (problem != NULL)
		body = psprintf("%s\nThe opportunity stays in its phase: %s.", signer_name, problem);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "name", signer_name);
	notify_seller(quote, "quote.signed", body,
				  JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
