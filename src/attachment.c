/*
 * attachment.c
 *		Completes files as they are attached; their content goes to attachment_content, where the same
 *		bytes are kept once.
 *
 * Lock order: content that is there is locked FOR KEY SHARE, so that whoever deletes the last other
 * attachment of it meets this one; new content is the transaction's own.
 *
 * Memory: all in the caller's context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "batch.h"
#include "company_row.h"
#include "compat.h"
#include "digest.h"
#include "lookup.h"
#include "media_type.h"
#include "member.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_attachment_guard);

#define UNKNOWN_TYPE "application/octet-stream"
#define DOCUMENT_TYPE "text/html"

typedef enum AttachmentColumn
{
	ATTACHMENT_ID,
	ATTACHMENT_OPPORTUNITY_ID,
	ATTACHMENT_FILE_NAME,
	ATTACHMENT_MEDIA_TYPE,
	ATTACHMENT_CONTENT,
	ATTACHMENT_SHA256,
	ATTACHMENT_SIZE,
	ATTACHMENT_CREATED_BY,
} AttachmentColumn;

#define ATTACHMENT_COLUMNS (ATTACHMENT_CREATED_BY + 1)

static const RowColumn columns[ATTACHMENT_COLUMNS] = {
	[ATTACHMENT_ID] = {"attachment_id", INT8OID},
	[ATTACHMENT_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[ATTACHMENT_FILE_NAME] = {"file_name", TEXTOID},
	[ATTACHMENT_MEDIA_TYPE] = {"media_type", TEXTOID},
	[ATTACHMENT_CONTENT] = {"content", BYTEAOID},
	[ATTACHMENT_SHA256] = {"sha256", BYTEAOID},
	[ATTACHMENT_SIZE] = {"size", INT8OID},
	[ATTACHMENT_CREATED_BY] = {"created_by", INT8OID},
};
static RowMap table_map = ROW_MAP("attachment", columns);

static void refuse_change(const TriggerData *trigger, const AttrNumber *places);
static bool is_same(const Row *row, const Row *other, AttachmentColumn column);
static HeapTuple complete(const TriggerData *trigger, const Row *row);
static void check_size(const Row *row, int64 size);
static int64 max_bytes(void);
static bool is_signed_document(const Row *row);
static char *decide_type(const Row *row, const bytea *content);
static void keep_content(bytea *sha256, bytea *content);

/* Completes new attachments, and refuses another content for old ones */
Datum
scrm_attachment_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "attachment_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	const AttrNumber *places = row_map_get(&table_map, trigger->tg_relation);
	Row row;

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		refuse_change(trigger, places);
		return PointerGetDatum(trigger->tg_newtuple);
	}
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	row = row_in_slot(places, trigger->tg_trigslot);
	return PointerGetDatum(complete(trigger, &row));
}

static void
refuse_change(const TriggerData *trigger, const AttrNumber *places)
{
	Row old_row = row_in_slot(places, trigger->tg_trigslot);
	Row new_row = row_in_slot(places, trigger->tg_newslot);

	if (row_is_null(&new_row, ATTACHMENT_CONTENT) &&
		is_same(&old_row, &new_row, ATTACHMENT_SHA256) &&
		is_same(&old_row, &new_row, ATTACHMENT_SIZE) &&
		is_same(&old_row, &new_row, ATTACHMENT_MEDIA_TYPE))
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_RESTRICT_VIOLATION), errmsg("content of an attachment cannot be changed"),
		 errdetail("It is \"%s\".", TextDatumGetCString(row_value(&old_row, ATTACHMENT_FILE_NAME))),
		 errhint("DELETE it and INSERT the new file."),
		 err_generic_string(PG_DIAG_COLUMN_NAME, columns[ATTACHMENT_CONTENT].name)));
}

static bool
is_same(const Row *row, const Row *other, AttachmentColumn column)
{
	if (row_is_null(row, column) || row_is_null(other, column))
		return row_is_null(row, column) && row_is_null(other, column);
	return trigger_same_value(row_value(row, column), row_value(other, column),
							  TupleDescAttr(row->tupdesc, row->attnums[column] - 1));
}

