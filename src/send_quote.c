/*
 * send_quote.c
 *		A quote is sent: frozen if it is a draft, and a link made for its recipient.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "company_row.h"
#include "compat.h"
#include "contact_row.h"
#include "error.h"
#include "json.h"
#include "new_link.h"
#include "opportunity.h"
#include "plan.h"
#include "queue_event.h"
#include "quote.h"
#include "quote_freeze.h"
#include "quote_lock.h"
#include "quote_rule.h"
#include "record.h"

PG_FUNCTION_INFO_V1(scrm_send_quote);

/* The arguments of send_quote() */
enum
{
	SEND_QUOTE_ID,
	SEND_CHANNEL,
	SEND_CONTACT_ID,
	SEND_EMAIL,
	SEND_SUBJECT,
	SEND_BODY,
	SEND_RECIPIENT_NAME,
};

/* What it returns */
enum
{
	SENT_LINK,
	SENT_MESSAGE_ID,
	SENT_TOKEN,
	SENT_QUOTE_LINK_ID,
	SENT_COLUMNS,
};

/* Ways to the recipient, and what is behind the token in their links */
static const struct
{
	const char *name;
	const char *suffix;
} channels[] = {
	{"direct", "?direct"},
	{"email", ""},
	{"link", ""},
	{"download", "/quote.pdf"},
};

static void send(const NullableDatum *arguments, Datum *values, bool *nulls);
static Row lock(NullableDatum quote_id);
static void refresh_snapshot(void);
static int find_channel(NullableDatum channel);
static NewLink find_recipient(const NullableDatum *arguments, const Row *quote);
static void freeze_draft(const Row *quote);
static void require_open(const Row *quote);
static char *link_text(int channel, const text *token);
static void tell(NullableDatum quote_id, const char *channel);
static NullableDatum
queue_email_of(const NullableDatum *arguments, Datum quote_link_id, const char *link);
static char *number_of(const Row *quote);
static char *last_day_of(const Row *quote);

/* See the enums */
Datum
scrm_send_quote(PG_FUNCTION_ARGS)
{
	NullableDatum arguments[SEND_RECIPIENT_NAME + 1];
	Datum values[SENT_COLUMNS];
	bool nulls[SENT_COLUMNS] = {false};
	PlanRole before;

	memcpy(arguments, fcinfo->args, sizeof(arguments));
	plan_enter(&before, plan_owner());
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	send(arguments, values, nulls);
	PopActiveSnapshot();
	plan_leave(&before);
	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

static void
send(const NullableDatum *arguments, Datum *values, bool *nulls)
{
	Row quote;
	int channel;
	NewLink link;
	text *token;
	char *address;
	bool is_draft;
	NullableDatum message_id = batch_null();

	quote_require_visible(arguments[SEND_QUOTE_ID]);
	quote = lock(arguments[SEND_QUOTE_ID]);
	refresh_snapshot();
	channel = find_channel(arguments[SEND_CHANNEL]);
	link = find_recipient(arguments, &quote);
	if (strcmp(channels[channel].name, "email") == 0 && link.recipient_email.isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quote has nobody to be sent to"),
				 errdetail("The contact of quote %s has no e-mail address, or there is no "
						   "contact.",
						   number_of(&quote)),
				 errhint("Name one: send_quote(…, email => '…').")));
	is_draft = quote_status(&quote) == QUOTE_DRAFT;
	if (is_draft)
		freeze_draft(&quote);
	else
		require_open(&quote);
	values[SENT_QUOTE_LINK_ID] = Int64GetDatum(new_link_add(&link, &token));
	values[SENT_TOKEN] = PointerGetDatum(token);
	address = link_text(channel, token);
	values[SENT_LINK] = CStringGetTextDatum(address);
	if (is_draft)
		tell(arguments[SEND_QUOTE_ID], channels[channel].name);
	if (strcmp(channels[channel].name, "email") == 0)
		message_id = queue_email_of(arguments, values[SENT_QUOTE_LINK_ID], address);
	values[SENT_MESSAGE_ID] = message_id.value;
	nulls[SENT_MESSAGE_ID] = message_id.isnull;
}

