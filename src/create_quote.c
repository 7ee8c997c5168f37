/*
 * create_quote.c
 *		Makes the draft of a quote from an opportunity.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "contact_row.h"
#include "error.h"
#include "insert.h"
#include "line_copy.h"
#include "lookup.h"
#include "member.h"
#include "opportunity.h"
#include "plan.h"
#include "quote.h"
#include "quote_number.h"
#include "row_lock.h"
#include "template_choice.h"

PG_FUNCTION_INFO_V1(scrm_create_quote);

/* The arguments of create_quote() */
enum
{
	CREATE_OPPORTUNITY_ID,
	CREATE_QUOTE_TEMPLATE_ID,
	CREATE_VALID_UNTIL,
};

/* What a draft is written with; the rest fills in itself */
typedef enum DraftColumn
{
	DRAFT_NUMBER,
	DRAFT_OPPORTUNITY_ID,
	DRAFT_QUOTE_TEMPLATE_ID,
	DRAFT_VALID_UNTIL,
	DRAFT_LOCALE,
	DRAFT_CURRENCY,
	DRAFT_TITLE,
	DRAFT_INTRODUCTION,
	DRAFT_TERMS,
	DRAFT_DISCOUNT_PERCENT,
	DRAFT_DISCOUNT_AMOUNT,
	DRAFT_VAT_METHOD,
	DRAFT_PRICES_INCLUDE_TAX,
	DRAFT_CUSTOMER_NAME,
	DRAFT_CUSTOMER_ADDRESS,
	DRAFT_CUSTOMER_VAT_NUMBER,
	DRAFT_CONTACT_ID,
	DRAFT_CREATED_BY,
} DraftColumn;

#define DRAFT_COLUMNS (DRAFT_CREATED_BY + 1)

static const RowColumn draft_columns[DRAFT_COLUMNS] = {
	[DRAFT_NUMBER] = {"number", TEXTOID},
	[DRAFT_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[DRAFT_QUOTE_TEMPLATE_ID] = {"quote_template_id", INT8OID},
	[DRAFT_VALID_UNTIL] = {"valid_until", DATEOID},
	[DRAFT_LOCALE] = {"locale", TEXTOID},
	[DRAFT_CURRENCY] = {"currency", TEXTOID},
	[DRAFT_TITLE] = {"title", TEXTOID},
	[DRAFT_INTRODUCTION] = {"introduction", TEXTOID},
	[DRAFT_TERMS] = {"terms", TEXTOID},
	[DRAFT_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID},
	[DRAFT_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID},
	[DRAFT_VAT_METHOD] = {"vat_method", TEXTOID},
	[DRAFT_PRICES_INCLUDE_TAX] = {"prices_include_tax", BOOLOID},
	[DRAFT_CUSTOMER_NAME] = {"customer_name", TEXTOID},
	[DRAFT_CUSTOMER_ADDRESS] = {"customer_address", TEXTOID},
	[DRAFT_CUSTOMER_VAT_NUMBER] = {"customer_vat_number", TEXTOID},
	[DRAFT_CONTACT_ID] = {"contact_id", INT8OID},
	[DRAFT_CREATED_BY] = {"created_by", INT8OID},
};
static RowMap draft_map = ROW_MAP("quote", draft_columns);

/* The customer, as quotes print it */
typedef enum AccountColumn
{
	ACCOUNT_ID,
	ACCOUNT_NAME,
	ACCOUNT_VAT_NUMBER,
	ACCOUNT_STREET,
	ACCOUNT_POSTAL_CODE,
	ACCOUNT_CITY,
	ACCOUNT_COUNTRY,
} AccountColumn;

static const RowColumn account_columns[] = {
	[ACCOUNT_ID] = {"account_id", INT8OID},			  [ACCOUNT_NAME] = {"name", TEXTOID},
	[ACCOUNT_VAT_NUMBER] = {"vat_number", TEXTOID},	  [ACCOUNT_STREET] = {"street", TEXTOID},
	[ACCOUNT_POSTAL_CODE] = {"postal_code", TEXTOID}, [ACCOUNT_CITY] = {"city", TEXTOID},
	[ACCOUNT_COUNTRY] = {"country", TEXTOID},
};
static RowMap account_map = ROW_MAP("account", account_columns);

static Datum create(const NullableDatum *arguments);
static OpportunityRow lock_opportunity(NullableDatum opportunity_id);
pg_noreturn static void refuse(NullableDatum opportunity_id);
static void require_open(const OpportunityRow *opportunity);
static char *customer_locale(const OpportunityRow *opportunity);
static Row find_template(NullableDatum quote_template_id, const char *locale);
static void fill_offer(NullableDatum *draft, const OpportunityRow *opportunity);
static void fill_customer(NullableDatum *draft, const OpportunityRow *opportunity);
static void fill_words(NullableDatum *draft, const Row *template, const char *locale);
static NullableDatum address_of(const Row *account);
static void add_part(StringInfo text, bool *is_first, const char *separator, const char *part);
static Datum insert_draft(const NullableDatum *draft);

/* See the enum: quote_id bigint */
Datum
scrm_create_quote(PG_FUNCTION_ARGS)
{
	NullableDatum arguments[CREATE_VALID_UNTIL + 1];
	PlanRole before;
	Datum quote_id;

	memcpy(arguments, fcinfo->args, sizeof(arguments));
	plan_enter(&before, plan_owner());
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	quote_id = create(arguments);
	PopActiveSnapshot();
	plan_leave(&before);
	PG_RETURN_DATUM(quote_id);
}

static Datum
create(const NullableDatum *arguments)
{
	OpportunityRow opportunity = lock_opportunity(arguments[CREATE_OPPORTUNITY_ID]);
	NullableDatum draft[DRAFT_COLUMNS];
	char *locale;
	Row template;
	Datum quote_id;

	require_open(&opportunity);
	locale = customer_locale(&opportunity);
	template = find_template(arguments[CREATE_QUOTE_TEMPLATE_ID], locale);
	fill_offer(draft, &opportunity);
	fill_customer(draft, &opportunity);
	fill_words(draft, &template, locale);
	if (!arguments[CREATE_VALID_UNTIL].isnull)
		draft[DRAFT_VALID_UNTIL] = arguments[CREATE_VALID_UNTIL];
	draft[DRAFT_CREATED_BY] = batch_key(member_current().member_id);
	draft[DRAFT_NUMBER] = batch_value(PointerGetDatum(quote_number_next()));
	quote_id = insert_draft(draft);
	line_copy(arguments[CREATE_OPPORTUNITY_ID].value, quote_id);
	return quote_id;
}

/*
 * lock_opportunity waits for those who change its lines, its discount or its phase. Errors: P0002 for
 * one that the session does not see
 */
static OpportunityRow
lock_opportunity(NullableDatum opportunity_id)
{
	static Lookup lookup = {.map = &opportunity_table, .ncolumns = 1, .columns = {OPPORTUNITY_ID}};
	OpportunityRow opportunity;

	if (opportunity_id.isnull || !access_sees("opportunity", DatumGetInt64(opportunity_id.value)) ||
		!row_lock(&lookup, opportunity_id.value, LockTupleShare, &opportunity))
		refuse(opportunity_id);
	return opportunity;
}

static void
refuse(NullableDatum opportunity_id)
{
	ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
					errmsg("opportunity %s does not exist", quote_key_text(opportunity_id)),
					errhint("SELECT opportunity_id, name FROM sales_crm.opportunity shows those "
							"there are.")));
}

