/*
 * quote_change_event.c
 *		Appends the event of each change of a quote's status or validity, whoever makes it.
 *
 * What an answer says is in its own table by the time the status changes; its event has the facts.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compat.h"
#include "digest.h"
#include "format.h"
#include "json.h"
#include "lookup.h"
#include "quote.h"
#include "quote_event.h"
#include "quote_rule.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_event_of_change);

/* How a column becomes a fact, which is a text always */
typedef enum FactForm
{
	AS_TEXT,
	AS_HOST,   /* of an address */
	AS_HEX,	   /* of bytes */
	AS_DIGEST, /* SHA-256 of bytes, in hexadecimal */
	AS_FLAG,   /* left out when false */
} FactForm;

typedef struct Fact
{
	const char *key;
	FactForm form;
} Fact;

/* Where the facts of a status are: the row of the quote. Columns are the quote, the link, the facts */
typedef struct FactSource
{
	RowMap map;
	Lookup lookup;
	const Fact *facts;
	int nfacts;
} FactSource;

enum
{
	SOURCE_QUOTE_ID,
	SOURCE_QUOTE_LINK_ID,
	SOURCE_FIRST_FACT,
};

#define FACT_SOURCE(name, table_name, first_columns, first_facts)                  \
	static AttrNumber name##_attnums[lengthof(first_columns)];                     \
	static FactSource name = {                                                     \
		.map = {.table = (table_name),                                             \
				.columns = (first_columns),                                        \
				.ncolumns = lengthof(first_columns),                               \
				.attnums = name##_attnums},                                        \
		.lookup = {.map = &name.map, .ncolumns = 1, .columns = {SOURCE_QUOTE_ID}}, \
		.facts = (first_facts),                                                    \
		.nfacts = lengthof(first_facts),                                           \
	}

static const RowColumn signature_columns[] = {
	{"quote_id", INT8OID},	   {"quote_link_id", INT8OID},
	{"signer_name", TEXTOID},  {"signer_email", TEXTOID},
	{"paper", BOOLOID},		   {"image", BYTEAOID},
	{"consent_text", TEXTOID}, {"ip", INETOID},
	{"user_agent", TEXTOID},   {"snapshot_sha256", BYTEAOID},
};
static const Fact signature_facts[] = {
	{"signer_name", AS_TEXT},	 {"signer_email", AS_TEXT},	  {"paper", AS_FLAG},
	{"image_sha256", AS_DIGEST}, {"consent_text", AS_TEXT},	  {"ip", AS_HOST},
	{"user_agent", AS_TEXT},	 {"snapshot_sha256", AS_HEX},
};
FACT_SOURCE(signature, "signature", signature_columns, signature_facts);

static const RowColumn request_columns[] = {
	{"quote_id", INT8OID},		 {"quote_link_id", INT8OID},   {"note", TEXTOID},
	{"requester_name", TEXTOID}, {"requester_email", TEXTOID}, {"ip", INETOID},
	{"user_agent", TEXTOID},
};
static const Fact request_facts[] = {
	{"note", AS_TEXT}, {"name", AS_TEXT},		{"email", AS_TEXT},
	{"ip", AS_HOST},   {"user_agent", AS_TEXT},
};
FACT_SOURCE(request, "change_request", request_columns, request_facts);

static const RowColumn refusal_columns[] = {
	{"quote_id", INT8OID},	   {"quote_link_id", INT8OID}, {"reason", TEXTOID},
	{"refuser_name", TEXTOID}, {"refuser_email", TEXTOID}, {"ip", INETOID},
	{"user_agent", TEXTOID},
};
static const Fact refusal_facts[] = {
	{"reason", AS_TEXT}, {"name", AS_TEXT},		  {"email", AS_TEXT},
	{"ip", AS_HOST},	 {"user_agent", AS_TEXT},
};
FACT_SOURCE(refusal, "refusal", refusal_columns, refusal_facts);

/* Links, of which the one that was first looked through last counts */
static const RowColumn view_columns[] = {
	{"quote_id", INT8OID},
	{"quote_link_id", INT8OID},
	{"first_viewed_ip", INETOID},
	{"first_viewed_user_agent", TEXTOID},
	{"first_viewed_at", TIMESTAMPTZOID},
};
static const Fact view_facts[] = {{"ip", AS_HOST}, {"user_agent", AS_TEXT}};
FACT_SOURCE(view, "quote_link", view_columns, view_facts);

#define VIEW_FIRST_VIEWED_AT (SOURCE_FIRST_FACT + (int) lengthof(view_facts))

static void append_created(const Row *quote);
static void append_extended(const Row *quote);
static void append_sent(const Row *quote);
static void append_viewed(int64 quote_id);
static TimestampTz first_view(const Row *link);
static void append_answer(FactSource *source, int64 quote_id, const char *kind);
static void
append_facts(const FactSource *source, const Row *row, int64 quote_id, const char *kind);
static void begin_facts(JsonbParseState **state);
static Jsonb *end_facts(JsonbParseState **state);
static char *fact_text(FactForm form, Datum value);
static char *quote_text(const Row *quote, QuoteColumn column, FactForm form);

/* Row trigger of quote, after INSERT or UPDATE */
Datum
scrm_quote_event_of_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_event_of_change", TRIGGER_EVENT_AFTER, TRIGGER_EVENT_ROW);
	const AttrNumber *map = quote_map(trigger->tg_relation);
	Row old = row_in_slot(map, trigger->tg_trigslot);
	Row quote;
	int64 quote_id;
	QuoteStatus from;
	QuoteStatus to;

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		append_created(&old);
		return PointerGetDatum(NULL);
	}
	quote = row_in_slot(map, trigger->tg_newslot);
	quote_id = DatumGetInt64(row_value(&quote, QUOTE_COLUMN_ID));
	from = quote_status(&old);
	to = quote_status(&quote);
	if (from == to)
	{
		if (to != QUOTE_DRAFT && row_value(&old, QUOTE_COLUMN_VALID_UNTIL) !=
									 row_value(&quote, QUOTE_COLUMN_VALID_UNTIL))
			append_extended(&quote);
	}
	else if (from == QUOTE_DRAFT && to == QUOTE_SENT)
		append_sent(&quote);
	else if (from == QUOTE_SENT && to == QUOTE_VIEWED)
		append_viewed(quote_id);
	else if (from == QUOTE_EXPIRED && (IN(to) & IN_OPEN) != 0)
		append_extended(&quote);
	else if (to == QUOTE_SIGNED)
		append_answer(&signature, quote_id, quote_status_names[to]);
	else if (to == QUOTE_CHANGE_REQUESTED)
		append_answer(&request, quote_id, quote_status_names[to]);
	else if (to == QUOTE_DECLINED)
		append_answer(&refusal, quote_id, quote_status_names[to]);
	else
		append_facts(NULL, NULL, quote_id, quote_status_names[to]);
	return PointerGetDatum(NULL);
}

