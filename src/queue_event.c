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
#include "utils/array.h"
#include "utils/builtins.h"

#include "company_row.h"
#include "compat.h"
#include "configuration.h"
#include "email_header.h"
#include "email_template.h"
#include "live_event.h"
#include "lookup.h"
#include "member_row.h"
#include "opportunity.h"
#include "plan.h"
#include "queue_email.h"
#include "queue_event.h"
#include "queue_pdf.h"
#include "quote.h"
#include "signature.h"

PG_FUNCTION_INFO_V1(scrm_queue_event);

#define EVENT_SENT "quote.sent"
#define EVENT_SIGNED "quote.signed"
#define EVENT_CONFIRMED "quote.confirmed"

static void ask_for_pdf(const Row *quote, const char *event);
static void confirm_signature(const Row *quote);
static char *signer_address(const Row *signature);
static char *recipient_email(Datum quote_link_id);
static void carry_pdf(NullableDatum *email, const Row *quote);
static void begin_email(NullableDatum *email, const Row *quote, const char *event);
static bool is_for_owner(const char *event);
static void tell_owner(const Row *quote, const char *event, const Jsonb *data);
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
			tell_owner(quote, event, data);
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

/*
 * confirm_signature brings the signed document to whoever signed: to the recipient of the link, else to
 * the address that the signer gave. Whatever that is, the signature counts.
 */
static void
confirm_signature(const Row *quote)
{
	NullableDatum quote_id = quote_value(quote, QUOTE_COLUMN_ID);
	NullableDatum email[EMAIL_ARGUMENTS];
	char *address;
	Row company = company_get();
	Row signature;

	if (!signature_find(DatumGetInt64(quote_id.value), LOOKUP_STATEMENT, &signature) ||
		DatumGetBool(row_value(&signature, SIGNATURE_PAPER)))
		return;
	address = signer_address(&signature);
	if (address == NULL || !email_address_is_valid(address) ||
		email_template_find(EVENT_CONFIRMED, row_text(quote, QUOTE_COLUMN_LOCALE),
							row_text(&company, COMPANY_LOCALE)) == 0)
		return;
	begin_email(email, quote, EVENT_CONFIRMED);
	email[EMAIL_TO_ADDRESS] = batch_text(address);
	email[EMAIL_TO_NAME] =
		batch_text(email_header_text(row_text(&signature, SIGNATURE_SIGNER_NAME)));
	email[EMAIL_LOCALE] = quote_value(quote, QUOTE_COLUMN_LOCALE);
	email[EMAIL_DEDUP_KEY] =
		batch_text(psprintf(EVENT_CONFIRMED " " INT64_FORMAT, DatumGetInt64(quote_id.value)));
	carry_pdf(email, quote);
	(void) queue_email(email);
}

static char *
signer_address(const Row *signature)
{
	char *address = NULL;

	if (!row_is_null(signature, SIGNATURE_QUOTE_LINK_ID))
		address = recipient_email(row_value(signature, SIGNATURE_QUOTE_LINK_ID));
	return address != NULL ? address : row_text(signature, SIGNATURE_SIGNER_EMAIL);
}

static char *
recipient_email(Datum quote_link_id)
{
	static const RowColumn columns[] = {{"quote_link_id", INT8OID}, {"recipient_email", TEXTOID}};
	static AttrNumber attnums[lengthof(columns)];
	static RowMap map = {
		.table = "quote_link",
		.columns = columns,
		.ncolumns = lengthof(columns),
		.attnums = attnums,
	};
	static Lookup lookup = {.map = &map, .ncolumns = 1};
	Row link;

	return lookup_row(&lookup, LOOKUP_STATEMENT, &quote_link_id, &link) ? row_text(&link, 1) : NULL;
}

/* carry_pdf has an e-mail carry the signed document. */
static void
carry_pdf(NullableDatum *email, const Row *quote)
{
	AwaitedPdf pdf = await_pdf(quote, PDF_OF_SIGNED);

	email[EMAIL_WAITS_FOR] = pdf.waits_for;
	if (!pdf.attachment_id.isnull)
		email[EMAIL_ATTACHMENTS] = batch_value(PointerGetDatum(construct_array(
			&pdf.attachment_id.value, 1, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE)));
}

/* begin_email fills in what an e-mail is about, and nothing else. */
static void
begin_email(NullableDatum *email, const Row *quote, const char *event)
{
	for (int i = 0; i < EMAIL_ARGUMENTS; i++)
		email[i] = batch_null();
	email[EMAIL_EVENT] = batch_text(event);
	email[EMAIL_QUOTE_ID] = quote_value(quote, QUOTE_COLUMN_ID);
	email[EMAIL_OPPORTUNITY_ID] = quote_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID);
}

/*
 * is_for_owner says whether the opportunity's owner gets an e-mail. Those to customers are queued by
 * whoever knows their address.
 */
static bool
is_for_owner(const char *event)
{
	static const char *const for_customers[] = {EVENT_SENT, "quote.reminder", "quote.code",
												EVENT_CONFIRMED};

	for (size_t i = 0; i < lengthof(for_customers); i++)
	{
		if (strcmp(event, for_customers[i]) == 0)
			return false;
	}
	return true;
}

static void
tell_owner(const Row *quote, const char *event, const Jsonb *data)
{
	NullableDatum opportunity_id = quote_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID);
	NullableDatum email[EMAIL_ARGUMENTS];
	OpportunityRow opportunity;
	Row owner;

	if (!opportunity_find(DatumGetInt64(opportunity_id.value), &opportunity) ||
		!member_find(opportunity_nullable(&opportunity, OPPORTUNITY_OWNER_ID), &owner) ||
		!DatumGetBool(row_value(&owner, MEMBER_ACTIVE)) ||
		!DatumGetBool(row_value(&owner, MEMBER_NOTIFY_BY_EMAIL)) ||
		row_is_null(&owner, MEMBER_EMAIL))
		return;
	begin_email(email, quote, event);
	email[EMAIL_TO_ADDRESS] = row_nullable(&owner, MEMBER_EMAIL);
	email[EMAIL_TO_NAME] = batch_text(email_header_text(row_text(&owner, MEMBER_NAME)));
	email[EMAIL_LOCALE] = row_nullable(&owner, MEMBER_LOCALE);
	email[EMAIL_DATA] = (NullableDatum){.value = PointerGetDatum(data), .isnull = data == NULL};
	email[EMAIL_MEMBER_ID] = row_nullable(&owner, MEMBER_ID);
	email[EMAIL_DEDUP_KEY] = batch_text(psprintf("%s " INT64_FORMAT " " INT64_FORMAT, event,
												 DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID)),
												 DatumGetInt64(row_value(&owner, MEMBER_ID))));
	(void) queue_email(email);
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
