/*
 * line_copy.c
 *		Copies product lines to a quote.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "batch.h"
#include "compat.h"
#include "insert.h"
#include "line_copy.h"
#include "lookup.h"
#include "row.h"

/* The first columns of both tables: of which a line is, and the product line, then what is copied */
enum
{
	COPY_OF,
	COPY_PRODUCT_LINE_ID,
	COPY_POSITION,
};

#define COPIED                                                                                  \
	{"product_line_id", INT8OID}, {"position", NUMERICOID}, {"kind", TEXTOID},                  \
		{"product_id", INT8OID}, {"name", TEXTOID}, {"description", TEXTOID},                   \
		{"extra_description", TEXTOID}, {"quantity", NUMERICOID}, {"unit", TEXTOID},            \
		{"unit_price", NUMERICOID}, {"discount_percent", NUMERICOID},                           \
		{"discount_amount", NUMERICOID}, {"tax_rate_id", INT8OID}, {"tax_percent", NUMERICOID}, \
		{"tax_category", TEXTOID},                                                              \
	{                                                                                           \
		"optional", BOOLOID                                                                     \
	}

static const RowColumn product_columns[] = {{"opportunity_id", INT8OID}, COPIED};
static const RowColumn quote_columns[] = {{"quote_id", INT8OID}, COPIED};
static RowMap product_map = ROW_MAP("product_line", product_columns);
static RowMap quote_map = ROW_MAP("quote_line", quote_columns);

static int compare_places(const void *a, const void *b);

void
line_copy(Datum opportunity_id, Datum quote_id)
{
	static Lookup lookup = {.map = &product_map, .ncolumns = 1, .columns = {COPY_OF}};
	static Insert insert = {.map = &quote_map};
	NullableDatum *given;
	NullableDatum *next;
	Row *lines;
	int count = lookup_rows(&lookup, LOOKUP_STATEMENT, &opportunity_id, &lines);

	if (count == 0)
		return;
	qsort(lines, count, sizeof(Row), compare_places);
	given = palloc_array(NullableDatum, (Size) count * lengthof(quote_columns));
	next = given;
	for (int i = 0; i < count; i++)
	{
		*next++ = batch_value(quote_id);
		for (size_t column = COPY_OF + 1; column < lengthof(quote_columns); column++)
			*next++ = row_nullable(&lines[i], (int) column);
	}
	insert_rows(&insert, given, count);
}

/* compare_places orders as ORDER BY position, product_line_id does. */
static int
compare_places(const void *a, const void *b)
{
	const Row *one = a;
	const Row *other = b;
	int32 order = DatumGetInt32(DirectFunctionCall2(numeric_cmp, row_value(one, COPY_POSITION),
													row_value(other, COPY_POSITION)));
	int64 id = DatumGetInt64(row_value(one, COPY_PRODUCT_LINE_ID));
	int64 other_id = DatumGetInt64(row_value(other, COPY_PRODUCT_LINE_ID));

	return order != 0 ? order : (id > other_id) - (id < other_id);
}
