/*
 * queue_event.c
 *		Queues what leaves the database when something happens to a quote: its PDF, e-mails, webhooks,
 *		and what applications that listen are told.
 *
 * Each signature comes here. What it asks is looked up, so that the texts of e-mails and webhooks, which
 * SQL writes, cost nothing where nobody gets any.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "configuration.h"
#include "live_event.h"
#include "lookup.h"
#include "member_row.h"
#include "opportunity.h"
#include "plan.h"
#include "queue_event.h"
#include "queue_pdf.h"
#include "quote.h"

PG_FUNCTION_INFO_V1(scrm_queue_event);

#define EVENT_SENT "quote.sent"
#define EVENT_SIGNED "quote.signed"

static void ask_for_pdf(const Row *quote, const char *event);
static void confirm_signature(const Row *quote);
static bool is_for_owner(const char *event);
static void queue_email(const Row *quote, const char *event, const Jsonb *data);
static bool has_webhooks(void);
static void queue_webhooks(const Row *quote, const char *event, const Jsonb *data);
static void run(ScrmPlan *plan, const NullableDatum *arguments);

/* event text, quote_id bigint, data jsonb */
Datum
scrm_queue_event(PG_FUNCTION_ARGS)
{
	Row quote = quote_require(fcinfo->args[1]);

	queue_event(&quote, queue_event_name(fcinfo->args[0]),
				PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2));
	PG_RETURN_VOID();
}

void
queue_event(const Row *quote, const char *event, const Jsonb *data)
{
	live_event_tell(event, DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)));
	ask_for_pdf(quote, event);
	if (configuration_get()->sends_email)
	{
		if (strcmp(event, EVENT_SIGNED) == 0)
			confirm_signature(quote);
		if (is_for_owner(event))
			queue_email(quote, event, data);
	}
	if (has_webhooks())
		queue_webhooks(quote, event, data);
}

char *
queue_event_name(NullableDatum event)
{
	if (event.isnull)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("event is missing"),
						errhint("Say what happened, such as quote.sent.")));
	return TextDatumGetCString(event.value);
}

static void
ask_for_pdf(const Row *quote, const char *event)
{
	if (strcmp(event, EVENT_SENT) == 0)
		(void) queue_pdf(quote, PDF_OF_QUOTE);
	else if (strcmp(event, EVENT_SIGNED) == 0)
		(void) queue_pdf(quote, PDF_OF_SIGNED);
}

static void
confirm_signature(const Row *quote)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.confirm_signature($1)",
		.nargs = 1,
		.argtypes = {INT8OID},
	};
	NullableDatum arguments[] = {quote_value(quote, QUOTE_COLUMN_ID)};

	run(&plan, arguments);
}

/*
 * is_for_owner says whether the opportunity's owner gets an e-mail. Those to customers are queued by
 * whoever knows their address.
 */
static bool
is_for_owner(const char *event)
{
	static const char *const for_customers[] = {EVENT_SENT, "quote.reminder", "quote.code",
												"quote.confirmed"};

	for (size_t i = 0; i < lengthof(for_customers); i++)
	{
		if (strcmp(event, for_customers[i]) == 0)
			return false;
	}
	return true;
}

static void
queue_email(const Row *quote, const char *event, const Jsonb *data)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.queue_email($1, $2, sales_crm.header_text($3), $4, $5,"
			   " opportunity_id => $6, quote_id => $7, member_id => $8,"
			   " dedup_key => format('%s %s %s', $1, $7, $8))",
		.nargs = 8,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, INT8OID, INT8OID, INT8OID},
	};
	NullableDatum opportunity_id = quote_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID);
	OpportunityRow opportunity;
	Row owner;

	if (!opportunity_find(DatumGetInt64(opportunity_id.value), &opportunity) ||
		!member_find(opportunity_nullable(&opportunity, OPPORTUNITY_OWNER_ID), &owner))
		return;
	if (DatumGetBool(row_value(&owner, MEMBER_ACTIVE)) &&
		DatumGetBool(row_value(&owner, MEMBER_NOTIFY_BY_EMAIL)) &&
		!row_is_null(&owner, MEMBER_EMAIL))
	{
		NullableDatum arguments[] = {
			batch_value(CStringGetTextDatum(event)),
			row_nullable(&owner, MEMBER_EMAIL),
			row_nullable(&owner, MEMBER_NAME),
			row_nullable(&owner, MEMBER_LOCALE),
			{.value = PointerGetDatum(data), .isnull = data == NULL},
			opportunity_id,
			quote_value(quote, QUOTE_COLUMN_ID),
			row_nullable(&owner, MEMBER_ID),
		};

		run(&plan, arguments);
	}
}

/* has_webhooks says whether there is an active one. */
static bool
has_webhooks(void)
{
	static const RowColumn columns[] = {{"active", BOOLOID}};
	static AttrNumber attnums[lengthof(columns)];
	static RowMap map = {
		.table = "webhook",
		.columns = columns,
		.ncolumns = lengthof(columns),
		.attnums = attnums,
	};
	static Lookup lookup = {.map = &map, .ncolumns = 1};
	Datum key[] = {BoolGetDatum(true)};
	Row webhook;

	return lookup_row(&lookup, LOOKUP_STATEMENT, key, &webhook);
}

static void
queue_webhooks(const Row *quote, const char *event, const Jsonb *data)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.queue_webhooks($1, jsonb_build_object('quote_id', q.quote_id,"
			   " 'number', q.number, 'version', q.version, 'status', q.status, 'title', q.title,"
			   " 'opportunity_id', q.opportunity_id, 'currency', q.currency,"
			   " 'gross', q.totals ->> 'gross', 'valid_until', q.valid_until,"
			   " 'sent_at', q.sent_at, 'answered_at', q.answered_at) || coalesce($2, '{}'),"
			   " quote_id => q.quote_id, opportunity_id => q.opportunity_id)"
			   " FROM sales_crm.quote q WHERE q.quote_id = $3",
		.nargs = 3,
		.argtypes = {TEXTOID, JSONBOID, INT8OID},
		.by_key = true,
	};
	NullableDatum arguments[] = {
		batch_value(CStringGetTextDatum(event)),
		{.value = PointerGetDatum(data), .isnull = data == NULL},
		quote_value(quote, QUOTE_COLUMN_ID),
	};

	run(&plan, arguments);
}

static void
run(ScrmPlan *plan, const NullableDatum *arguments)
{
	Datum values[SCRM_PLAN_MAX_ARGS];
	char nulls[SCRM_PLAN_MAX_ARGS];

	for (int i = 0; i < plan->nargs; i++)
	{
		values[i] = arguments[i].value;
		nulls[i] = arguments[i].isnull ? 'n' : ' ';
	}
	plan_begin();
	(void) plan_run(plan, PLAN_WRITE, values, nulls);
	plan_end();
}
