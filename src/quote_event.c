/*
 * quote_event.c
 *		The chain of a quote's events: each row carries a hash of what it says and of the row before.
 *
 * The text that is hashed is written out here and in doc/answer.md, so that anybody can recompute it
 * with another program. Nothing of it depends on settings, on keys that a copy might number anew, or
 * on the server's version: jsonb is written as PostgreSQL writes it, times in UTC with microseconds.
 *
 * Lock order: whoever answers, sends or revises a quote has locked its opportunity and then the
 * quote (lock_quote()); the trigger locks the quote again, which costs nothing then, and makes rows
 * that come from elsewhere wait for their turn. Quotes never wait for each other.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compat.h"
#include "digest.h"
#include "error.h"
#include "insert.h"
#include "json.h"
#include "lookup.h"
#include "member.h"
#include "quote_event.h"
#include "quote_lock.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_event_text);
PG_FUNCTION_INFO_V1(scrm_quote_event_chain);
PG_FUNCTION_INFO_V1(scrm_append_quote_event);

/* The first line of the text: another form of it gets another number */
#define CHAIN_FORMAT "sales_crm quote_event 1\n"

typedef enum QuoteEventColumn
{
	QUOTE_EVENT_QUOTE_ID,
	QUOTE_EVENT_POSITION,
	QUOTE_EVENT_KIND,
	QUOTE_EVENT_AT,
	QUOTE_EVENT_MEMBER_ID,
	QUOTE_EVENT_QUOTE_LINK_ID,
	QUOTE_EVENT_DATA,
	QUOTE_EVENT_PREVIOUS_SHA256,
	QUOTE_EVENT_SHA256,
} QuoteEventColumn;

#define QUOTE_EVENT_COLUMNS (QUOTE_EVENT_SHA256 + 1)

static const RowColumn columns[QUOTE_EVENT_COLUMNS] = {
	[QUOTE_EVENT_QUOTE_ID] = {"quote_id", INT8OID},
	[QUOTE_EVENT_POSITION] = {"position", INT4OID},
	[QUOTE_EVENT_KIND] = {"kind", TEXTOID},
	[QUOTE_EVENT_AT] = {"at", TIMESTAMPTZOID},
	[QUOTE_EVENT_MEMBER_ID] = {"member_id", INT8OID},
	[QUOTE_EVENT_QUOTE_LINK_ID] = {"quote_link_id", INT8OID},
	[QUOTE_EVENT_DATA] = {"data", JSONBOID},
	[QUOTE_EVENT_PREVIOUS_SHA256] = {"previous_sha256", BYTEAOID},
	[QUOTE_EVENT_SHA256] = {"sha256", BYTEAOID},
};
static RowMap table_map = ROW_MAP("quote_event", columns);

/* The last events of quotes that no checkpoint has yet */
static const RowColumn pending_columns[] = {{"quote_id", INT8OID}};
static RowMap pending_map = ROW_MAP("quote_event_pending", pending_columns);

/* What is hashed */
typedef struct QuoteEvent
{
	int64 quote_id;
	int32 position;
	char *kind;
	TimestampTz at;
	NullableDatum member_id;
	NullableDatum quote_link_id;
	Jsonb *data;
	bytea *previous; /* NULL for the first */
} QuoteEvent;

static char *event_text(const QuoteEvent *event);
static void add_text(StringInfo text, const char *name, const char *value);
static void add_key(StringInfo text, const char *name, NullableDatum key);
static char *time_text(TimestampTz at);
static HeapTuple complete_event(TriggerData *trigger);
static void read_head(QuoteEvent *event);
static void add_pending(int64 quote_id);
static Datum required(const Row *row, QuoteEventColumn column);

