/*
 * email_thread.c
 *		Finds the conversation that an e-mail belongs to, and files it there.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compat.h"
#include "email_header.h"
#include "email_thread.h"
#include "insert.h"
#include "json.h"
#include "lookup.h"
#include "plan.h"

/* E-mails that an answer refers to */
#define MAX_REFERENCES 10

typedef enum EmailColumn
{
	EMAIL_ID,
	EMAIL_OPPORTUNITY_ID,
	EMAIL_THREAD_ID,
	EMAIL_MESSAGE_ID,
	EMAIL_FROM_ADDRESS,
	EMAIL_TO_ADDRESSES,
	EMAIL_SENT_AT,
} EmailColumn;

static const RowColumn columns[] = {
	[EMAIL_ID] = {"email_id", INT8OID},
	[EMAIL_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[EMAIL_THREAD_ID] = {"thread_id", INT8OID},
	[EMAIL_MESSAGE_ID] = {"message_id", TEXTOID},
	[EMAIL_FROM_ADDRESS] = {"from_address", TEXTOID},
	[EMAIL_TO_ADDRESSES] = {"to_addresses", TEXTARRAYOID},
	[EMAIL_SENT_AT] = {"sent_at", TIMESTAMPTZOID},
};
static RowMap table_map = ROW_MAP("email", columns);

/* What is written of one that is filed; the other columns have defaults */
typedef enum FiledColumn
{
	FILED_ID,
	FILED_OPPORTUNITY_ID,
	FILED_THREAD_ID,
	FILED_DIRECTION,
	FILED_STATE,
	FILED_MESSAGE_ID,
	FILED_IN_REPLY_TO,
	FILED_FROM_ADDRESS,
	FILED_FROM_NAME,
	FILED_TO_ADDRESSES,
	FILED_SUBJECT,
	FILED_BODY_TEXT,
	FILED_BODY_HTML,
} FiledColumn;

static const RowColumn filed_columns[] = {
	[FILED_ID] = {"email_id", INT8OID},
	[FILED_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[FILED_THREAD_ID] = {"thread_id", INT8OID},
	[FILED_DIRECTION] = {"direction", TEXTOID},
	[FILED_STATE] = {"state", TEXTOID},
	[FILED_MESSAGE_ID] = {"message_id", TEXTOID},
	[FILED_IN_REPLY_TO] = {"in_reply_to", TEXTOID},
	[FILED_FROM_ADDRESS] = {"from_address", TEXTOID},
	[FILED_FROM_NAME] = {"from_name", TEXTOID},
	[FILED_TO_ADDRESSES] = {"to_addresses", TEXTARRAYOID},
	[FILED_SUBJECT] = {"subject", TEXTOID},
	[FILED_BODY_TEXT] = {"body_text", TEXTOID},
	[FILED_BODY_HTML] = {"body_html", TEXTOID},
};
static RowMap filed_map = ROW_MAP("email", filed_columns);

static bool is_with(const Row *email, const char *address, const char *lower);
static int compare_latest(const void *a, const void *b);
static bool is_later(const Row *a, const Row *b);

EmailThread
email_thread_find(NullableDatum opportunity_id, const char *address)
{
	static Lookup lookup = {
		.map = &table_map,
		.ncolumns = 2,
		.columns = {EMAIL_OPPORTUNITY_ID, EMAIL_SENT_AT},
	};
	EmailThread thread = {.thread_id = batch_null()};
	char *lower = email_address_lower(address);
	int64 last = 0;
	TimestampTz sent_at = 0;
	LookupScan scan;

	if (opportunity_id.isnull)
		return thread;
	lookup_begin_backward(&scan, &lookup, LOOKUP_STATEMENT, &opportunity_id.value);
	while (lookup_next(&scan))
	{
		int64 email_id = DatumGetInt64(row_value(&scan.row, EMAIL_ID));
		TimestampTz at = DatumGetTimestampTz(row_value(&scan.row, EMAIL_SENT_AT));

		/* Of those sent at the same time it is the one that was filed last */
		if (thread.message_id != NULL && at < sent_at)
			break;
		if ((thread.message_id != NULL && email_id < last) || !is_with(&scan.row, address, lower))
			continue;
		thread.message_id = row_text(&scan.row, EMAIL_MESSAGE_ID);
		thread.thread_id = row_nullable(&scan.row, EMAIL_THREAD_ID);
		last = email_id;
		sent_at = at;
	}
	lookup_end(&scan);
	return thread;
}

/* is_with says whether an e-mail can be answered and is from or to an address. */
static bool
is_with(const Row *email, const char *address, const char *lower)
{
	char *from = row_text(email, EMAIL_FROM_ADDRESS);
	Datum *to;
	bool *nulls;
	int count;

	if (row_is_null(email, EMAIL_MESSAGE_ID))
		return false;
	if (from != NULL && strcmp(email_address_lower(from), lower) == 0)
		return true;
	deconstruct_array(DatumGetArrayTypeP(row_value(email, EMAIL_TO_ADDRESSES)), TEXTOID, -1, false,
					  TYPALIGN_INT, &to, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i] && strcmp(TextDatumGetCString(to[i]), address) == 0)
			return true;
	}
	return false;
}

