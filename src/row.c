/*
 * row.c
 *		Finds columns of the tables of sales_crm by name.
 *
 * All maps share one relcache callback: a session has room for ten, of the server and of all modules
 * together.
 *
 * Memory: maps live as long as the session; the callback marks one when its table changes.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "compat.h"
#include "plan.h"
#include "row.h"

static RowMap *maps = NULL;
static uint64 changes = 0;

static void watch(RowMap *map);
static void relcache_callback(Datum arg, Oid relid);
static AttrNumber find_column(const char *table, const RowColumn *column, TupleDesc tupdesc);

/*
 * row_map_open opens the table by its oid as long as the map is right, which is cheaper than by name;
 * the lock may bring the news that it no longer is.
 */
Relation
row_map_open(RowMap *map, LOCKMODE lockmode)
{
	Relation relation = map->valid ? try_table_open(map->oid, lockmode) : NULL;

	if (relation != NULL && !map->valid)
	{
		table_close(relation, lockmode);
		relation = NULL;
	}
	if (relation == NULL)
		relation = table_open(plan_relation(map->table), lockmode);
	(void) row_map_get(map, relation);
	return relation;
}

const AttrNumber *
row_map_get(RowMap *map, Relation relation)
{
	if (!map->valid || RelationGetRelid(relation) != map->oid)
	{
		if (!map->watched)
			watch(map);
		if (RelationGetRelid(relation) != plan_relation(map->table))
			ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
							errmsg("trigger functions of sales_crm.%s do not serve table \"%s\"",
								   map->table, RelationGetRelationName(relation)),
							errhint("Drop the trigger on that table.")));
		map->valid = false;
		map->oid = RelationGetRelid(relation);
		row_map_fill(map, map->attnums, RelationGetDescr(relation));
		map->valid = true;
		map->version++;
	}
	return map->attnums;
}

void
row_map_fill(const RowMap *map, AttrNumber *attnums, TupleDesc tupdesc)
{
	for (int i = 0; i < map->ncolumns; i++)
		attnums[i] = find_column(map->table, &map->columns[i], tupdesc);
}

uint64
row_map_changes(void)
{
	return changes;
}

char *
row_text(const Row *row, int column)
{
	return row_is_null(row, column) ? NULL : TextDatumGetCString(row_value(row, column));
}

Row
row_copy(const Row *row)
{
	Row copy = *row;
	int natts = row->tupdesc->natts;

	copy.values = memcpy(palloc_array(Datum, natts), row->values, sizeof(Datum) * natts);
	copy.nulls = memcpy(palloc_array(bool, natts), row->nulls, sizeof(bool) * natts);
	return copy;
}

/* watch has the relcache callback mark the map from now on. */
static void
watch(RowMap *map)
{
	if (maps == NULL)
		CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	map->next = maps;
	map->watched = true;
	maps = map;
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	changes++;
	for (RowMap *map = maps; map != NULL; map = map->next)
	{
		if (relid == InvalidOid || relid == map->oid)
			map->valid = false;
	}
}

static AttrNumber
find_column(const char *table, const RowColumn *column, TupleDesc tupdesc)
{
	Form_pg_attribute found = NULL;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), column->name) == 0)
			found = attribute;
	}
	if (found == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("sales_crm.%s has no column \"%s\"", table, column->name),
						errdetail("The functions of sales_crm work with it."),
						errhint("Add or rename it back; columns of your own are welcome.")));
	if (found->atttypid != column->type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of sales_crm.%s has another type than sales_crm gave it",
						column->name, table),
				 errdetail("It has type %s instead of %s.", format_type_be(found->atttypid),
						   format_type_be(column->type)),
				 errhint("ALTER the column back to its type.")));
	return found->attnum;
}