/* lock returns the quote as it is once it is locked, after its opportunity. */
static Row
lock(NullableDatum quote_id)
{
	Row quote = quote_require(quote_id);

	quote_lock_opportunity(DatumGetInt64(row_value(&quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
						   PLAN_WRITE);
	quote_lock(DatumGetInt64(quote_id.value), PLAN_WRITE);
	return quote_require(quote_id);
}

/* refresh_snapshot has the rest see what others have done while this waited for its locks. */
static void
refresh_snapshot(void)
{
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static int
find_channel(NullableDatum channel)
{
	char *name = channel.isnull ? pstrdup("<NULL>") : TextDatumGetCString(channel.value);

	for (size_t i = 0; i < lengthof(channels); i++)
	{
		if (strcmp(channels[i].name, name) == 0)
			return (int) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("channel \"%s\" is not known", name),
			 errhint("Use direct, email, link or download.")));
}

/* find_recipient takes what is given, and the rest of the contact: the one named, else the quote's. */
static NewLink
find_recipient(const NullableDatum *arguments, const Row *quote)
{
	NewLink link = {
		.quote_id = arguments[SEND_QUOTE_ID],
		.channel = arguments[SEND_CHANNEL],
		.recipient_name = arguments[SEND_RECIPIENT_NAME],
		.recipient_email = arguments[SEND_EMAIL],
		.contact_id = arguments[SEND_CONTACT_ID],
		.expires_at = batch_null(),
	};
	Row contact;

	if (link.contact_id.isnull && arguments[SEND_EMAIL].isnull)
		link.contact_id = row_nullable(quote, QUOTE_COLUMN_CONTACT_ID);
	if (!contact_find(link.contact_id, LOOKUP_STATEMENT, &contact))
	{
		link.contact_id = batch_null();
		return link;
	}
	if (link.recipient_name.isnull)
		link.recipient_name = row_nullable(&contact, CONTACT_NAME);
	if (link.recipient_email.isnull)
		link.recipient_email = row_nullable(&contact, CONTACT_EMAIL);
	return link;
}

/* freeze_draft: errors SC004, SC104, and those of quote_freeze(). */
static void
freeze_draft(const Row *quote)
{
	OpportunityRow opportunity;

	if (opportunity_find(DatumGetInt64(row_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
						 &opportunity) &&
		!opportunity_is_null(&opportunity, OPPORTUNITY_CLOSED_AT))
		ereport(
			ERROR,
			(errcode(ERRCODE_SCRM_OPPORTUNITY_CLOSED),
			 errmsg("quote belongs to a closed opportunity"),
			 errdetail(
				 "The opportunity of quote %s was closed at %s.", number_of(quote),
				 DatumGetCString(DirectFunctionCall1(
					 timestamptz_out, opportunity_value(&opportunity, OPPORTUNITY_CLOSED_AT)))),
			 errhint("A manager can reopen it by moving it to an open phase of its pipeline.")));
	if (quote_is_past(quote))
		ereport(ERROR, (errcode(ERRCODE_SCRM_QUOTE_EXPIRED), errmsg("quote is no longer valid"),
						errdetail("The last day of quote %s was %s.", number_of(quote),
								  last_day_of(quote)),
						errhint("UPDATE sales_crm.quote SET valid_until to a later day first.")));
	quote_freeze(quote);
}

/* require_open: errors SC104 for a quote that has expired, SC102 for what is over otherwise. */
static void
require_open(const Row *quote)
{
	QuoteStatus status = quote_status(quote);
	bool is_open = (IN(status) & IN_OPEN) != 0;

	if (status == QUOTE_SIGNED || (is_open && !quote_is_past(quote)))
		return;
	ereport(ERROR,
			(errcode(is_open || status == QUOTE_EXPIRED ? ERRCODE_SCRM_QUOTE_EXPIRED
														: ERRCODE_SCRM_QUOTE_NOT_OPEN),
			 errmsg("quote cannot be sent"),
			 errdetail("Quote %s is %s, its last day %s.", number_of(quote),
					   quote_status_names[status], last_day_of(quote)),
			 errhint("Make the next version: SELECT sales_crm.revise_quote(…), or make it valid "
					 "longer: SELECT sales_crm.extend_quote(…).")));
}

/* link_text leads to the portal, if the company has one. */
static char *
link_text(int channel, const text *token)
{
	Row company = company_get();
	char *portal = row_text(&company, COMPANY_PORTAL_URL);
	char *secret = text_to_cstring(token);
	size_t length;

	if (portal == NULL)
		return psprintf("/q/%s", secret);
	length = strlen(portal);
	while (length > 0 && portal[length - 1] == '/')
		portal[--length] = '\0';
	return psprintf("%s/q/%s%s", portal, secret, channels[channel].suffix);
}

static void
tell(NullableDatum quote_id, const char *channel)
{
	Row quote = quote_require(quote_id);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "channel", channel);
	queue_event(&quote, "quote.sent",
				JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static NullableDatum
queue_email_of(const NullableDatum *arguments, Datum quote_link_id, const char *link)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.queue_quote_email($1, 'quote.sent', $2, $3, $4)",
		.nargs = 4,
		.argtypes = {INT8OID, TEXTOID, TEXTOID, TEXTOID},
	};
	NullableDatum subject = arguments[SEND_SUBJECT];
	NullableDatum body = arguments[SEND_BODY];
	Datum values[] = {quote_link_id, CStringGetTextDatum(link), subject.value, body.value};
	const char nulls[] = {' ', ' ', subject.isnull ? 'n' : ' ', body.isnull ? 'n' : ' '};
	NullableDatum message_id;

	plan_begin();
	(void) plan_run(&plan, PLAN_WRITE, values, nulls);
	message_id = plan_value(SPI_tuptable, 0, 1);
	plan_end();
	return message_id;
}

static char *
number_of(const Row *quote)
{
	return row_text(quote, QUOTE_COLUMN_NUMBER);
}

static char *
last_day_of(const Row *quote)
{
	return DatumGetCString(
		DirectFunctionCall1(date_out, row_value(quote, QUOTE_COLUMN_VALID_UNTIL)));
}