void
email_thread_push(JsonbParseState **state, const char *key, const EmailThread *thread)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {EMAIL_THREAD_ID}};
	Row *emails = NULL;
	int count = 0;
	int known = 0;

	if (!thread->thread_id.isnull)
		count = lookup_rows(&lookup, LOOKUP_STATEMENT, &thread->thread_id.value, &emails);
	for (int i = 0; i < count; i++)
	{
		if (!row_is_null(&emails[i], EMAIL_MESSAGE_ID))
			emails[known++] = emails[i];
	}
	if (known > 0)
		qsort(emails, known, sizeof(Row), compare_latest);
	json_push_key(state, key);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = Min(known, MAX_REFERENCES); i-- > 0;)
	{
		JsonbValue value = {.type = jbvString};

		value.val.string.val = row_text(&emails[i], EMAIL_MESSAGE_ID);
		value.val.string.len = (int) strlen(value.val.string.val);
		pushJsonbValue(state, WJB_ELEM, &value);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* compare_latest sorts e-mails by their time, the last one first. */
static int
compare_latest(const void *a, const void *b)
{
	return is_later(b, a) ? 1 : is_later(a, b) ? -1 : 0;
}

static bool
is_later(const Row *a, const Row *b)
{
	TimestampTz at = DatumGetTimestampTz(row_value(a, EMAIL_SENT_AT));
	TimestampTz other = DatumGetTimestampTz(row_value(b, EMAIL_SENT_AT));

	return at > other || (at == other && DatumGetInt64(row_value(a, EMAIL_ID)) >
											 DatumGetInt64(row_value(b, EMAIL_ID)));
}

NullableDatum
email_thread_file(const EmailThread *thread, const FiledEmail *email)
{
	static Insert insert = {.map = &filed_map};
	Datum to[] = {CStringGetTextDatum(email->to_address)};
	NullableDatum row[] = {
		[FILED_ID] = batch_value(
			Int64GetDatum(nextval_internal(plan_relation("email_email_id_seq"), false))),
		[FILED_OPPORTUNITY_ID] = email->opportunity_id,
		[FILED_THREAD_ID] = thread->thread_id,
		[FILED_DIRECTION] = batch_text("outgoing"),
		[FILED_STATE] = batch_text("queued"),
		[FILED_MESSAGE_ID] = batch_text(email->message_id),
		[FILED_IN_REPLY_TO] = batch_text(thread->message_id),
		[FILED_FROM_ADDRESS] = batch_text(email->from_address),
		[FILED_FROM_NAME] = batch_text(email->from_name),
		[FILED_TO_ADDRESSES] =
			batch_value(PointerGetDatum(construct_array(to, 1, TEXTOID, -1, false, TYPALIGN_INT))),
		[FILED_SUBJECT] = batch_text(email->subject),
		[FILED_BODY_TEXT] = batch_text(email->body_text),
		[FILED_BODY_HTML] = batch_text(email->body_html),
	};

	return insert_row(&insert, row, NULL) ? row[FILED_ID] : batch_null();
}
