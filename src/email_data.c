/*
 * email_data.c
 *		What every template of e-mails may use: the company, the quote and its customer, the opportunity
 *		and its seller.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "batch.h"
#include "company_row.h"
#include "compat.h"
#include "configuration.h"
#include "email_data.h"
#include "format.h"
#include "json.h"
#include "member_row.h"
#include "opportunity.h"
#include "quote.h"

PG_FUNCTION_INFO_V1(scrm_email_data);

static void push_quote(JsonbParseState **state, const EmailTopic *topic, const char *locale);
static char *valid_until(const Row *quote, const char *locale);
static char *gross(const Row *quote, const char *locale);
static void
push_seller(JsonbParseState **state, const OpportunityRow *opportunity, const Row *company);
static void push_company(JsonbParseState **state, const Row *company);
static void
push_one(JsonbParseState **state, const char *object, const char *key, const char *text);
static void
push_person(JsonbParseState **state, const char *object, const char *name, const char *email);
static void begin_object(JsonbParseState **state, const char *key);
static void end_object(JsonbParseState **state);

/* quote_id bigint, opportunity_id bigint, locale text: jsonb */
Datum
scrm_email_data(PG_FUNCTION_ARGS)
{
	EmailTopic topic = email_topic_find(fcinfo->args[0], fcinfo->args[1]);
	Row company = company_get();

	PG_RETURN_JSONB_P(email_data(
		&topic, &company, PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)), NULL));
}

EmailTopic
email_topic_find(NullableDatum quote_id, NullableDatum opportunity_id)
{
	EmailTopic topic = {.quote_id = quote_id, .opportunity_id = opportunity_id};

	topic.has_quote = !quote_id.isnull &&
					  quote_find(DatumGetInt64(quote_id.value), LOOKUP_STATEMENT, &topic.quote);
	if (opportunity_id.isnull && topic.has_quote)
		topic.opportunity_id = quote_value(&topic.quote, QUOTE_COLUMN_OPPORTUNITY_ID);
	return topic;
}

Jsonb *
email_data(const EmailTopic *topic, const Row *company, const char *locale,
		   const EmailRecipient *recipient)
{
	JsonbParseState *state = NULL;
	OpportunityRow opportunity;
	bool has_opportunity =
		!topic->opportunity_id.isnull &&
		opportunity_find(DatumGetInt64(topic->opportunity_id.value), &opportunity);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (!topic->quote_id.isnull)
		push_quote(&state, topic, locale);
	if (has_opportunity)
		push_seller(&state, &opportunity, company);
	push_company(&state, company);
	if (!topic->quote_id.isnull)
		push_one(&state, "customer", "name",
				 topic->has_quote ? row_text(&topic->quote, QUOTE_COLUMN_CUSTOMER_NAME) : NULL);
	if (recipient != NULL)
		push_person(&state, "recipient", recipient->name, recipient->address);
	if (has_opportunity)
		push_one(&state, "opportunity", "name", row_text(&opportunity, OPPORTUNITY_NAME));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* push_quote writes one that is not there with nulls. */
static void
push_quote(JsonbParseState **state, const EmailTopic *topic, const char *locale)
{
	const Row *quote = topic->has_quote ? &topic->quote : NULL;

	begin_object(state, "quote");
	json_push_text(state, "gross", quote == NULL ? NULL : gross(quote, locale));
	json_push_text(state, "title", quote == NULL ? NULL : row_text(quote, QUOTE_COLUMN_TITLE));
	json_push_text(state, "number", quote == NULL ? NULL : row_text(quote, QUOTE_COLUMN_NUMBER));
	if (quote == NULL)
		json_push_value(state, "version", NULL);
	else
		json_push_number(state, "version",
						 DirectFunctionCall1(int4_numeric, row_value(quote, QUOTE_COLUMN_VERSION)));
	json_push_text(state, "valid_until", quote == NULL ? NULL : valid_until(quote, locale));
	end_object(state);
}

static char *
valid_until(const Row *quote, const char *locale)
{
	if (locale == NULL || row_is_null(quote, QUOTE_COLUMN_VALID_UNTIL))
		return NULL;
	return format_date(DatumGetDateADT(row_value(quote, QUOTE_COLUMN_VALID_UNTIL)),
					   format_language(locale, strlen(locale)));
}

static char *
gross(const Row *quote, const char *locale)
{
	char *code = row_text(quote, QUOTE_COLUMN_CURRENCY);
	const Currency *currency;
	char *number;

	if (locale == NULL || row_is_null(quote, QUOTE_COLUMN_TOTALS))
		return NULL;
	number = json_text(&DatumGetJsonbP(row_value(quote, QUOTE_COLUMN_TOTALS))->root, "gross");
	if (number == NULL)
		return NULL;
	currency = configuration_find_currency(configuration_get(), code, strlen(code));
	return format_amount(format_digits(number), code, format_language(locale, strlen(locale)),
						 currency == NULL ? 0 : currency->minor_units);
}

static void
push_seller(JsonbParseState **state, const OpportunityRow *opportunity, const Row *company)
{
	char *name = NULL;
	char *email = NULL;
	Row member;

	if (member_find(opportunity_nullable(opportunity, OPPORTUNITY_OWNER_ID), &member))
	{
		name = row_text(&member, MEMBER_NAME);
		email = row_text(&member, MEMBER_EMAIL);
	}
	push_person(state, "seller", name != NULL ? name : row_text(company, COMPANY_NAME),
				email != NULL ? email : row_text(company, COMPANY_SENDER_EMAIL));
}

static void
push_company(JsonbParseState **state, const Row *company)
{
	begin_object(state, "company");
	json_push_text(state, "name", row_text(company, COMPANY_NAME));
	json_push_text(state, "email", row_text(company, COMPANY_SENDER_EMAIL));
	json_push_text(state, "address", row_text(company, COMPANY_ADDRESS));
	json_push_text(state, "portal_url", row_text(company, COMPANY_PORTAL_URL));
	end_object(state);
}

/* push_one writes an object with one member. */
static void
push_one(JsonbParseState **state, const char *object, const char *key, const char *text)
{
	begin_object(state, object);
	json_push_text(state, key, text);
	end_object(state);
}

static void
push_person(JsonbParseState **state, const char *object, const char *name, const char *email)
{
	begin_object(state, object);
	json_push_text(state, "name", name);
	json_push_text(state, "email", email);
	end_object(state);
}

static void
begin_object(JsonbParseState **state, const char *key)
{
	json_push_key(state, key);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
}

static void
end_object(JsonbParseState **state)
{
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}
