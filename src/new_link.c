/*
 * new_link.c
 *		Makes links to quotes.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "batch.h"
#include "compat.h"
#include "contact_row.h"
#include "digest.h"
#include "insert.h"
#include "json.h"
#include "lookup.h"
#include "member.h"
#include "new_link.h"
#include "plan.h"
#include "quote_event.h"
#include "record.h"
#include "token.h"

PG_FUNCTION_INFO_V1(scrm_add_quote_link);

/* Characters of a token that are kept, to recognise a link by */
#define TAIL_CHARACTERS 4

/* What a new link is written with */
typedef enum NewColumn
{
	NEW_QUOTE_ID,
	NEW_TOKEN_SHA256,
	NEW_TOKEN_TAIL,
	NEW_CHANNEL,
	NEW_RECIPIENT_NAME,
	NEW_RECIPIENT_EMAIL,
	NEW_CONTACT_ID,
	NEW_EXPIRES_AT,
	NEW_CREATED_BY,
} NewColumn;

static const RowColumn new_columns[] = {
	[NEW_QUOTE_ID] = {"quote_id", INT8OID},
	[NEW_TOKEN_SHA256] = {"token_sha256", BYTEAOID},
	[NEW_TOKEN_TAIL] = {"token_tail", TEXTOID},
	[NEW_CHANNEL] = {"channel", TEXTOID},
	[NEW_RECIPIENT_NAME] = {"recipient_name", TEXTOID},
	[NEW_RECIPIENT_EMAIL] = {"recipient_email", TEXTOID},
	[NEW_CONTACT_ID] = {"contact_id", INT8OID},
	[NEW_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID},
	[NEW_CREATED_BY] = {"created_by", INT8OID},
};
static RowMap new_map = ROW_MAP("quote_link", new_columns);

/* What earlier links are known by */
typedef enum LinkColumn
{
	LINK_ID,
	LINK_QUOTE_ID,
	LINK_CHANNEL,
	LINK_REVOKED_AT,
} LinkColumn;

static const RowColumn columns[] = {
	[LINK_ID] = {"quote_link_id", INT8OID},
	[LINK_QUOTE_ID] = {"quote_id", INT8OID},
	[LINK_CHANNEL] = {"channel", TEXTOID},
	[LINK_REVOKED_AT] = {"revoked_at", TIMESTAMPTZOID},
};
static RowMap table_map = ROW_MAP("quote_link", columns);

static void fill_in_contact(NewLink *link);
static bool has_link(Datum quote_id, const char *channel);
static void revoke_before(const NewLink *link);
static int64 insert_link(const NewLink *link, text *token, int64 member_id);
static Datum tail_of(const text *token);
static void
append_event(const NewLink *link, const char *tail, int64 quote_link_id, int64 member_id);
static void push_given(JsonbParseState **state, const char *key, NullableDatum value);

