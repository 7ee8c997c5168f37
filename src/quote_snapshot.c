/*
 * quote_snapshot.c
 *		quote_snapshot(): all facts of a quote in one canonical jsonb, as send_quote() freezes them.
 *
 * What is hashed, and compared with other databases for years, must not depend on settings: numbers
 * are in plain decimal notation without needless zeros, days are those of ISO 8601, all as texts.
 * The queries name the members; a name with a dot is that of a member of an object.
 *
 * It reads as the caller does, so that a quote that is not visible has none.
 *
 * Memory: SPI's; the result is made in the caller's context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "compat.h"
#include "format.h"
#include "json.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(scrm_quote_snapshot);

/* The number of this form of a snapshot */
#define SNAPSHOT_SCHEMA 1

/* Room for the text of an integer */
#define INTEGER_LENGTH 12

typedef struct SnapshotRow
{
	TupleDesc tupdesc;
	Datum *values;
	bool *nulls;
} SnapshotRow;

/* Of the totals, and of each of their taxes */
static const char *const total_keys[] = {"net", "vat", "list", "gross", "amount", "discount"};
static const char *const tax_keys[] = {"net", "vat", "base", "percent", "category"};

static void push_lines(JsonbParseState **state, Datum quote_id, JsonbContainer *totals);
static void push_totals(JsonbParseState **state, JsonbContainer *totals);
static SnapshotRow read_row(uint64 number);
static void push_columns(JsonbParseState **state, const SnapshotRow *row, int from, int to);
static void push_column(JsonbParseState **state, const char *key, Oid type, Datum value);
static char *integer_text(int32 number);
static void
push_texts(JsonbParseState **state, const char *const *keys, int count, JsonbContainer *from);
static JsonbContainer *next_of(JsonbIterator **iterator);

/* quote_id bigint, sent_on date: jsonb */
Datum
scrm_quote_snapshot(PG_FUNCTION_ARGS)
{
	static ScrmPlan head = {
		.sql =
			"SELECT q.number, q.version, q.title, q.locale, q.currency, c.minor_units, $2 AS sent_on,"
			" q.valid_until, y.time_zone, q.vat_method, q.prices_include_tax, q.introduction, q.terms,"
			" q.discount_percent, q.discount_amount, t.name AS \"template.name\","
			" encode(sha256(convert_to(t.body || t.partials::text, 'UTF8')), 'hex') AS"
			" \"template.sha256\", y.name AS \"company.name\", y.address AS \"company.address\","
			" y.vat_number AS \"company.vat_number\", y.brand_color AS \"company.brand_color\","
			" y.sender_email AS \"company.email\", CASE WHEN y.logo IS NOT NULL THEN 'data:' ||"
			" sales_crm.media_type_of(y.logo) || ';base64,' ||"
			" translate(encode(y.logo, 'base64'), E'\\n', '') END AS \"company.logo\","
			" m.name AS \"seller.name\", m.email AS \"seller.email\", NULL::text AS \"seller.phone\","
			" q.customer_name AS \"customer.name\", q.customer_address AS \"customer.address\","
			" q.customer_vat_number AS \"customer.vat_number\", k.name AS \"customer.contact\","
			" k.email AS \"customer.email\", q.totals"
			" FROM sales_crm.quote q"
			" JOIN sales_crm.quote_template t USING (quote_template_id)"
			" JOIN sales_crm.currency c ON c.code = q.currency"
			" JOIN sales_crm.opportunity o USING (opportunity_id)"
			" LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id"
			" LEFT JOIN sales_crm.contact k ON k.contact_id = q.contact_id"
			" CROSS JOIN sales_crm.company y"
			" WHERE q.quote_id = $1",
		.nargs = 2,
		.argtypes = {INT8OID, DATEOID},
		.by_key = true,
	};
	MemoryContext caller = CurrentMemoryContext;
	JsonbParseState *state = NULL;
	Datum values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	const char nulls[] = {' ', PG_ARGISNULL(1) ? 'n' : ' '};
	JsonbContainer *totals = NULL;
	SnapshotRow row;
	int last;
	JsonbValue *made;
	Jsonb *result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	plan_begin();
	if (plan_run(&head, PLAN_READ_AS_CALLER, values, nulls) == 0)
	{
		plan_end();
		PG_RETURN_NULL();
	}
	row = read_row(0);
	last = row.tupdesc->natts - 1;
	if (!row.nulls[last])
		totals = &DatumGetJsonbP(row.values[last])->root;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_number(&state, "schema", NumericGetDatum(int64_to_numeric(SNAPSHOT_SCHEMA)));
	push_columns(&state, &row, 0, last);
	push_lines(&state, values[0], totals);
	push_totals(&state, totals);
	made = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	MemoryContextSwitchTo(caller);
	result = JsonbValueToJsonb(made);
	plan_end();
	PG_RETURN_JSONB_P(result);
}