/* The text of an event: its arguments are the columns that count */
Datum
scrm_quote_event_text(PG_FUNCTION_ARGS)
{
	QuoteEvent event = {0};

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	if (PG_ARGISNULL(6))
		PG_RETURN_NULL();
	event.quote_id = PG_GETARG_INT64(0);
	event.position = PG_GETARG_INT32(1);
	event.kind = text_to_cstring(PG_GETARG_TEXT_PP(2));
	event.at = PG_GETARG_TIMESTAMPTZ(3);
	event.member_id = fcinfo->args[4];
	event.quote_link_id = fcinfo->args[5];
	event.data = PG_GETARG_JSONB_P(6);
	event.previous = PG_ARGISNULL(7) ? NULL : PG_GETARG_BYTEA_PP(7);
	PG_RETURN_TEXT_P(cstring_to_text(event_text(&event)));
}

/* Completes new events, refuses to change or remove any */
Datum
scrm_quote_event_chain(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_event_chain", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);

	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE),
						errmsg("events of quotes are append-only"),
						errdetail("They are the evidence of what happened."),
						errhint("What happens next is another event.")));
	return PointerGetDatum(complete_event(trigger));
}

/* quote_id bigint, kind text, quote_link_id bigint, data jsonb */
Datum
scrm_append_quote_event(PG_FUNCTION_ARGS)
{
	char *kind;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("an event needs a quote and a kind")));
	kind = text_to_cstring(PG_GETARG_TEXT_PP(1));
	quote_event_append(PG_GETARG_INT64(0), kind, fcinfo->args[2],
					   PG_ARGISNULL(3) ? NULL
									   : DatumGetJsonbP(DirectFunctionCall1(jsonb_strip_nulls,
																			PG_GETARG_DATUM(3))));
	PG_RETURN_VOID();
}

void
quote_event_append(int64 quote_id, const char *kind, NullableDatum quote_link_id, Jsonb *data)
{
	quote_event_append_by(quote_id, kind, quote_link_id.isnull ? member_current().member_id : 0,
						  quote_link_id, data);
}

void
quote_event_append_by(int64 quote_id, const char *kind, int64 member_id,
					  NullableDatum quote_link_id, Jsonb *data)
{
	static Insert insert = {.map = &table_map};
	NullableDatum event[QUOTE_EVENT_COLUMNS];

	for (int i = 0; i < QUOTE_EVENT_COLUMNS; i++)
		event[i] = batch_null();
	event[QUOTE_EVENT_QUOTE_ID] = batch_value(Int64GetDatum(quote_id));
	event[QUOTE_EVENT_KIND] = batch_value(CStringGetTextDatum(kind));
	event[QUOTE_EVENT_MEMBER_ID] = batch_key(member_id);
	event[QUOTE_EVENT_QUOTE_LINK_ID] = quote_link_id;
	if (data != NULL)
		event[QUOTE_EVENT_DATA] = batch_value(JsonbPGetDatum(data));
	(void) insert_row(&insert, event, NULL);
}

/*
 * complete_event fills in the event's place in its quote's chain, its time and its hash, whatever was
 * given for these.
 */
static HeapTuple
complete_event(TriggerData *trigger)
{
	static const QuoteEventColumn filled[] = {QUOTE_EVENT_POSITION, QUOTE_EVENT_AT,
											  QUOTE_EVENT_PREVIOUS_SHA256, QUOTE_EVENT_SHA256};
	Row row = row_in_slot(row_map_get(&table_map, trigger->tg_relation), trigger->tg_trigslot);
	QuoteEvent event = {0};
	const char *content;
	int places[lengthof(filled)];
	Datum values[lengthof(filled)];
	bool nulls[lengthof(filled)] = {false};

	event.quote_id = DatumGetInt64(required(&row, QUOTE_EVENT_QUOTE_ID));
	event.kind = TextDatumGetCString(required(&row, QUOTE_EVENT_KIND));
	event.data = DatumGetJsonbP(required(&row, QUOTE_EVENT_DATA));
	event.member_id = row_nullable(&row, QUOTE_EVENT_MEMBER_ID);
	event.quote_link_id = row_nullable(&row, QUOTE_EVENT_QUOTE_LINK_ID);
	quote_lock(event.quote_id, PLAN_WRITE_LATEST);
	read_head(&event);
	add_pending(event.quote_id);
	event.at = GetCurrentTimestamp();
	content = event_text(&event);
	for (size_t i = 0; i < lengthof(filled); i++)
		places[i] = row.attnums[filled[i]];
	values[0] = Int32GetDatum(event.position);
	values[1] = TimestampTzGetDatum(event.at);
	values[2] = PointerGetDatum(event.previous);
	nulls[2] = event.previous == NULL;
	values[3] = PointerGetDatum(digest_of_string(content, strlen(content)));
	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, row.tupdesc, lengthof(filled), places,
									 values, nulls);
}

