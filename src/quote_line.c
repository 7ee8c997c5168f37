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

#include "compat.h"
#include "configuration.h"
#include "error.h"
#include "quote.h"
#include "quote_line.h"
#include "quote_lock.h"
#include "quote_rule.h"
#include "quote_total.h"
#include "row.h"
#include "trigger.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_quote_line_guard);
PG_FUNCTION_INFO_V1(scrm_quote_line_follow);

static const RowColumn line_columns[QUOTE_LINE_COLUMNS] = {
	[QUOTE_LINE_ID] = {"quote_line_id", INT8OID},
	[QUOTE_LINE_QUOTE_ID] = {"quote_id", INT8OID},
	[QUOTE_LINE_KIND] = {"kind", TEXTOID},
	[QUOTE_LINE_POSITION] = {"position", NUMERICOID},
	[QUOTE_LINE_PRODUCT_ID] = {"product_id", INT8OID},
	[QUOTE_LINE_PRODUCT_LINE_ID] = {"product_line_id", INT8OID},
	[QUOTE_LINE_NAME] = {"name", TEXTOID},
	[QUOTE_LINE_DESCRIPTION] = {"description", TEXTOID},
	[QUOTE_LINE_EXTRA_DESCRIPTION] = {"extra_description", TEXTOID},
	[QUOTE_LINE_QUANTITY] = {"quantity", NUMERICOID},
	[QUOTE_LINE_UNIT] = {"unit", TEXTOID},
	[QUOTE_LINE_UNIT_PRICE] = {"unit_price", NUMERICOID},
	[QUOTE_LINE_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID},
	[QUOTE_LINE_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID},
	[QUOTE_LINE_TAX_RATE_ID] = {"tax_rate_id", INT8OID},
	[QUOTE_LINE_TAX_PERCENT] = {"tax_percent", NUMERICOID},
	[QUOTE_LINE_TAX_CATEGORY] = {"tax_category", TEXTOID},
	[QUOTE_LINE_OPTIONAL] = {"optional", BOOLOID},
};

RowMap quote_line_table = ROW_MAP("quote_line", line_columns);

typedef struct Keys
{
	int count;
	int capacity;
	int64 *items;
} Keys;

static int place_of(const Row *line, QuoteLineColumn column);
static void fill(Row *line, QuoteLineColumn column, Datum value);
static void overwrite(Row *line, QuoteLineColumn column, Datum value);
static void fill_tax(Row *line);
static bool has_tax(const Row *line, const TaxRate *rate);
static bool is_same(const Row *line, const Row *given);
static bool is_changed(const Row *old_row, const Row *new_row);
static void add_key(Keys *keys, const Row *row);
static int compare_keys(const void *a, const void *b);
static int compare_places(const void *a, const void *b);
static void settle(int64 quote_id);

Datum
scrm_quote_line_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "quote_line_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	const AttrNumber *map;
	Row given;
	Row old_row;
	Row line;

	if (!inserting && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	map = row_map_get(&quote_line_table, trigger->tg_relation);
	given = row_in_slot(map, inserting ? trigger->tg_trigslot : trigger->tg_newslot);
	if (!inserting)
	{
		old_row = row_in_slot(map, trigger->tg_trigslot);
		if (!is_changed(&old_row, &given))
			return PointerGetDatum(trigger->tg_newtuple);
	}
	line = row_copy(&given);
	/* Keys go up, so that a new line is the last, without looking at the others */
	if (row_is_null(&line, QUOTE_LINE_POSITION) && !row_is_null(&line, QUOTE_LINE_ID))
		overwrite(
			&line, QUOTE_LINE_POSITION,
			NumericGetDatum(int64_to_numeric(DatumGetInt64(row_value(&line, QUOTE_LINE_ID)))));
	if (quote_line_is_item(&line))
	{
		if (inserting)
		{
			fill(&line, QUOTE_LINE_KIND, CStringGetTextDatum("item"));
			fill(&line, QUOTE_LINE_QUANTITY, NumericGetDatum(int64_to_numeric(1)));
			fill(&line, QUOTE_LINE_UNIT, CStringGetTextDatum("C62"));
		}
		fill_tax(&line);
	}
	if (is_same(&line, &given))
		return PointerGetDatum(inserting ? trigger->tg_trigtuple : trigger->tg_newtuple);
	return PointerGetDatum(heap_form_tuple(line.tupdesc, line.values, line.nulls));
}

Datum
scrm_quote_line_follow(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "quote_line_follow", TRIGGER_EVENT_AFTER, 0);
	const AttrNumber *map = row_map_get(&quote_line_table, trigger->tg_relation);
	Keys keys = {.count = 0, .capacity = 0, .items = NULL};
	TriggerRows rows;

	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		Row old_row = {0};
		Row new_row = {0};

		if (rows.old_row != NULL)
			old_row = row_in_slot(map, rows.old_row);
		if (rows.new_row != NULL)
			new_row = row_in_slot(map, rows.new_row);
		if (rows.old_row != NULL && rows.new_row != NULL && !is_changed(&old_row, &new_row))
			continue;
		if (rows.old_row != NULL)
			add_key(&keys, &old_row);
		if (rows.new_row != NULL)
			add_key(&keys, &new_row);
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