static void
append_created(const Row *quote)
{
	JsonbParseState *state = NULL;

	begin_facts(&state);
	json_push_text(&state, "number", quote_text(quote, QUOTE_COLUMN_NUMBER, AS_TEXT));
	json_push_text(&state, "version",
				   psprintf("%d", DatumGetInt32(row_value(quote, QUOTE_COLUMN_VERSION))));
	if (!row_is_null(quote, QUOTE_COLUMN_SUPERSEDES_ID))
		json_push_text(
			&state, "supersedes",
			psprintf(INT64_FORMAT, DatumGetInt64(row_value(quote, QUOTE_COLUMN_SUPERSEDES_ID))));
	quote_event_append(DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)), "created", batch_null(),
					   end_facts(&state));
}

static void
append_extended(const Row *quote)
{
	JsonbParseState *state = NULL;

	begin_facts(&state);
	json_push_text(&state, "valid_until",
				   format_iso_day(DatumGetDateADT(row_value(quote, QUOTE_COLUMN_VALID_UNTIL))));
	quote_event_append(DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)), "extended", batch_null(),
					   end_facts(&state));
}

static void
append_sent(const Row *quote)
{
	JsonbParseState *state = NULL;

	begin_facts(&state);
	json_push_text(&state, "html_sha256", quote_text(quote, QUOTE_COLUMN_HTML_SHA256, AS_HEX));
	json_push_text(&state, "valid_until",
				   format_iso_day(DatumGetDateADT(row_value(quote, QUOTE_COLUMN_VALID_UNTIL))));
	json_push_text(&state, "snapshot_sha256",
				   quote_text(quote, QUOTE_COLUMN_SNAPSHOT_SHA256, AS_HEX));
	quote_event_append(DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)), "sent", batch_null(),
					   end_facts(&state));
}