/* The arguments are those of a NewLink: quote_link_id bigint, token text */
Datum
scrm_add_quote_link(PG_FUNCTION_ARGS)
{
	NewLink link = {
		.quote_id = fcinfo->args[0],
		.channel = fcinfo->args[1],
		.recipient_name = fcinfo->args[2],
		.recipient_email = fcinfo->args[3],
		.contact_id = fcinfo->args[4],
		.expires_at = fcinfo->args[5],
	};
	text *token;
	Datum values[2];
	bool nulls[2] = {false, false};

	values[0] = Int64GetDatum(new_link_add(&link, &token));
	values[1] = PointerGetDatum(token);
	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

int64
new_link_add(NewLink *link, text **token)
{
	int64 member_id = member_current().member_id;
	int64 quote_link_id;

	fill_in_contact(link);
	revoke_before(link);
	*token = token_make();
	quote_link_id = insert_link(link, *token, member_id);
	append_event(link, TextDatumGetCString(tail_of(*token)), quote_link_id, member_id);
	return quote_link_id;
}

/* fill_in_contact takes name and address from the contact where they were not given. */
static void
fill_in_contact(NewLink *link)
{
	Row contact;

	if ((!link->recipient_name.isnull && !link->recipient_email.isnull) ||
		!contact_find(link->contact_id, LOOKUP_STATEMENT, &contact))
		return;
	if (link->recipient_name.isnull)
		link->recipient_name = row_nullable(&contact, CONTACT_NAME);
	if (link->recipient_email.isnull)
		link->recipient_email = row_nullable(&contact, CONTACT_EMAIL);
}

/*
 * revoke_before has the link before it, of the same recipient and channel, lead nowhere from now on.
 * Few quotes have any.
 */
static void
revoke_before(const NewLink *link)
{
	static ScrmPlan plan = {
		.sql = "UPDATE sales_crm.quote_link SET revoked_at = clock_timestamp()"
			   " WHERE quote_id = $1 AND channel = $2 AND revoked_at IS NULL"
			   " AND lower(coalesce(recipient_email, recipient_name, '')) = lower($3)",
		.nargs = 3,
		.argtypes = {INT8OID, TEXTOID, TEXTOID},
		.by_key = true,
	};
	Datum values[] = {
		link->quote_id.value,
		link->channel.value,
		!link->recipient_email.isnull  ? link->recipient_email.value
		: !link->recipient_name.isnull ? link->recipient_name.value
									   : CStringGetTextDatum(""),
	};

	if (link->quote_id.isnull || link->channel.isnull ||
		!has_link(link->quote_id.value, TextDatumGetCString(link->channel.value)))
		return;
	plan_begin();
	(void) plan_run(&plan, PLAN_WRITE, values, NULL);
	plan_end();
}

/* has_link says whether there may be one to revoke. */
static bool
has_link(Datum quote_id, const char *channel)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {LINK_QUOTE_ID}};
	LookupScan scan;
	bool found = false;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, &quote_id);
	while (!found && lookup_next(&scan))
		found = row_is_null(&scan.row, LINK_REVOKED_AT) &&
				strcmp(row_text(&scan.row, LINK_CHANNEL), channel) == 0;
	lookup_end(&scan);
	return found;
}

static int64
insert_link(const NewLink *link, text *token, int64 member_id)
{
	static Insert insert = {.map = &new_map};
	NullableDatum given[] = {
		[NEW_QUOTE_ID] = link->quote_id,
		[NEW_TOKEN_SHA256] = batch_value(
			PointerGetDatum(digest_of_string(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token)))),
		[NEW_TOKEN_TAIL] = batch_value(tail_of(token)),
		[NEW_CHANNEL] = link->channel,
		[NEW_RECIPIENT_NAME] = link->recipient_name,
		[NEW_RECIPIENT_EMAIL] = link->recipient_email,
		[NEW_CONTACT_ID] = link->contact_id,
		[NEW_EXPIRES_AT] = link->expires_at,
		[NEW_CREATED_BY] = batch_key(member_id),
	};
	AttrNumber attnums[lengthof(columns)];
	Row stored;

	if (!insert_row(&insert, given, &stored))
		elog(ERROR, "link of a quote was not made");
	row_map_fill(&table_map, attnums, stored.tupdesc);
	stored.attnums = attnums;
	return DatumGetInt64(row_value(&stored, LINK_ID));
}

/* tail_of returns the last characters, which are of one byte each. */
static Datum
tail_of(const text *token)
{
	return PointerGetDatum(cstring_to_text_with_len(
		VARDATA_ANY(token) + VARSIZE_ANY_EXHDR(token) - TAIL_CHARACTERS, TAIL_CHARACTERS));
}

static void
append_event(const NewLink *link, const char *tail, int64 quote_link_id, int64 member_id)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "tail", tail);
	push_given(&state, "channel", link->channel);
	push_given(&state, "recipient_name", link->recipient_name);
	push_given(&state, "recipient_email", link->recipient_email);
	quote_event_append_by(DatumGetInt64(link->quote_id.value), "link_created", member_id,
						  batch_value(Int64GetDatum(quote_link_id)),
						  JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static void
push_given(JsonbParseState **state, const char *key, NullableDatum value)
{
	if (!value.isnull)
		json_push_text(state, key, TextDatumGetCString(value.value));
}
