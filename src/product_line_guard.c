/*
 * product_line_guard.c
 *		The guard of sales_crm.product_line: fills in what a statement left out, from the product,
 *		the price list and the tax rate, and checks values, row by row before the row is stored.
 *
 * It does not look at the opportunity, except for its currency when a price is to be found: whether
 * lines may change is decided once per statement, by product_line.c.
 *
 * Memory: the executor's per-tuple context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "decimal.h"
#include "money.h"
#include "plan.h"
#include "product_line.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_product_line_guard);

static const RowColumn line_columns[LINE_COLUMNS] = {
	[LINE_ID] = {"product_line_id", INT8OID},
	[LINE_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[LINE_KIND] = {"kind", TEXTOID},
	[LINE_POSITION] = {"position", NUMERICOID},
	[LINE_PRODUCT_ID] = {"product_id", INT8OID},
	[LINE_NAME] = {"name", TEXTOID},
	[LINE_DESCRIPTION] = {"description", TEXTOID},
	[LINE_QUANTITY] = {"quantity", NUMERICOID},
	[LINE_UNIT] = {"unit", TEXTOID},
	[LINE_UNIT_PRICE] = {"unit_price", NUMERICOID},
	[LINE_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID},
	[LINE_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID},
	[LINE_TAX_RATE_ID] = {"tax_rate_id", INT8OID},
	[LINE_TAX_PERCENT] = {"tax_percent", NUMERICOID},
	[LINE_TAX_CATEGORY] = {"tax_category", TEXTOID},
	[LINE_OPTIONAL] = {"optional", BOOLOID},
	[LINE_UNIT_COST] = {"unit_cost", NUMERICOID},
};

/* For checks that need no currency: as many decimals as any has */
static const Currency any_currency = {.code = "", .minor_units = 4};

static RowMap table_map = ROW_MAP("product_line", line_columns);

static void fill_item(LineRow *row, bool inserting);
static void fill_from_product(LineRow *row);
static void fill_tax(LineRow *row);
static int error_column(LineColumn column);

const AttrNumber *
line_map(Relation relation)
{
	return row_map_get(&table_map, relation);
}

void
line_scan_begin(LookupScan *scan, int64 opportunity_id)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {LINE_OPPORTUNITY_ID}};
	Datum key[] = {Int64GetDatum(opportunity_id)};

	lookup_begin(scan, &lookup, LOOKUP_LATEST, key);
}

NullableDatum
line_value(const LineRow *row, LineColumn column)
{
	int i = row->attnums[column] - 1;

	return (NullableDatum){.value = row->values[i], .isnull = row->nulls[i]};
}

int64
line_key(const LineRow *row, LineColumn column)
{
	NullableDatum key = line_value(row, column);

	return key.isnull ? 0 : DatumGetInt64(key.value);
}

bool
line_differs(const LineRow *a, const LineRow *b, LineColumn column)
{
	NullableDatum one = line_value(a, column);
	NullableDatum other = line_value(b, column);
	Form_pg_attribute attribute = TupleDescAttr(a->tupdesc, a->attnums[column] - 1);

	if (one.isnull || other.isnull)
		return one.isnull != other.isnull;
	return !datum_image_eq(one.value, other.value, attribute->attbyval, attribute->attlen);
}

bool
line_is_item(const LineRow *row)
{
	NullableDatum kind = line_value(row, LINE_KIND);
	text *name;

	if (kind.isnull)
		return true;
	name = DatumGetTextPP(kind.value);
	return VARSIZE_ANY_EXHDR(name) == strlen("item") &&
		   memcmp(VARDATA_ANY(name), "item", strlen("item")) == 0;
}

MoneyLine
line_money(const LineRow *row, const Currency *currency)
{
	return money_line(currency, line_value(row, LINE_QUANTITY), line_value(row, LINE_UNIT_PRICE),
					  line_value(row, LINE_DISCOUNT_PERCENT), line_value(row, LINE_DISCOUNT_AMOUNT),
					  line_value(row, LINE_TAX_PERCENT));
}

