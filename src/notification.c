/*
 * notification.c
 *		Leaves the seller of a quote a notification of what happened to it, in the seller's language.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "batch.h"
#include "configuration.h"
#include "insert.h"
#include "member_row.h"
#include "notification.h"
#include "opportunity.h"
#include "queue_event.h"
#include "quote.h"

PG_FUNCTION_INFO_V1(scrm_quote_seller);
PG_FUNCTION_INFO_V1(scrm_notification_subject);
PG_FUNCTION_INFO_V1(scrm_notify_seller);

static const char *const languages[] = {"en", "fr", "nl", "de"};

/* In UTF-8, for the name of the customer and the number of the quote */
static const struct
{
	const char *event;
	const char *formats[lengthof(languages)];
} subjects[] = {
	{"quote.viewed",
	 {"%s has opened %s", "%s a ouvert %s", "%s heeft %s geopend", "%s hat %s geöffnet"}},
	{"quote.signed",
	 {"%s has signed %s", "%s a signé %s", "%s heeft %s ondertekend", "%s hat %s unterzeichnet"}},
	{"quote.change_requested",
	 {"%s asks for a change of %s", "%s demande une modification de %s",
	  "%s vraagt een wijziging van %s", "%s bittet um eine Änderung von %s"}},
	{"quote.declined",
	 {"%s has declined %s", "%s a refusé %s", "%s heeft %s afgewezen", "%s hat %s abgelehnt"}},
	{"quote.expired",
	 {"%2$s for %1$s has expired", "%2$s pour %1$s a expiré", "%2$s voor %1$s is verlopen",
	  "%2$s für %1$s ist abgelaufen"}},
	{"quote.reminder",
	 {"%s has not answered %s yet", "%s n’a pas encore répondu à %s",
	  "%s heeft nog niet geantwoord op %s", "%s hat auf %s noch nicht geantwortet"}},
};

typedef enum NotificationColumn
{
	NOTIFICATION_MEMBER_ID,
	NOTIFICATION_EVENT,
	NOTIFICATION_OPPORTUNITY_ID,
	NOTIFICATION_QUOTE_ID,
	NOTIFICATION_SUBJECT,
	NOTIFICATION_BODY,
} NotificationColumn;

#define NOTIFICATION_COLUMNS (NOTIFICATION_BODY + 1)

static const RowColumn columns[NOTIFICATION_COLUMNS] = {
	[NOTIFICATION_MEMBER_ID] = {"member_id", INT8OID},
	[NOTIFICATION_EVENT] = {"event", TEXTOID},
	[NOTIFICATION_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[NOTIFICATION_QUOTE_ID] = {"quote_id", INT8OID},
	[NOTIFICATION_SUBJECT] = {"subject", TEXTOID},
	[NOTIFICATION_BODY] = {"body", TEXTOID},
};
static RowMap table_map = ROW_MAP("notification", columns);

static NullableDatum quote_seller(const Row *quote);
static void leave_notification(const Row *quote, NullableDatum member_id, NullableDatum locale,
							   const char *event, const char *body);
static const char *subject_format(const char *event, const char *locale);

/* quote_id bigint */
Datum
scrm_quote_seller(PG_FUNCTION_ARGS)
{
	NullableDatum seller = batch_null();
	Row quote;

	if (!PG_ARGISNULL(0) && quote_find(PG_GETARG_INT64(0), LOOKUP_STATEMENT, &quote))
		seller = quote_seller(&quote);
	if (seller.isnull)
		PG_RETURN_NULL();
	return seller.value;
}

/* event text, locale text */
Datum
scrm_notification_subject(PG_FUNCTION_ARGS)
{
	const char *format =
		subject_format(PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0)),
					   PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (format == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(format));
}

/* quote_id bigint, event text, body text, data jsonb */
Datum
scrm_notify_seller(PG_FUNCTION_ARGS)
{
	Row quote = quote_require(fcinfo->args[0]);

	notify_seller(&quote, queue_event_name(fcinfo->args[1]),
				  PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)),
				  PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3));
	PG_RETURN_VOID();
}

void
notify_seller(const Row *quote, const char *event, const char *body, const Jsonb *data)
{
	Row member;

	if (member_find(quote_seller(quote), &member))
		leave_notification(quote, row_nullable(&member, MEMBER_ID),
						   row_nullable(&member, MEMBER_LOCALE), event, body);
	if (data != NULL)
		data = DatumGetJsonbP(DirectFunctionCall1(jsonb_strip_nulls, PointerGetDatum(data)));
	queue_event(quote, event, data);
}

/* quote_seller returns who is told: the opportunity's owner, else who made the quote, or NULL. */
static NullableDatum
quote_seller(const Row *quote)
{
	NullableDatum seller = batch_null();
	OpportunityRow opportunity;

	if (opportunity_find(DatumGetInt64(row_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
						 &opportunity))
		seller = opportunity_nullable(&opportunity, OPPORTUNITY_OWNER_ID);
	return seller.isnull ? quote_value(quote, QUOTE_COLUMN_CREATED_BY) : seller;
}

static void
leave_notification(const Row *quote, NullableDatum member_id, NullableDatum locale,
				   const char *event, const char *body)
{
	static Insert insert = {.map = &table_map};
	const char *format = subject_format(event, locale.isnull ? configuration_get()->locale
															 : TextDatumGetCString(locale.value));
	char *subject = NULL;
	NullableDatum notification[NOTIFICATION_COLUMNS];

	if (format != NULL)
		subject =
			psprintf(format, TextDatumGetCString(row_value(quote, QUOTE_COLUMN_CUSTOMER_NAME)),
					 TextDatumGetCString(row_value(quote, QUOTE_COLUMN_NUMBER)));
	notification[NOTIFICATION_MEMBER_ID] = member_id;
	notification[NOTIFICATION_EVENT] = batch_text(event);
	notification[NOTIFICATION_OPPORTUNITY_ID] = quote_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID);
	notification[NOTIFICATION_QUOTE_ID] = quote_value(quote, QUOTE_COLUMN_ID);
	notification[NOTIFICATION_SUBJECT] = batch_text(subject);
	notification[NOTIFICATION_BODY] = batch_text(body == NULL || body[0] == '\0' ? NULL : body);
	(void) insert_row(&insert, notification, NULL);
}

/* subject_format returns what a member is told, in the server's encoding, or NULL. */
static const char *
subject_format(const char *event, const char *locale)
{
	size_t language = lengthof(languages) - 1;

	while (language > 0 && strncmp(locale, languages[language], 2) != 0)
		language--;
	for (size_t i = 0; i < lengthof(subjects); i++)
	{
		const char *format = subjects[i].formats[language];

		if (strcmp(event, subjects[i].event) == 0)
			return pg_any_to_server(format, (int) strlen(format), PG_UTF8);
	}
	return NULL;
}
