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
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "digest.h"
#include "error.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_event_text);
PG_FUNCTION_INFO_V1(scrm_quote_event_chain);

/* The first line of the text: another form of it gets another number */
#define CHAIN_FORMAT "sales_crm quote_event 1\n"

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

/* The quote that was locked last, and by whom: locked it stays, unless that is undone */
static struct
{
	FullTransactionId transaction;
	SubTransactionId subtransaction;
	int64 quote_id;
} locked;

static char *event_text(const QuoteEvent *event);
static void add_text(StringInfo text, const char *name, const char *value);
static void add_key(StringInfo text, const char *name, NullableDatum key);
static char *time_text(TimestampTz at);
static char *hex_text(const bytea *bytes);
static HeapTuple complete_event(TriggerData *trigger);
static void read_head(QuoteEvent *event);
static void lock_quote(int64 quote_id);
static NullableDatum column_of(TriggerData *trigger, const char *column);
static Datum required(TriggerData *trigger, const char *column);

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

/*
 * complete_event fills in the event's place in its quote's chain, its time and its hash, whatever was
 * given for these.
 */
static HeapTuple
complete_event(TriggerData *trigger)
{
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);
	QuoteEvent event = {0};
	const char *content;

	event.quote_id = DatumGetInt64(required(trigger, "quote_id"));
	event.kind = TextDatumGetCString(required(trigger, "kind"));
	event.data = DatumGetJsonbP(required(trigger, "data"));
	event.member_id = column_of(trigger, "member_id");
	event.quote_link_id = column_of(trigger, "quote_link_id");
	read_head(&event);
	event.at = GetCurrentTimestamp();
	content = event_text(&event);
	{
		int columns[] = {SPI_fnumber(tupdesc, "position"), SPI_fnumber(tupdesc, "at"),
						 SPI_fnumber(tupdesc, "previous_sha256"), SPI_fnumber(tupdesc, "sha256")};
		Datum values[] = {Int32GetDatum(event.position), TimestampTzGetDatum(event.at),
						  PointerGetDatum(event.previous),
						  PointerGetDatum(digest_of_string(content, strlen(content)))};
		bool nulls[] = {false, false, event.previous == NULL, false};

		return heap_modify_tuple_by_cols(trigger->tg_trigtuple, tupdesc, lengthof(columns), columns,
										 values, nulls);
	}
}

/*
 * read_head locks the quote and finds the end of its chain as it is then, whatever the transaction's
 * snapshot says; it notes that the next checkpoint is to have the quote. A quote that does not exist
 * is left to the foreign key.
 */
static void
read_head(QuoteEvent *event)
{
	static ScrmPlan head_plan = {
		.sql = "SELECT position, sha256 FROM sales_crm.quote_event WHERE quote_id = $1"
			   " ORDER BY position DESC LIMIT 1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan pending_plan = {
		.sql = "INSERT INTO sales_crm.quote_event_pending (quote_id) VALUES ($1)",
		.nargs = 1,
		.argtypes = {INT8OID},
	};
	MemoryContext caller = CurrentMemoryContext;
	Datum values[1] = {Int64GetDatum(event->quote_id)};
	bool isnull;

	plan_begin();
	lock_quote(event->quote_id);
	event->position = 1;
	if (plan_run(&head_plan, PLAN_WRITE_LATEST, values, NULL) > 0)
	{
		HeapTuple tuple = SPI_tuptable->vals[0];
		TupleDesc tupdesc = SPI_tuptable->tupdesc;
		MemoryContext spi = MemoryContextSwitchTo(caller);

		event->position = DatumGetInt32(SPI_getbinval(tuple, tupdesc, 1, &isnull)) + 1;
		event->previous = DatumGetByteaPCopy(SPI_getbinval(tuple, tupdesc, 2, &isnull));
		MemoryContextSwitchTo(spi);
	}
	(void) plan_run(&pending_plan, PLAN_WRITE, values, NULL);
	plan_end();
}

/* lock_quote locks a quote, unless this transaction has just done so for the event before. */
static void
lock_quote(int64 quote_id)
{
	static ScrmPlan lock_plan = {
		.sql = "SELECT FROM sales_crm.quote WHERE quote_id = $1 FOR NO KEY UPDATE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	Datum values[1] = {Int64GetDatum(quote_id)};
	FullTransactionId transaction = GetTopFullTransactionId();

	if (locked.quote_id == quote_id && FullTransactionIdEquals(locked.transaction, transaction) &&
		SubTransactionIsActive(locked.subtransaction))
		return;
	(void) plan_run(&lock_plan, PLAN_WRITE_LATEST, values, NULL);
	locked.transaction = transaction;
	locked.subtransaction = GetCurrentSubTransactionId();
	locked.quote_id = quote_id;
}

static NullableDatum
column_of(TriggerData *trigger, const char *column)
{
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);
	NullableDatum value;

	value.value =
		SPI_getbinval(trigger->tg_trigtuple, tupdesc, SPI_fnumber(tupdesc, column), &value.isnull);
	return value;
}

/* required returns a column of the new row. Errors: 23502 when it is NULL. */
static Datum
required(TriggerData *trigger, const char *column)
{
	NullableDatum value = column_of(trigger, column);

	if (value.isnull)
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
						errmsg("an event needs a quote, a kind and data"),
						errdetail("Column \"%s\" is NULL.", column),
						errhint("Events without facts have the data {}.")));
	return value.value;
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
	add_text(&text, "data", JsonbToCString(NULL, &event->data->root, VARSIZE(event->data)));
	add_text(&text, "previous_sha256", event->previous == NULL ? NULL : hex_text(event->previous));
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

static char *
hex_text(const bytea *bytes)
{
	size_t length = VARSIZE_ANY_EXHDR(bytes);
	char *text = palloc(2 * length + 1);

	text[hex_encode(VARDATA_ANY(bytes), length, text)] = '\0';
	return text;
}
