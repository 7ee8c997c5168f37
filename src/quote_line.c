/*
 * quote_line.c
 *		Lines of quotes: fills them in, refuses changes to those of a quote that was sent, and keeps
 *		the totals of drafts.
 *
 * The guard fills in a row before it is stored. After each statement the quotes that it touched are
 * locked in the order of their keys, so that who sends one waits, or is waited for; then their
 * totals are computed with the latest snapshot, so that lines which another session committed
 * before the lock count. Columns that users added are theirs: a change of nothing else touches no
 * quote.
 *
 * Lock order: rows of quote_line that the statement writes, then rows of quote.
 *
 * Memory: the context of the trigger call, and SPI's between plan_begin() and plan_end().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "error.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_quote_line_guard);
PG_FUNCTION_INFO_V1(scrm_quote_line_follow);

static const char *const column_names[] = {
	"quote_line_id",	 "quote_id",		"kind",		   "position",
	"product_id",		 "product_line_id", "name",		   "description",
	"extra_description", "quantity",		"unit",		   "unit_price",
	"discount_percent",	 "discount_amount", "tax_rate_id", "tax_percent",
	"tax_category",		 "optional",
};

#define COLUMNS lengthof(column_names)

/* The columns that the code reads and writes, as indexes into column_names */
enum
{
	COLUMN_ID = 0,
	COLUMN_QUOTE_ID = 1,
	COLUMN_KIND = 2,
	COLUMN_POSITION = 3,
	COLUMN_QUANTITY = 9,
	COLUMN_UNIT = 10,
	COLUMN_TAX_RATE_ID = 14,
	COLUMN_TAX_PERCENT = 15,
	COLUMN_TAX_CATEGORY = 16,
};

/* A row: values and nulls of all attributes, and where the columns above are among them */
typedef struct QuoteLine
{
	Datum *values;
	bool *nulls;
	const int *places;
} QuoteLine;

typedef struct Keys
{
	int count;
	int capacity;
	int64 *items;
} Keys;

static void find_columns(Relation relation, const char *function, int *places);
static bool is_item(const QuoteLine *line);
static void fill(QuoteLine *line, int column, Datum value);
static void fill_tax(QuoteLine *line);
static bool
is_changed(TupleDesc tupdesc, const int *places, TupleTableSlot *old_row, TupleTableSlot *new_row);
static void add_key(Keys *keys, const int *places, TupleTableSlot *row);
static int compare_keys(const void *a, const void *b);
static void settle(int64 quote_id);

Datum
scrm_quote_line_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_line_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	TupleTableSlot *given = inserting ? trigger->tg_trigslot : trigger->tg_newslot;
	int places[COLUMNS];
	QuoteLine line;

	if (!inserting && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	find_columns(trigger->tg_relation, "quote_line_guard", places);
	slot_getallattrs(given);
	if (!inserting && !is_changed(tupdesc, places, trigger->tg_trigslot, given))
		return PointerGetDatum(trigger->tg_newtuple);
	line.places = places;
	line.values = memcpy(palloc_array(Datum, tupdesc->natts), given->tts_values,
						 sizeof(Datum) * tupdesc->natts);
	line.nulls = memcpy(palloc_array(bool, tupdesc->natts), given->tts_isnull,
						sizeof(bool) * tupdesc->natts);
	/* Keys go up, so that a new line is the last, without looking at the others */
	if (!line.nulls[places[COLUMN_ID]])
		fill(&line, COLUMN_POSITION,
			 NumericGetDatum(int64_to_numeric(DatumGetInt64(line.values[places[COLUMN_ID]]))));
	if (is_item(&line))
	{
		if (inserting)
		{
			fill(&line, COLUMN_KIND, CStringGetTextDatum("item"));
			fill(&line, COLUMN_QUANTITY, NumericGetDatum(int64_to_numeric(1)));
			fill(&line, COLUMN_UNIT, CStringGetTextDatum("C62"));
		}
		fill_tax(&line);
	}
	return PointerGetDatum(heap_form_tuple(tupdesc, line.values, line.nulls));
}

Datum
scrm_quote_line_follow(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "quote_line_follow", TRIGGER_EVENT_AFTER, 0);
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);
	Keys keys = {.count = 0, .capacity = 0, .items = NULL};
	int places[COLUMNS];
	TriggerRows rows;

	find_columns(trigger->tg_relation, "quote_line_follow", places);
	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		if (rows.old_row != NULL && rows.new_row != NULL &&
			!is_changed(tupdesc, places, rows.old_row, rows.new_row))
			continue;
		if (rows.old_row != NULL)
			add_key(&keys, places, rows.old_row);
		if (rows.new_row != NULL)
			add_key(&keys, places, rows.new_row);
	}
	trigger_close_rows(&rows);
	if (keys.count > 1)
		qsort(keys.items, keys.count, sizeof(int64), compare_keys);
	for (int i = 0; i < keys.count; i++)
	{
		if (i == 0 || keys.items[i] != keys.items[i - 1])
			settle(keys.items[i]);
	}
	return PointerGetDatum(NULL);
}

