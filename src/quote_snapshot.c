/*
 * quote_snapshot.c
 *		quote_snapshot(): all facts of a quote in one canonical jsonb, as send_quote() freezes them.
 *
 * What is hashed, and compared with other databases for years, must not depend on settings: numbers
 * are in plain decimal notation without needless zeros, days are those of ISO 8601, all as texts.
 *
 * A quote that the caller does not see has none.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/base64.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "company_row.h"
#include "compat.h"
#include "configuration.h"
#include "contact_row.h"
#include "format.h"
#include "json.h"
#include "lookup.h"
#include "media_type.h"
#include "member_row.h"
#include "opportunity.h"
#include "plan.h"
#include "quote.h"
#include "quote_line.h"
#include "quote_snapshot.h"
#include "quote_template.h"

PG_FUNCTION_INFO_V1(scrm_quote_snapshot);

/* The number of this form of a snapshot */
#define SNAPSHOT_SCHEMA 1

/* Room for the text of an integer */
#define INTEGER_LENGTH 12

/* A member that a column of a row becomes */
typedef struct SnapshotMember
{
	const char *key;
	int column;
} SnapshotMember;

static const SnapshotMember quote_members[] = {
	{"number", QUOTE_COLUMN_NUMBER},
	{"version", QUOTE_COLUMN_VERSION},
	{"title", QUOTE_COLUMN_TITLE},
	{"locale", QUOTE_COLUMN_LOCALE},
	{"currency", QUOTE_COLUMN_CURRENCY},
	{"valid_until", QUOTE_COLUMN_VALID_UNTIL},
	{"vat_method", QUOTE_COLUMN_VAT_METHOD},
	{"prices_include_tax", QUOTE_COLUMN_PRICES_INCLUDE_TAX},
	{"introduction", QUOTE_COLUMN_INTRODUCTION},
	{"terms", QUOTE_COLUMN_TERMS},
	{"discount_percent", QUOTE_COLUMN_DISCOUNT_PERCENT},
	{"discount_amount", QUOTE_COLUMN_DISCOUNT_AMOUNT},
};

static const SnapshotMember customer_members[] = {
	{"name", QUOTE_COLUMN_CUSTOMER_NAME},
	{"address", QUOTE_COLUMN_CUSTOMER_ADDRESS},
	{"vat_number", QUOTE_COLUMN_CUSTOMER_VAT_NUMBER},
};

/* Of a line, the last ones, in the order in which jsonb keeps them, which spares the sort of each line */
static const SnapshotMember last_line_members[] = {
	{"unit_price", QUOTE_LINE_UNIT_PRICE},
	{"description", QUOTE_LINE_DESCRIPTION},
	{"tax_percent", QUOTE_LINE_TAX_PERCENT},
	{"tax_category", QUOTE_LINE_TAX_CATEGORY},
	{"discount_amount", QUOTE_LINE_DISCOUNT_AMOUNT},
	{"discount_percent", QUOTE_LINE_DISCOUNT_PERCENT},
	{"extra_description", QUOTE_LINE_EXTRA_DESCRIPTION},
};

static const SnapshotMember company_members[] = {
	{"name", COMPANY_NAME},
	{"address", COMPANY_ADDRESS},
	{"vat_number", COMPANY_VAT_NUMBER},
	{"brand_color", COMPANY_BRAND_COLOR},
	{"email", COMPANY_SENDER_EMAIL},
};

static const SnapshotMember contact_members[] = {
	{"contact", CONTACT_NAME},
	{"email", CONTACT_EMAIL},
};

typedef enum UnitColumn
{
	UNIT_CODE,
	UNIT_NAME,
} UnitColumn;

static const RowColumn unit_columns[] = {
	[UNIT_CODE] = {"code", TEXTOID},
	[UNIT_NAME] = {"name", TEXTOID},
};
static RowMap unit_map = ROW_MAP("unit", unit_columns);
static Lookup unit_lookup = {.map = &unit_map, .ncolumns = 1, .columns = {UNIT_CODE}};