bool
quote_line_is_item(const Row *line)
{
	static const char item[] = "item";
	text *kind;

	if (row_is_null(line, QUOTE_LINE_KIND))
		return true;
	kind = DatumGetTextPP(row_value(line, QUOTE_LINE_KIND));
	return VARSIZE_ANY_EXHDR(kind) == sizeof(item) - 1 &&
		   memcmp(VARDATA_ANY(kind), item, sizeof(item) - 1) == 0;
}

static int
place_of(const Row *line, QuoteLineColumn column)
{
	return line->attnums[column] - 1;
}

/* fill sets a column that is NULL. */
static void
fill(Row *line, QuoteLineColumn column, Datum value)
{
	if (line->nulls[place_of(line, column)])
		overwrite(line, column, value);
}

static void
overwrite(Row *line, QuoteLineColumn column, Datum value)
{
	line->values[place_of(line, column)] = value;
	line->nulls[place_of(line, column)] = false;
}

/* fill_tax sets what the line's tax rate says, today. Errors: 23503 for a rate that is not there */
static void
fill_tax(Row *line)
{
	const Configuration *configuration = configuration_get();
	int place = place_of(line, QUOTE_LINE_TAX_RATE_ID);
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
	fill(line, QUOTE_LINE_TAX_RATE_ID, Int64GetDatum(rate->tax_rate_id));
	if (has_tax(line, rate))
		return;
	overwrite(line, QUOTE_LINE_TAX_PERCENT, rate->percent);
	overwrite(line, QUOTE_LINE_TAX_CATEGORY, CStringGetTextDatum(rate->category));
}

/* has_tax says whether a line says what a rate does, as one that was copied today. */
static bool
has_tax(const Row *line, const TaxRate *rate)
{
	return !row_is_null(line, QUOTE_LINE_TAX_PERCENT) &&
		   !row_is_null(line, QUOTE_LINE_TAX_CATEGORY) &&
		   datum_image_eq(row_value(line, QUOTE_LINE_TAX_PERCENT), rate->percent, false, -1) &&
		   strcmp(TextDatumGetCString(row_value(line, QUOTE_LINE_TAX_CATEGORY)), rate->category) ==
			   0;
}

/* is_same says whether nothing of what was given was changed. */
static bool
is_same(const Row *line, const Row *given)
{
	int natts = line->tupdesc->natts;

	return memcmp(line->values, given->values, sizeof(Datum) * natts) == 0 &&
		   memcmp(line->nulls, given->nulls, sizeof(bool) * natts) == 0;
}

/* is_changed says whether a column of ours differs between two versions of a row. */
static bool
is_changed(const Row *old_row, const Row *new_row)
{
	for (int i = 0; i < QUOTE_LINE_COLUMNS; i++)
	{
		int place = place_of(new_row, i);
		Form_pg_attribute attribute = TupleDescAttr(new_row->tupdesc, place);

		if (old_row->nulls[place] != new_row->nulls[place])
			return true;
		if (!old_row->nulls[place] &&
			!datum_image_eq(old_row->values[place], new_row->values[place], attribute->attbyval,
							attribute->attlen))
			return true;
	}
	return false;
}

/* add_key adds the quote of a row; the rows of one often follow each other. */
static void
add_key(Keys *keys, const Row *row)
{
	int64 key = DatumGetInt64(row->values[place_of(row, QUOTE_LINE_QUOTE_ID)]);

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

int
quote_line_rows(int64 quote_id, LookupTime time, Row **lines)
{
	static Lookup lookup = {
		.map = &quote_line_table,
		.ncolumns = 1,
		.columns = {QUOTE_LINE_QUOTE_ID},
	};
	Datum key[] = {Int64GetDatum(quote_id)};
	int count = lookup_rows(&lookup, time, key, lines);

	qsort(*lines, count, sizeof(Row), compare_places);
	return count;
}

static int
compare_places(const void *a, const void *b)
{
	const Row *one = a;
	const Row *other = b;
	int32 order = DatumGetInt32(DirectFunctionCall2(
		numeric_cmp, row_value(one, QUOTE_LINE_POSITION), row_value(other, QUOTE_LINE_POSITION)));
	int64 id = DatumGetInt64(row_value(one, QUOTE_LINE_ID));
	int64 other_id = DatumGetInt64(row_value(other, QUOTE_LINE_ID));

	return order != 0 ? order : (id > other_id) - (id < other_id);
}

/* settle locks a quote, which must be a draft, and sets its totals. */
static void
settle(int64 quote_id)
{
	static Update update = {
		.lookup = {.map = &quote_table, .ncolumns = 1, .columns = {QUOTE_COLUMN_ID}},
		.ncolumns = 1,
		.columns = {QUOTE_COLUMN_TOTALS},
	};
	NullableDatum totals;
	Row quote;

	quote_lock(quote_id, PLAN_WRITE);
	if (!quote_find(quote_id, LOOKUP_LATEST, &quote))
		return;
	if (quote_status(&quote) != QUOTE_DRAFT)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_QUOTE_NOT_EDITABLE), errmsg("quote is not editable"),
				 errdetail("Quote %s is %s; the statement changes its lines.",
						   TextDatumGetCString(row_value(&quote, QUOTE_COLUMN_NUMBER)),
						   quote_status_names[quote_status(&quote)]),
				 errhint("SELECT sales_crm.revise_quote(" INT64_FORMAT ") makes its next version.",
						 quote_id)));
	totals = quote_total_compute(&quote);
	(void) update_row(&update, Int64GetDatum(quote_id), &totals);
}