static void
append_viewed(int64 quote_id)
{
	Datum key[] = {Int64GetDatum(quote_id)};
	TimestampTz last = DT_NOBEGIN;
	LookupScan scan;
	bool found = false;

	lookup_begin(&scan, &view.lookup, LOOKUP_STATEMENT, key);
	while (lookup_next(&scan))
		last = Max(last, first_view(&scan.row));
	lookup_end(&scan);
	lookup_begin(&scan, &view.lookup, LOOKUP_STATEMENT, key);
	while (!found && lookup_next(&scan))
	{
		found = last != DT_NOBEGIN && first_view(&scan.row) == last;
		if (found)
			append_facts(&view, &scan.row, quote_id, "viewed");
	}
	lookup_end(&scan);
	if (!found)
		append_facts(&view, NULL, quote_id, "viewed");
}

static TimestampTz
first_view(const Row *link)
{
	return row_is_null(link, VIEW_FIRST_VIEWED_AT)
			   ? DT_NOBEGIN
			   : DatumGetTimestampTz(row_value(link, VIEW_FIRST_VIEWED_AT));
}

static void
append_answer(FactSource *source, int64 quote_id, const char *kind)
{
	Datum key[] = {Int64GetDatum(quote_id)};
	Row row;
	bool found = lookup_row(&source->lookup, LOOKUP_STATEMENT, key, &row);

	append_facts(source, found ? &row : NULL, quote_id, kind);
}

/* append_facts: without a row there are none. */
static void
append_facts(const FactSource *source, const Row *row, int64 quote_id, const char *kind)
{
	JsonbParseState *state = NULL;

	begin_facts(&state);
	for (int i = 0; row != NULL && i < source->nfacts; i++)
	{
		int column = SOURCE_FIRST_FACT + i;
		char *text = row_is_null(row, column)
						 ? NULL
						 : fact_text(source->facts[i].form, row_value(row, column));

		if (text != NULL)
			json_push_text(&state, source->facts[i].key, text);
	}
	quote_event_append(quote_id, kind,
					   row == NULL ? batch_null() : row_nullable(row, SOURCE_QUOTE_LINK_ID),
					   end_facts(&state));
}

static void
begin_facts(JsonbParseState **state)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
}

static Jsonb *
end_facts(JsonbParseState **state)
{
	return JsonbValueToJsonb(pushJsonbValue(state, WJB_END_OBJECT, NULL));
}

static char *
fact_text(FactForm form, Datum value)
{
	switch (form)
	{
		case AS_TEXT:
			return TextDatumGetCString(value);
		case AS_HOST:
			return TextDatumGetCString(DirectFunctionCall1(network_host, value));
		case AS_HEX:
			return digest_hex(DatumGetByteaPP(value));
		case AS_DIGEST:
			return digest_hex(DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, value)));
		case AS_FLAG:
			return DatumGetBool(value) ? "true" : NULL;
	}
	return NULL;
}

static char *
quote_text(const Row *quote, QuoteColumn column, FactForm form)
{
	return row_is_null(quote, column) ? NULL : fact_text(form, row_value(quote, column));
}
