/*
 * row_scan.c
 *		Finds rows of a table of sales_crm by a key.
 *
 * An index is used if the table has one that begins with the column; whoever drops it gets what the
 * planner would do then, a walk through the table.
 *
 * Memory: the context that is current at row_scan_open(). What an error leaves open, the end of the
 * transaction closes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opfamily.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "plan.h"
#include "row_scan.h"

static Oid find_index(Relation relation, AttrNumber column);
static bool is_index_of(Oid index, AttrNumber column);

void
row_scan_open(RowScan *scan, RowMap *map, int column, int64 key)
{
	Relation relation =
		table_open(map->valid ? map->oid : plan_relation(map->table), AccessShareLock);
	const AttrNumber *attnums = row_map_get(map, relation);
	TupleDesc tupdesc = RelationGetDescr(relation);
	Oid index = find_index(relation, attnums[column]);
	ScanKeyData wanted;

	scan->relation = relation;
	scan->snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyInit(&wanted, attnums[column], BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(key));
	scan->scan = systable_beginscan(relation, index, OidIsValid(index), scan->snapshot, 1, &wanted);
	scan->row = (Row){
		.tupdesc = tupdesc,
		.attnums = attnums,
		.values = palloc_array(Datum, tupdesc->natts),
		.nulls = palloc_array(bool, tupdesc->natts),
	};
}

bool
row_scan_next(RowScan *scan)
{
	HeapTuple tuple = systable_getnext(scan->scan);

	if (tuple == NULL)
		return false;
	heap_deform_tuple(tuple, scan->row.tupdesc, scan->row.values, scan->row.nulls);
	return true;
}

void
row_scan_close(RowScan *scan)
{
	systable_endscan(scan->scan);
	UnregisterSnapshot(scan->snapshot);
	table_close(scan->relation, NoLock);
	pfree(scan->row.values);
	pfree(scan->row.nulls);
}

/* find_index returns an index that begins with the column, or InvalidOid. */
static Oid
find_index(Relation relation, AttrNumber column)
{
	List *indexes = RelationGetIndexList(relation);
	Oid found = InvalidOid;
	ListCell *cell;

	foreach (cell, indexes)
	{
		if (is_index_of(lfirst_oid(cell), column))
		{
			found = lfirst_oid(cell);
			break;
		}
	}
	list_free(indexes);
	return found;
}

/* is_index_of takes what the planner would: a whole, valid one that snapshots of now may use. */
static bool
is_index_of(Oid index, AttrNumber column)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool suits;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	form = (Form_pg_index) GETSTRUCT(tuple);
	suits = form->indisvalid && form->indkey.values[0] == column &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
			(!form->indcheckxmin ||
			 TransactionIdPrecedes(HeapTupleHeaderGetXmin(tuple->t_data), TransactionXmin));
	ReleaseSysCache(tuple);
	return suits && get_opclass_family(get_index_column_opclass(index, 1)) == INTEGER_BTREE_FAM_OID;
}