/*
 * read_head finds the end of the chain of the quote, which is locked, as it is now, whatever the
 * transaction's snapshot says. A quote that does not exist is left to the foreign key.
 */
static void
read_head(QuoteEvent *event)
{
	static Lookup lookup = {
		.map = &table_map,
		.ncolumns = 2,
		.columns = {QUOTE_EVENT_QUOTE_ID, QUOTE_EVENT_POSITION},
	};
	Datum key[] = {Int64GetDatum(event->quote_id)};
	Row last;

	event->position = 1;
	if (lookup_last(&lookup, LOOKUP_LATEST, key, &last))
	{
		event->position = DatumGetInt32(row_value(&last, QUOTE_EVENT_POSITION)) + 1;
		event->previous = DatumGetByteaP(row_value(&last, QUOTE_EVENT_SHA256));
	}
}

/* add_pending notes that the next checkpoint is to have the quote. */
static void
add_pending(int64 quote_id)
{
	static Insert insert = {.map = &pending_map};
	NullableDatum pending[] = {batch_value(Int64GetDatum(quote_id))};

	(void) insert_row(&insert, pending, NULL);
}

/* required returns a column of the new row. Errors: 23502 when it is NULL. */
static Datum
required(const Row *row, QuoteEventColumn column)
{
	if (row_is_null(row, column))
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
						errmsg("an event needs a quote, a kind and data"),
						errdetail("Column \"%s\" is NULL.", columns[column].name),
						errhint("Events without facts have the data {}.")));
	return row_value(row, column);
}

/* event_text returns what is hashed: a line per column, with the length of the value in bytes. */
static char *
event_text(const QuoteEvent *event)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, CHAIN_FORMAT);
	add_key(&text, "quote_id", (NullableDatum){Int64GetDatum(event->quote_id), false});
	add_key(&text, "position", (NullableDatum){Int64GetDatum(event->position), false});
	add_text(&text, "kind", event->kind);
	add_text(&text, "at", time_text(event->at));
	add_key(&text, "member_id", event->member_id);
	add_key(&text, "quote_link_id", event->quote_link_id);
	add_text(&text, "data", json_write(&event->data->root, VARSIZE(event->data)));
	add_text(&text, "previous_sha256",
			 event->previous == NULL ? NULL : digest_hex(event->previous));
	return text.data;
}

/* add_text appends "name length:value", in UTF-8, or "name -" for NULL. */
static void
add_text(StringInfo text, const char *name, const char *value)
{
	if (value == NULL)
		appendStringInfo(text, "%s -\n", name);
	else
	{
		char *utf8 = pg_server_to_any(value, strlen(value), PG_UTF8);

		appendStringInfo(text, "%s %zu:%s\n", name, strlen(utf8), utf8);
	}
}

static void
add_key(StringInfo text, const char *name, NullableDatum key)
{
	add_text(text, name, key.isnull ? NULL : psprintf(INT64_FORMAT, DatumGetInt64(key.value)));
}

/* time_text returns a time as 2026-01-31T23:59:59.000000Z; infinite ones do not come here. */
static char *
time_text(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("time of an event is out of range")));
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}