static void
require_open(const OpportunityRow *opportunity)
{
	if (opportunity_is_null(opportunity, OPPORTUNITY_CLOSED_AT))
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_SCRM_OPPORTUNITY_CLOSED), errmsg("opportunity is closed"),
		 errdetail("Opportunity " INT64_FORMAT " was closed at %s.",
				   opportunity_key(opportunity, OPPORTUNITY_ID),
				   DatumGetCString(DirectFunctionCall1(
					   timestamptz_out, opportunity_value(opportunity, OPPORTUNITY_CLOSED_AT)))),
		 errhint("A manager can reopen it by moving it to an open phase of its pipeline.")));
}

/* customer_locale returns that of the contact, else the company's. */
static char *
customer_locale(const OpportunityRow *opportunity)
{
	char *locale = NULL;
	Row contact;

	if (contact_find(opportunity_nullable(opportunity, OPPORTUNITY_CONTACT_ID), LOOKUP_STATEMENT,
					 &contact))
		locale = row_text(&contact, CONTACT_LOCALE);
	return locale != NULL ? locale : configuration_get()->locale;
}

static Row
find_template(NullableDatum quote_template_id, const char *locale)
{
	Row template;

	if (!template_choose(quote_template_id, locale, LOOKUP_STATEMENT, &template))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("quote template is not there"),
				 quote_template_id.isnull
					 ? errdetail("No template is active.")
					 : errdetail("sales_crm.quote_template has no active row " INT64_FORMAT ".",
								 DatumGetInt64(quote_template_id.value)),
				 errhint("SELECT quote_template_id, name FROM sales_crm.quote_template WHERE "
						 "active shows those there are.")));
	return template;
}