int64
line_discount(const LineRow *row)
{
	MoneyLine line;
	int128 list;

	if (line_value(row, LINE_DISCOUNT_PERCENT).isnull &&
		line_value(row, LINE_DISCOUNT_AMOUNT).isnull)
		return 0;
	line = line_money(row, &any_currency);
	if (line.discount.kind == DISCOUNT_PERCENT)
		return line.discount.value;
	if (line.quantity < 0)
		line.quantity = -line.quantity;
	list = (int128) line.quantity * line.unit_price /
		   decimal_power(2 * MONEY_DECIMALS - any_currency.minor_units);
	if (line.discount.value >= list)
		return MONEY_HUNDRED_PERCENT;
	return (int64) ((int128) line.discount.value * MONEY_HUNDRED_PERCENT / list);
}

Datum
scrm_product_line_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "product_line_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	const AttrNumber *map = line_map(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	LineRow given;
	LineRow row;

	if (!inserting && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	given = row_in_slot(map, inserting ? trigger->tg_trigslot : trigger->tg_newslot);
	row = row_copy(&given);

	if (line_value(&row, LINE_POSITION).isnull && !line_value(&row, LINE_ID).isnull)
	{
		/* Keys go up, so that a new line is the last, without looking at the others */
		row.values[map[LINE_POSITION] - 1] =
			NumericGetDatum(int64_to_numeric(line_key(&row, LINE_ID)));
		row.nulls[map[LINE_POSITION] - 1] = false;
	}
	if (line_is_item(&row))
		fill_item(&row, inserting);
	return PointerGetDatum(heap_form_tuple(row.tupdesc, row.values, row.nulls));
}

/* fill sets a column that is NULL. */
static void
fill(LineRow *row, LineColumn column, NullableDatum value)
{
	int i = row->attnums[column] - 1;

	if (!row->nulls[i] || value.isnull)
		return;
	row->values[i] = value.value;
	row->nulls[i] = false;
}

static void
fill_item(LineRow *row, bool inserting)
{
	if (inserting)
	{
		fill(row, LINE_KIND, batch_value(CStringGetTextDatum("item")));
		fill(row, LINE_QUANTITY, batch_value(NumericGetDatum(int64_to_numeric(1))));
		if (!line_value(row, LINE_PRODUCT_ID).isnull &&
			(line_value(row, LINE_NAME).isnull || line_value(row, LINE_UNIT).isnull ||
			 line_value(row, LINE_UNIT_PRICE).isnull || line_value(row, LINE_TAX_RATE_ID).isnull))
			fill_from_product(row);
		fill(row, LINE_UNIT, batch_value(CStringGetTextDatum("C62")));
	}
	fill_tax(row);
	(void) line_money(row, &any_currency);
}

/*
 * fill_from_product fills in from the catalogue. Its prices include VAT or not as the company says,
 * and are turned into what the opportunity wants.
 */