/* find_columns finds the columns by name. Errors: 39P01 for another table, 42703 */
static void
find_columns(Relation relation, const char *function, int *places)
{
	if (RelationGetRelid(relation) != plan_relation("quote_line"))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function sales_crm.%s() does not serve table \"%s\"", function,
							   RelationGetRelationName(relation)),
						errhint("Drop the trigger on that table.")));
	for (size_t i = 0; i < COLUMNS; i++)
	{
		int place = SPI_fnumber(RelationGetDescr(relation), column_names[i]);

		if (place <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("sales_crm.quote_line has no column \"%s\"", column_names[i]),
							errdetail("The functions of sales_crm work with it."),
							errhint("Add or rename it back; columns of your own are welcome.")));
		places[i] = place - 1;
	}
}

static bool
is_item(const QuoteLine *line)
{
	int place = line->places[COLUMN_KIND];

	return line->nulls[place] || strcmp(TextDatumGetCString(line->values[place]), "item") == 0;
}

/* fill sets a column that is NULL. */
static void
fill(QuoteLine *line, int column, Datum value)
{
	int place = line->places[column];

	if (!line->nulls[place])
		return;
	line->values[place] = value;
	line->nulls[place] = false;
}

/* fill_tax sets what the line's tax rate says, today. Errors: 23503 for a rate that is not there */
static void
fill_tax(QuoteLine *line)
{
	const Configuration *configuration = configuration_get();
	int place = line->places[COLUMN_TAX_RATE_ID];
	bool none = line->nulls[place];
	const TaxRate *rate =
		none ? configuration_default_tax_rate(configuration)
			 : configuration_find_tax_rate(configuration, DatumGetInt64(line->values[place]));

	if (rate == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("tax rate does not exist"),
				 none ? errdetail("No row of sales_crm.tax_rate is the default.")
					  : errdetail("sales_crm.tax_rate has no key " INT64_FORMAT ".",
								  DatumGetInt64(line->values[place])),
				 errhint("SELECT tax_rate_id, name FROM sales_crm.tax_rate shows those there "
						 "are.")));
	fill(line, COLUMN_TAX_RATE_ID, Int64GetDatum(rate->tax_rate_id));
	line->nulls[line->places[COLUMN_TAX_PERCENT]] = true;
	fill(line, COLUMN_TAX_PERCENT, rate->percent);
	line->nulls[line->places[COLUMN_TAX_CATEGORY]] = true;
	fill(line, COLUMN_TAX_CATEGORY, CStringGetTextDatum(rate->category));
}

/* is_changed says whether a column of ours differs between two versions of a row. */
static bool
is_changed(TupleDesc tupdesc, const int *places, TupleTableSlot *old_row, TupleTableSlot *new_row)
{
	slot_getallattrs(old_row);
	slot_getallattrs(new_row);
	for (size_t i = 0; i < COLUMNS; i++)
	{
		int place = places[i];
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, place);

		if (old_row->tts_isnull[place] != new_row->tts_isnull[place])
			return true;
		if (!old_row->tts_isnull[place] &&
			!datum_image_eq(old_row->tts_values[place], new_row->tts_values[place],
							attribute->attbyval, attribute->attlen))
			return true;
	}
	return false;
}

/* add_key adds the quote of a row; the rows of one often follow each other. */
static void
add_key(Keys *keys, const int *places, TupleTableSlot *row)
{
	int64 key;

	slot_getallattrs(row);
	key = DatumGetInt64(row->tts_values[places[COLUMN_QUOTE_ID]]);
	if (keys->count > 0 && keys->items[keys->count - 1] == key)
		return;
	if (keys->count == keys->capacity)
	{
		keys->capacity = Max(8, keys->capacity * 2);
		keys->items = keys->items == NULL
						  ? palloc_array(int64, keys->capacity)
						  : repalloc_huge(keys->items, sizeof(int64) * keys->capacity);
	}
	keys->items[keys->count++] = key;
}

static int
compare_keys(const void *a, const void *b)
{
	int64 key = *(const int64 *) a;
	int64 other = *(const int64 *) b;

	return (key > other) - (key < other);
}

/* settle locks a quote, which must be a draft, and sets its totals. */
static void
settle(int64 quote_id)
{
	static ScrmPlan lock = {
		.sql = "SELECT q.number, q.status FROM sales_crm.quote q WHERE q.quote_id = $1"
			   " FOR NO KEY UPDATE",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	static ScrmPlan totals = {
		.sql = "UPDATE sales_crm.quote q SET totals = sales_crm.quote_totals($1)"
			   " WHERE q.quote_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
		.by_key = true,
	};
	Datum values[1] = {Int64GetDatum(quote_id)};

	plan_begin();
	if (plan_run(&lock, PLAN_WRITE, values, NULL) > 0)
	{
		const char *status = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

		if (strcmp(status, "draft") != 0)
			ereport(
				ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("quote is not editable"),
				 errdetail("Quote %s is %s; the statement changes its lines.",
						   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1), status),
				 errhint("SELECT sales_crm.revise_quote(" INT64_FORMAT ") makes its next version.",
						 quote_id)));
		(void) plan_run(&totals, PLAN_WRITE_LATEST, values, NULL);
	}
	plan_end();
}