/* fill_offer takes what the opportunity says, and the company's method of VAT where it says nothing. */
static void
fill_offer(NullableDatum *draft, const OpportunityRow *opportunity)
{
	const Configuration *configuration = configuration_get();

	draft[DRAFT_OPPORTUNITY_ID] = opportunity_nullable(opportunity, OPPORTUNITY_ID);
	draft[DRAFT_CURRENCY] = opportunity_nullable(opportunity, OPPORTUNITY_CURRENCY);
	draft[DRAFT_TITLE] = opportunity_nullable(opportunity, OPPORTUNITY_NAME);
	draft[DRAFT_DISCOUNT_PERCENT] = opportunity_nullable(opportunity, OPPORTUNITY_DISCOUNT_PERCENT);
	draft[DRAFT_DISCOUNT_AMOUNT] = opportunity_nullable(opportunity, OPPORTUNITY_DISCOUNT_AMOUNT);
	draft[DRAFT_CONTACT_ID] = opportunity_nullable(opportunity, OPPORTUNITY_CONTACT_ID);
	draft[DRAFT_VAT_METHOD] = opportunity_nullable(opportunity, OPPORTUNITY_VAT_METHOD);
	if (draft[DRAFT_VAT_METHOD].isnull)
		draft[DRAFT_VAT_METHOD] =
			batch_text(configuration_vat_method_name(configuration->vat_method));
	draft[DRAFT_PRICES_INCLUDE_TAX] =
		opportunity_nullable(opportunity, OPPORTUNITY_PRICES_INCLUDE_TAX);
	if (draft[DRAFT_PRICES_INCLUDE_TAX].isnull)
		draft[DRAFT_PRICES_INCLUDE_TAX] =
			batch_value(BoolGetDatum(configuration->prices_include_tax));
}

static void
fill_customer(NullableDatum *draft, const OpportunityRow *opportunity)
{
	static Lookup lookup = {.map = &account_map, .ncolumns = 1, .columns = {ACCOUNT_ID}};
	Datum key[] = {opportunity_value(opportunity, OPPORTUNITY_ACCOUNT_ID)};
	Row account;

	if (!lookup_row(&lookup, LOOKUP_STATEMENT, key, &account))
		elog(ERROR, "account of an opportunity is not there");
	draft[DRAFT_CUSTOMER_NAME] = row_nullable(&account, ACCOUNT_NAME);
	draft[DRAFT_CUSTOMER_ADDRESS] = address_of(&account);
	draft[DRAFT_CUSTOMER_VAT_NUMBER] = row_nullable(&account, ACCOUNT_VAT_NUMBER);
}

/* fill_words writes in the customer's locale only where the template is of its language. */
static void
fill_words(NullableDatum *draft, const Row *template, const char *locale)
{
	DateADT today =
		configuration_local_date(configuration_get(), GetCurrentTransactionStartTimestamp());

	draft[DRAFT_QUOTE_TEMPLATE_ID] = row_nullable(template, CHOICE_ID);
	draft[DRAFT_INTRODUCTION] = row_nullable(template, CHOICE_INTRODUCTION);
	draft[DRAFT_TERMS] = row_nullable(template, CHOICE_TERMS);
	draft[DRAFT_LOCALE] = template_same_language(row_text(template, CHOICE_LOCALE), locale)
							  ? batch_text(locale)
							  : row_nullable(template, CHOICE_LOCALE);
	draft[DRAFT_VALID_UNTIL] = batch_value(DirectFunctionCall2(
		date_pli, DateADTGetDatum(today), row_value(template, CHOICE_VALID_DAYS)));
}

/* address_of returns the address in lines, NULL for none. */
static NullableDatum
address_of(const Row *account)
{
	StringInfoData town;
	StringInfoData address;
	bool is_first = true;

	initStringInfo(&town);
	add_part(&town, &is_first, " ", row_text(account, ACCOUNT_POSTAL_CODE));
	add_part(&town, &is_first, " ", row_text(account, ACCOUNT_CITY));
	initStringInfo(&address);
	is_first = true;
	add_part(&address, &is_first, "\n", row_text(account, ACCOUNT_STREET));
	add_part(&address, &is_first, "\n", town.len == 0 ? NULL : town.data);
	add_part(&address, &is_first, "\n", row_text(account, ACCOUNT_COUNTRY));
	return batch_text(address.len == 0 ? NULL : address.data);
}

/* add_part appends as concat_ws() does; NULL is left out. */
static void
add_part(StringInfo text, bool *is_first, const char *separator, const char *part)
{
	if (part == NULL)
		return;
	if (!*is_first)
		appendStringInfoString(text, separator);
	appendStringInfoString(text, part);
	*is_first = false;
}

/* insert_draft returns the key of the new quote. */
static Datum
insert_draft(const NullableDatum *draft)
{
	static const RowColumn columns[] = {{"quote_id", INT8OID}};
	static const RowMap key = {.table = "quote", .columns = columns, .ncolumns = 1};
	static Insert insert = {.map = &draft_map};
	AttrNumber attnums[lengthof(columns)];
	Row quote;

	if (!insert_row(&insert, draft, &quote))
		elog(ERROR, "draft of a quote was not made");
	row_map_fill(&key, attnums, quote.tupdesc);
	quote.attnums = attnums;
	return row_value(&quote, 0);
}