static const SnapshotMember seller_members[] = {
	{"name", MEMBER_NAME},
	{"email", MEMBER_EMAIL},
};

/* Of the totals, and of each of their taxes */
static const char *const total_keys[] = {"net", "vat", "list", "gross", "amount", "discount"};
static const char *const tax_keys[] = {"net", "vat", "base", "percent", "category"};

static bool is_visible(int64 quote_id);
static void push_quote(JsonbParseState **state, const Row *quote, NullableDatum sent_on);
static void push_template(JsonbParseState **state, int64 quote_template_id);
static void push_company(JsonbParseState **state, const Row *company);
static void push_seller(JsonbParseState **state, const Row *quote);
static void push_customer(JsonbParseState **state, const Row *quote);
static void
push_lines(JsonbParseState **state, const Row *lines, int count, JsonbContainer *totals);
static bool has_unit_of(const Row *line, const Row *before);
static NullableDatum unit_name(const Row *line);
static void push_totals(JsonbParseState **state, JsonbContainer *totals);
static void push_members(JsonbParseState **state, const RowMap *map, const Row *row,
						 const SnapshotMember *members, int count);
static void push_column(JsonbParseState **state, const char *key, Oid type, NullableDatum column);
static char *data_uri(const bytea *picture);
static char *integer_text(int32 number);
static void
push_texts(JsonbParseState **state, const char *const *keys, int count, JsonbContainer *from);
static JsonbContainer *next_of(JsonbIterator **iterator);

/* quote_id bigint, sent_on date: jsonb */
Datum
scrm_quote_snapshot(PG_FUNCTION_ARGS)
{
	Row quote;
	Row *lines;
	int count;

	if (PG_ARGISNULL(0) || !is_visible(PG_GETARG_INT64(0)) ||
		!quote_find(PG_GETARG_INT64(0), LOOKUP_CALLER, &quote))
		PG_RETURN_NULL();
	count = quote_line_rows(PG_GETARG_INT64(0), LOOKUP_CALLER, &lines);
	PG_RETURN_JSONB_P(quote_snapshot_make(&quote, lines, count, fcinfo->args[1]));
}

