/*
 * row.h
 *		Rows of a table of sales_crm, their columns found by name.
 *
 * Users may add columns, and a restore may order them otherwise: no code knows a position. A module
 * lists the columns that it works with; its map of the table has their places.
 */
#ifndef SCRM_ROW_H
#define SCRM_ROW_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

typedef struct RowColumn
{
	const char *name;
	Oid type;
} RowColumn;

/* A module has a static one for its table, with an array for the places, in the order of columns */
typedef struct RowMap
{
	const char *table;
	const RowColumn *columns;
	int ncolumns;
	AttrNumber *attnums;
	Oid oid;		/* of the table; filled in by row_map_get() */
	bool valid;		/* attnums are right, until the table changes; the same */
	uint32 version; /* how often they were filled in; the same */
	bool watched;	/* the relcache callback knows it; the same */
	struct RowMap *next;
} RowMap;

/* The value of a map outside of functions */
#define ROW_MAP(table_name, its_columns)                                                    \
	{                                                                                       \
		.table = (table_name), .columns = (its_columns), .ncolumns = lengthof(its_columns), \
		.attnums = (AttrNumber[lengthof(its_columns)])                                      \
		{                                                                                   \
			0                                                                               \
		}                                                                                   \
	}

/* A row: values and nulls of all attributes, in the order of tupdesc */
typedef struct Row
{
	TupleDesc tupdesc;
	const AttrNumber *attnums; /* of the columns that the module knows */
	Datum *values;
	bool *nulls;
} Row;

/* Opens the table, whose places are known then. Errors: 55000, 42703, 42804 */
extern Relation row_map_open(RowMap *map, LOCKMODE lockmode);

/* The places in the table itself. Errors: 39P01 for another table, 42703, 42804 */
extern const AttrNumber *row_map_get(RowMap *map, Relation relation);

/*
 * The places in any row type with the columns. Errors: 42703 or 42804 when one is missing or has
 * another type than setup() gave it
 */
extern void row_map_fill(const RowMap *map, AttrNumber *attnums, TupleDesc tupdesc);

/* How often any table has changed its shape since the session's first map was filled in */
extern uint64 row_map_changes(void);

/* The row in a slot, as long as the slot holds it */
static inline Row
row_in_slot(const AttrNumber *attnums, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	return (Row){
		.tupdesc = slot->tts_tupleDescriptor,
		.attnums = attnums,
		.values = slot->tts_values,
		.nulls = slot->tts_isnull,
	};
}

/* Its values, by the number of the column in the module's list */
static inline bool
row_is_null(const Row *row, int column)
{
	return row->nulls[row->attnums[column] - 1];
}

static inline Datum
row_value(const Row *row, int column)
{
	return row->values[row->attnums[column] - 1];
}

static inline NullableDatum
row_nullable(const Row *row, int column)
{
	return (NullableDatum){.value = row_value(row, column), .isnull = row_is_null(row, column)};
}

/* A column of type text, NULL for NULL */
extern char *row_text(const Row *row, int column);

/* The same row in arrays of its own, to be written to; values are those of the first */
extern Row row_copy(const Row *row);

#endif /* SCRM_ROW_H */