/* complete fills in what the content says, and who attached it, and takes the content away. */
static HeapTuple
complete(const TriggerData *trigger, const Row *row)
{
	static const AttachmentColumn filled[] = {ATTACHMENT_MEDIA_TYPE, ATTACHMENT_CONTENT,
											  ATTACHMENT_SHA256, ATTACHMENT_SIZE,
											  ATTACHMENT_CREATED_BY};
	NullableDatum created_by = row_nullable(row, ATTACHMENT_CREATED_BY);
	bytea *content;
	bytea *sha256;
	char *media_type;
	NullableDatum given[lengthof(filled)];
	int places[lengthof(filled)];
	Datum values[lengthof(filled)];
	bool nulls[lengthof(filled)];

	if (row_is_null(row, ATTACHMENT_CONTENT))
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("attachment has no content"),
						errhint("Give the bytes of the file in content."),
						err_generic_string(PG_DIAG_SCHEMA_NAME, "sales_crm"),
						err_generic_string(PG_DIAG_TABLE_NAME, table_map.table),
						err_generic_string(PG_DIAG_COLUMN_NAME, columns[ATTACHMENT_CONTENT].name)));
	content = DatumGetByteaPP(row_value(row, ATTACHMENT_CONTENT));
	check_size(row, VARSIZE_ANY_EXHDR(content));
	media_type = decide_type(row, content);
	if (created_by.isnull)
		created_by = batch_key(member_current().member_id);
	sha256 = digest_of_bytes(content);
	keep_content(sha256, content);
	given[0] = batch_value(CStringGetTextDatum(media_type));
	given[1] = batch_null();
	given[2] = batch_value(PointerGetDatum(sha256));
	given[3] = batch_value(Int64GetDatum(VARSIZE_ANY_EXHDR(content)));
	given[4] = created_by;
	for (size_t i = 0; i < lengthof(filled); i++)
	{
		places[i] = row->attnums[filled[i]];
		values[i] = given[i].value;
		nulls[i] = given[i].isnull;
	}
	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, row->tupdesc, lengthof(filled), places,
									 values, nulls);
}

/* check_size: the limit is for what people hand in; no signature fails on its document. */
static void
check_size(const Row *row, int64 size)
{
	int64 allowed = max_bytes();

	if (size > allowed && !is_signed_document(row))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("attachment is too large"),
				 errdetail("It has " INT64_FORMAT " bytes; " INT64_FORMAT " are allowed.", size,
						   allowed),
				 errhint("Make it smaller, or raise attachment_max_bytes of sales_crm.company."),
				 err_generic_string(PG_DIAG_COLUMN_NAME, columns[ATTACHMENT_CONTENT].name)));
}

/* max_bytes returns the company's limit. */
static int64
max_bytes(void)
{
	Row company = company_get();

	return DatumGetInt32(row_value(&company, COMPANY_ATTACHMENT_MAX_BYTES));
}

/* is_signed_document says whether a signature waits for it. */
static bool
is_signed_document(const Row *row)
{
	static ScrmPlan plan = {
		.sql = "SELECT FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id)"
			   " WHERE q.opportunity_id = $1 AND coalesce(s.attachment_id, $2) = $2 LIMIT 1",
		.nargs = 2,
		.argtypes = {INT8OID, INT8OID},
		.by_key = true,
	};
	Datum values[] = {
		row_value(row, ATTACHMENT_OPPORTUNITY_ID),
		row_value(row, ATTACHMENT_ID),
	};
	bool is_waited_for;

	if (row_is_null(row, ATTACHMENT_OPPORTUNITY_ID) || row_is_null(row, ATTACHMENT_MEDIA_TYPE) ||
		strcmp(TextDatumGetCString(row_value(row, ATTACHMENT_MEDIA_TYPE)), DOCUMENT_TYPE) != 0)
		return false;
	plan_begin();
	is_waited_for = plan_run(&plan, PLAN_WRITE, values, NULL) > 0;
	plan_end();
	return is_waited_for;
}

/* decide_type returns the type that was given, or that the content tells. Errors: 22023. */
static char *
decide_type(const Row *row, const bytea *content)
{
	const char *told = media_type_of(content);
	char *media_type;

	if (row_is_null(row, ATTACHMENT_MEDIA_TYPE))
		return pstrdup(told != NULL ? told : UNKNOWN_TYPE);
	media_type = TextDatumGetCString(DirectFunctionCall1Coll(
		lower, DEFAULT_COLLATION_OID, row_value(row, ATTACHMENT_MEDIA_TYPE)));
	if (!media_type_fits(media_type, content))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("content is not of media type \"%s\"", media_type),
			 errdetail("Its first bytes are those of %s.", told != NULL ? told : "another type"),
			 errhint("Leave media_type NULL to have it told by the content."),
			 err_generic_string(PG_DIAG_COLUMN_NAME, columns[ATTACHMENT_MEDIA_TYPE].name)));
	return media_type;
}

/*
 * keep_content makes sure that a content is there and stays: content that somebody else has just
 * stored is not there any more when their last attachment with it went meanwhile.
 */
static void
keep_content(bytea *sha256, bytea *content)
{
	static ScrmPlan insert_plan = {
		.sql = "INSERT INTO sales_crm.attachment_content (sha256, content) VALUES ($1, $2)"
			   " ON CONFLICT (sha256) DO NOTHING",
		.nargs = 2,
		.argtypes = {BYTEAOID, BYTEAOID},
	};
	static ScrmPlan lock_plan = {
		.sql = "SELECT FROM sales_crm.attachment_content c WHERE c.sha256 = $1 FOR KEY SHARE",
		.nargs = 1,
		.argtypes = {BYTEAOID},
		.by_key = true,
	};
	Datum values[] = {PointerGetDatum(sha256), PointerGetDatum(content)};

	plan_begin();
	while (plan_run(&insert_plan, PLAN_WRITE, values, NULL) == 0 &&
		   plan_run(&lock_plan, PLAN_WRITE, values, NULL) == 0)
		CHECK_FOR_INTERRUPTS();
	plan_end();
}