Jsonb *
quote_snapshot_make(const Row *quote, const Row *lines, int count, NullableDatum sent_on)
{
	JsonbParseState *state = NULL;
	JsonbContainer *totals = NULL;

	if (!row_is_null(quote, QUOTE_COLUMN_TOTALS))
		totals = &DatumGetJsonbP(row_value(quote, QUOTE_COLUMN_TOTALS))->root;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_number(&state, "schema", NumericGetDatum(int64_to_numeric(SNAPSHOT_SCHEMA)));
	push_quote(&state, quote, sent_on);
	push_lines(&state, lines, count, totals);
	push_totals(&state, totals);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* is_visible: the tables' owner sees all, others what their policies let through. */
static bool
is_visible(int64 quote_id)
{
	static ScrmPlan plan = {
		.sql = "SELECT FROM sales_crm.quote WHERE quote_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	Datum values[] = {Int64GetDatum(quote_id)};
	uint64 count;

	if (has_privs_of_role(GetUserId(), plan_owner()))
		return true;
	plan_begin();
	count = plan_run(&plan, PLAN_READ_AS_CALLER, values, NULL);
	plan_end();
	return count > 0;
}

static void
push_quote(JsonbParseState **state, const Row *quote, NullableDatum sent_on)
{
	const text *currency = DatumGetTextPP(row_value(quote, QUOTE_COLUMN_CURRENCY));
	const Currency *found = configuration_find_currency(configuration_get(), VARDATA_ANY(currency),
														VARSIZE_ANY_EXHDR(currency));
	Row company = company_get();

	if (found == NULL)
		elog(ERROR, "currency of a quote is not there");
	push_members(state, &quote_table, quote, quote_members, lengthof(quote_members));
	json_push_text(state, "minor_units", integer_text(found->minor_units));
	push_column(state, "sent_on", DATEOID, sent_on);
	push_column(state, "time_zone", TEXTOID, row_nullable(&company, COMPANY_TIME_ZONE));
	push_template(state, DatumGetInt64(row_value(quote, QUOTE_COLUMN_QUOTE_TEMPLATE_ID)));
	push_company(state, &company);
	push_seller(state, quote);
	push_customer(state, quote);
}

static void
push_template(JsonbParseState **state, int64 quote_template_id)
{
	const QuoteTemplate *template = quote_template_get(quote_template_id);

	json_push_key(state, "template");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_column(state, "name", TEXTOID,
				(NullableDatum){.value = PointerGetDatum(template->name), .isnull = false});
	json_push_text(state, "sha256", template->sha256);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_company(JsonbParseState **state, const Row *company)
{
	json_push_key(state, "company");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_members(state, &company_table, company, company_members, lengthof(company_members));
	json_push_text(state, "logo",
				   row_is_null(company, COMPANY_LOGO)
					   ? NULL
					   : data_uri(DatumGetByteaPP(row_value(company, COMPANY_LOGO))));
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* push_seller adds the owner of the opportunity, if there is one. */
static void
push_seller(JsonbParseState **state, const Row *quote)
{
	Row opportunity;
	Row member;
	bool found = opportunity_find(DatumGetInt64(row_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
								  &opportunity) &&
				 member_find(row_nullable(&opportunity, OPPORTUNITY_OWNER_ID), &member);

	json_push_key(state, "seller");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_members(state, &member_table, found ? &member : NULL, seller_members,
				 lengthof(seller_members));
	json_push_text(state, "phone", NULL);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_customer(JsonbParseState **state, const Row *quote)
{
	Row contact;
	bool found =
		contact_find(row_nullable(quote, QUOTE_COLUMN_CONTACT_ID), LOOKUP_CALLER, &contact);

	json_push_key(state, "customer");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_members(state, &quote_table, quote, customer_members, lengthof(customer_members));
	push_members(state, &contact_table, found ? &contact : NULL, contact_members,
				 lengthof(contact_members));
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* push_lines adds the lines in their order; their amounts are those of the totals. */
static void
push_lines(JsonbParseState **state, const Row *lines, int count, JsonbContainer *totals)
{
	JsonbContainer *amounts = json_container(totals, "lines");
	JsonbIterator *iterator = amounts == NULL ? NULL : JsonbIteratorInit(amounts);
	NullableDatum unit = {.isnull = true};
	int items = 0;

	json_push_key(state, "lines");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *line = next_of(&iterator);
		bool is_item = quote_line_is_item(&lines[i]);

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		json_push_text(state, "net", json_text(line, "net"));
		push_column(state, "kind", TEXTOID, row_nullable(&lines[i], QUOTE_LINE_KIND));
		push_column(state, "name", TEXTOID, row_nullable(&lines[i], QUOTE_LINE_NAME));
		push_column(state, "unit", TEXTOID, row_nullable(&lines[i], QUOTE_LINE_UNIT));
		json_push_text(state, "amount", json_text(line, "amount"));
		json_push_text(state, "number", is_item ? integer_text(++items) : NULL);
		push_column(state, "optional", BOOLOID, row_nullable(&lines[i], QUOTE_LINE_OPTIONAL));
		json_push_text(state, "position", integer_text(i + 1));
		push_column(state, "quantity", NUMERICOID, row_nullable(&lines[i], QUOTE_LINE_QUANTITY));
		if (i == 0 || !has_unit_of(&lines[i], &lines[i - 1]))
			unit = unit_name(&lines[i]);
		push_column(state, "unit_name", TEXTOID, unit);
		push_members(state, &quote_line_table, &lines[i], last_line_members,
					 lengthof(last_line_members));
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static bool
has_unit_of(const Row *line, const Row *before)
{
	return !row_is_null(line, QUOTE_LINE_UNIT) && !row_is_null(before, QUOTE_LINE_UNIT) &&
		   datum_image_eq(row_value(line, QUOTE_LINE_UNIT), row_value(before, QUOTE_LINE_UNIT),
						  false, -1);
}

static NullableDatum
unit_name(const Row *line)
{
	NullableDatum code = row_nullable(line, QUOTE_LINE_UNIT);
	Row unit;

	if (code.isnull || !lookup_row(&unit_lookup, LOOKUP_CALLER, &code.value, &unit))
		return (NullableDatum){.isnull = true};
	return row_nullable(&unit, UNIT_NAME);
}

static void
push_totals(JsonbParseState **state, JsonbContainer *totals)
{
	JsonbContainer *taxes = json_container(totals, "taxes");
	JsonbIterator *iterator = taxes == NULL ? NULL : JsonbIteratorInit(taxes);
	JsonbContainer *tax;

	json_push_key(state, "totals");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_texts(state, total_keys, lengthof(total_keys), totals);
	json_push_key(state, "taxes");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	while ((tax = next_of(&iterator)) != NULL)
	{
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_texts(state, tax_keys, lengthof(tax_keys), tax);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* push_members adds columns of a row; without a row they are null. */
static void
push_members(JsonbParseState **state, const RowMap *map, const Row *row,
			 const SnapshotMember *members, int count)
{
	for (int i = 0; i < count; i++)
	{
		NullableDatum none = {.isnull = true};

		push_column(state, members[i].key, map->columns[members[i].column].type,
					row == NULL ? none : row_nullable(row, members[i].column));
	}
}

static void
push_column(JsonbParseState **state, const char *key, Oid type, NullableDatum column)
{
	JsonbValue string = {.type = jbvString};
	Datum value = column.value;
	text *given;

	if (column.isnull)
	{
		json_push_value(state, key, NULL);
		return;
	}
	switch (type)
	{
		case TEXTOID:
			given = DatumGetTextPP(value);
			string.val.string.val = VARDATA_ANY(given);
			string.val.string.len = VARSIZE_ANY_EXHDR(given);
			json_push_value(state, key, &string);
			break;
		case BOOLOID:
			json_push_boolean(state, key, DatumGetBool(value));
			break;
		case INT4OID:
			json_push_text(state, key, integer_text(DatumGetInt32(value)));
			break;
		case NUMERICOID:
			value = DirectFunctionCall1(numeric_trim_scale, value);
			json_push_text(state, key, DatumGetCString(DirectFunctionCall1(numeric_out, value)));
			break;
		case DATEOID:
			json_push_text(state, key, format_iso_day(DatumGetDateADT(value)));
			break;
		default:
			elog(ERROR, "column \"%s\" of a snapshot has type %u", key, type);
	}
}

/* data_uri writes a picture so that a document needs no other file. */
static char *
data_uri(const bytea *picture)
{
	int length = VARSIZE_ANY_EXHDR(picture);
	const char *media_type = media_type_of(picture);
	StringInfoData uri;

	initStringInfo(&uri);
	appendStringInfo(&uri, "data:%s;base64,", media_type);
	enlargeStringInfo(&uri, pg_b64_enc_len(length));
	uri.len += pg_b64_encode((const void *) VARDATA_ANY(picture), length, uri.data + uri.len,
							 pg_b64_enc_len(length));
	uri.data[uri.len] = '\0';
	return uri.data;
}

static char *
integer_text(int32 number)
{
	char *text = palloc(INTEGER_LENGTH);

	pg_ltoa(number, text);
	return text;
}

/* push_texts copies members as texts. */
static void
push_texts(JsonbParseState **state, const char *const *keys, int count, JsonbContainer *from)
{
	for (int i = 0; i < count; i++)
		json_push_text(state, keys[i], json_text(from, keys[i]));
}

/* next_of returns the next object of an array, NULL after the last one. */
static JsonbContainer *
next_of(JsonbIterator **iterator)
{
	JsonbValue value;

	while (*iterator != NULL)
	{
		if (JsonbIteratorNext(iterator, &value, true) == WJB_ELEM)
			return value.val.binary.data;
	}
	return NULL;
}