static void
fill_from_product(LineRow *row)
{
	static const LineColumn filled[] = {
		LINE_NAME, LINE_DESCRIPTION, LINE_UNIT, LINE_TAX_RATE_ID, LINE_UNIT_COST, LINE_UNIT_PRICE,
	};
	static ScrmPlan plan = {
		.sql =
			"SELECT p.name, p.description, p.unit, p.tax_rate_id,"
			" CASE WHEN p.currency = o.currency THEN p.unit_cost END,"
			" CASE WHEN o.prices_include_tax = c.prices_include_tax OR t.percent = 0 THEN f.price"
			"  WHEN o.prices_include_tax THEN round(f.price * (1 + t.percent / 100), 6)"
			"  ELSE round(f.price / (1 + t.percent / 100), 6) END,"
			" p.active, o.currency"
			" FROM sales_crm.product p JOIN sales_crm.company c ON c.company_id = 1"
			" LEFT JOIN sales_crm.opportunity o ON o.opportunity_id = $2 AND"
			"  (sales_crm.sees_owner(o.owner_id) OR o.owner_id IS NULL AND sales_crm.sees_unowned())"
			" LEFT JOIN sales_crm.tax_rate t ON t.tax_rate_id = coalesce($4, p.tax_rate_id)"
			" CROSS JOIN LATERAL (SELECT sales_crm.find_price($1, $3, o.currency)) f (price)"
			" WHERE p.product_id = $1",
		.nargs = 4,
		.argtypes = {INT8OID, INT8OID, NUMERICOID, INT8OID},
		.by_key = true,
	};
	NullableDatum product_id = line_value(row, LINE_PRODUCT_ID);
	NullableDatum arguments[] = {
		product_id,
		line_value(row, LINE_OPPORTUNITY_ID),
		line_value(row, LINE_QUANTITY),
		line_value(row, LINE_TAX_RATE_ID),
	};
	MemoryContext caller = CurrentMemoryContext;
	Datum values[lengthof(arguments)];
	char nulls[lengthof(arguments)];
	HeapTuple found;
	TupleDesc tupdesc;
	bool isnull;

	for (size_t i = 0; i < lengthof(arguments); i++)
	{
		values[i] = arguments[i].value;
		nulls[i] = arguments[i].isnull ? 'n' : ' ';
	}
	plan_begin();
	if (plan_run(&plan, PLAN_READ_LATEST, values, nulls) == 0)
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("product does not exist"),
						errdetail("sales_crm.product has no key " INT64_FORMAT ".",
								  DatumGetInt64(product_id.value)),
						errhint("SELECT * FROM sales_crm.find_product('first letters') finds one."),
						error_column(LINE_PRODUCT_ID)));
	found = SPI_tuptable->vals[0];
	tupdesc = SPI_tuptable->tupdesc;
	if (!DatumGetBool(SPI_getbinval(found, tupdesc, 7, &isnull)))
		ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("product \"%s\" is not active", SPI_getvalue(found, tupdesc, 1)),
						errdetail("Inactive products stay on old lines, and are not added any "
								  "more."),
						errhint("Set active of the product, or write a line without product_id."),
						error_column(LINE_PRODUCT_ID)));
	for (size_t i = 0; i < lengthof(filled); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		NullableDatum value;

		value.value = SPI_getbinval(found, tupdesc, (int) i + 1, &value.isnull);
		MemoryContextSwitchTo(caller);
		if (!value.isnull)
			value.value = datumCopy(value.value, attribute->attbyval, attribute->attlen);
		fill(row, filled[i], value);
	}
	if (line_value(row, LINE_UNIT_PRICE).isnull)
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
						errmsg("product \"%s\" has no price in the currency of the opportunity",
							   SPI_getvalue(found, tupdesc, 1)),
						SPI_getvalue(found, tupdesc, 8) == NULL
							? errdetail("The opportunity is not there, or made by this statement.")
							: errdetail("The currency is %s.", SPI_getvalue(found, tupdesc, 8)),
						errhint("INSERT INTO sales_crm.product_price one, or give the line its "
								"unit_price."),
						error_column(LINE_UNIT_PRICE)));
	plan_end();
	MemoryContextSwitchTo(caller);
}

/* fill_tax sets what the line's tax rate says, today. */
static void
fill_tax(LineRow *row)
{
	const Configuration *configuration = configuration_get();
	NullableDatum key = line_value(row, LINE_TAX_RATE_ID);
	const TaxRate *rate =
		key.isnull ? configuration_default_tax_rate(configuration)
				   : configuration_find_tax_rate(configuration, DatumGetInt64(key.value));

	if (rate == NULL && key.isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("tax rate of a line must be given"),
				 errdetail("No row of sales_crm.tax_rate is the default."),
				 errhint("Name a tax_rate_id, or set is_default of a rate."),
				 error_column(LINE_TAX_RATE_ID)));
	if (rate == NULL)
		ereport(
			ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("tax rate does not exist"),
			 errdetail("sales_crm.tax_rate has no key " INT64_FORMAT ".", DatumGetInt64(key.value)),
			 errhint("SELECT tax_rate_id, name FROM sales_crm.tax_rate shows those there are."),
			 error_column(LINE_TAX_RATE_ID)));
	fill(row, LINE_TAX_RATE_ID, batch_value(Int64GetDatum(rate->tax_rate_id)));
	row->nulls[row->attnums[LINE_TAX_PERCENT] - 1] = true;
	fill(row, LINE_TAX_PERCENT, batch_value(rate->percent));
	row->nulls[row->attnums[LINE_TAX_CATEGORY] - 1] = true;
	fill(row, LINE_TAX_CATEGORY, batch_value(CStringGetTextDatum(rate->category)));
}

/* error_column names the column in an ereport(). */
static int
error_column(LineColumn column)
{
	err_generic_string(PG_DIAG_SCHEMA_NAME, "sales_crm");
	err_generic_string(PG_DIAG_TABLE_NAME, "product_line");
	return err_generic_string(PG_DIAG_COLUMN_NAME, line_columns[column].name);
}