/*
 * push_lines adds the lines in their order; their amounts are those of the totals. The members are in
 * the order in which jsonb keeps them, which spares the sort of each line.
 */
static void
push_lines(JsonbParseState **state, Datum quote_id, JsonbContainer *totals)
{
	static ScrmPlan lines = {
		.sql = "SELECT l.kind, l.name, l.unit, l.optional, l.quantity, u.name AS unit_name,"
			   " l.unit_price, l.description, l.tax_percent, l.tax_category, l.discount_amount,"
			   " l.discount_percent, l.extra_description"
			   " FROM sales_crm.quote_line l LEFT JOIN sales_crm.unit u ON u.code = l.unit"
			   " WHERE l.quote_id = $1 ORDER BY l.position, l.quote_line_id",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	JsonbContainer *amounts = json_container(totals, "lines");
	JsonbIterator *iterator = amounts == NULL ? NULL : JsonbIteratorInit(amounts);
	uint64 count = plan_run(&lines, PLAN_READ_AS_CALLER, &quote_id, NULL);
	int items = 0;

	json_push_key(state, "lines");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint64 i = 0; i < count; i++)
	{
		JsonbContainer *line = next_of(&iterator);
		SnapshotRow row = read_row(i);
		text *kind = DatumGetTextPP(row.values[0]);
		bool is_item = VARSIZE_ANY_EXHDR(kind) == 4 && memcmp(VARDATA_ANY(kind), "item", 4) == 0;

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		json_push_text(state, "net", json_text(line, "net"));
		push_columns(state, &row, 0, 3);
		json_push_text(state, "amount", json_text(line, "amount"));
		json_push_text(state, "number", is_item ? integer_text(++items) : NULL);
		push_columns(state, &row, 3, 4);
		json_push_text(state, "position", integer_text((int) i + 1));
		push_columns(state, &row, 4, row.tupdesc->natts);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
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

/* read_row takes a row of SPI's result apart. */
static SnapshotRow
read_row(uint64 number)
{
	SnapshotRow row = {.tupdesc = SPI_tuptable->tupdesc};

	row.values = palloc_array(Datum, row.tupdesc->natts);
	row.nulls = palloc_array(bool, row.tupdesc->natts);
	heap_deform_tuple(SPI_tuptable->vals[number], row.tupdesc, row.values, row.nulls);
	return row;
}

/* push_columns adds some of a row's columns; those of one object follow each other. */
static void
push_columns(JsonbParseState **state, const SnapshotRow *row, int from, int to)
{
	const char *object = NULL;
	size_t length = 0;

	for (int i = from; i < to; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row->tupdesc, i);
		const char *name = NameStr(attribute->attname);
		const char *dot = strchr(name, '.');

		if (object != NULL && (dot == NULL || strncmp(name, object, length) != 0))
		{
			pushJsonbValue(state, WJB_END_OBJECT, NULL);
			object = NULL;
		}
		if (object == NULL && dot != NULL)
		{
			object = name;
			length = dot - name + 1;
			json_push_key(state, pnstrdup(name, dot - name));
			pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		}
		if (row->nulls[i])
			json_push_value(state, dot == NULL ? name : dot + 1, NULL);
		else
			push_column(state, dot == NULL ? name : dot + 1, attribute->atttypid, row->values[i]);
	}
	if (object != NULL)
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_column(JsonbParseState **state, const char *key, Oid type, Datum value)
{
	JsonbValue string = {.type = jbvString};
	text *given;

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
		case INT2OID:
			json_push_text(state, key, integer_text(DatumGetInt16(value)));
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
