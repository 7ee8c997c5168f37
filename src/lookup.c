/*
 * lookup.c
 *		Finds rows of the tables of sales_crm by a key without a statement.
 *
 * The index is found by its columns, not by its name, and found again when the table changes. Rows that
 * the transaction has made or locked are looked for where it left them (held_row.c).
 *
 * Memory: the context that is current when a scan begins. What an error leaves open, the end of the
 * transaction closes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "compat.h"
#include "held_row.h"
#include "lookup.h"
#include "plan.h"

static void open_table(LookupScan *scan, Lookup *lookup, LookupTime time);
static void begin_scan(LookupScan *scan, Lookup *lookup, const Datum *keys);
static TupleTableSlot *fetch_held(const LookupScan *scan, const Lookup *lookup, Datum key);
static void close_held(LookupScan *scan, TupleTableSlot *held);
static void find_operators(Lookup *lookup, TupleDesc tupdesc);
static void close_table(LookupScan *scan);
static Snapshot snapshot_of(LookupTime time);
static HeapTuple next_tuple(LookupScan *scan);
static void close_scan(LookupScan *scan);
static void
fill_keys(const LookupScan *scan, const Lookup *lookup, const Datum *keys, int nkeys, ScanKey same);
static void new_arrays(Row *row);
static bool copy_row(LookupScan *scan, HeapTuple tuple, Row *row);
static Oid find_index(const Lookup *lookup, Relation relation);
static bool index_has(Relation index, Relation relation, const Lookup *lookup);
static bool index_is_whole(Relation index, const Lookup *lookup);

void
lookup_begin(LookupScan *scan, Lookup *lookup, LookupTime time, const Datum *keys)
{
	open_table(scan, lookup, time);
	begin_scan(scan, lookup, keys);
}

bool
lookup_next(LookupScan *scan)
{
	HeapTuple tuple = next_tuple(scan);

	if (!HeapTupleIsValid(tuple))
		return false;
	heap_deform_tuple(tuple, scan->row.tupdesc, scan->row.values, scan->row.nulls);
	scan->place = tuple->t_self;
	scan->xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	return true;
}

void
lookup_end(LookupScan *scan)
{
	close_scan(scan);
	pfree(scan->row.values);
	pfree(scan->row.nulls);
}

bool
lookup_row(Lookup *lookup, LookupTime time, const Datum *keys, Row *row)
{
	TupleTableSlot *held;
	LookupScan scan;
	bool found;

	open_table(&scan, lookup, time);
	held = fetch_held(&scan, lookup, keys[0]);
	if (held != NULL)
	{
		found = copy_row(&scan, ExecFetchSlotHeapTuple(held, false, NULL), row);
		close_held(&scan, held);
		return found;
	}
	begin_scan(&scan, lookup, keys);
	found = copy_row(&scan, systable_getnext(scan.scan), row);
	close_scan(&scan);
	return found;
}

bool
lookup_place(Lookup *lookup, LookupTime time, Datum key, ItemPointer place)
{
	TupleTableSlot *held;
	LookupScan scan;
	bool found;

	open_table(&scan, lookup, time);
	held = fetch_held(&scan, lookup, key);
	if (held != NULL)
	{
		*place = held->tts_tid;
		close_held(&scan, held);
		return true;
	}
	begin_scan(&scan, lookup, &key);
	found = lookup_next(&scan);
	*place = scan.place;
	lookup_end(&scan);
	return found;
}

int
lookup_rows(Lookup *lookup, LookupTime time, const Datum *keys, Row **rows)
{
	int capacity = 16;
	int count = 0;
	LookupScan scan;
	HeapTuple tuple;

	*rows = palloc_array(Row, capacity);
	lookup_begin(&scan, lookup, time, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan.scan)))
	{
		if (count == capacity)
		{
			capacity *= 2;
			*rows = repalloc_huge(*rows, sizeof(Row) * capacity);
		}
		(void) copy_row(&scan, tuple, &(*rows)[count++]);
		new_arrays(&scan.row);
	}
	lookup_end(&scan);
	return count;
}

void
lookup_begin_backward(LookupScan *scan, Lookup *lookup, LookupTime time, const Datum *keys)
{
	int nkeys = lookup->ncolumns - 1;
	ScanKeyData same[LOOKUP_MAX_KEYS];

	open_table(scan, lookup, time);
	if (!OidIsValid(lookup->index))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("sales_crm.%s has no index on \"%s\" and \"%s\"", lookup->map->table,
							   lookup->map->columns[lookup->columns[0]].name,
							   lookup->map->columns[lookup->columns[1]].name),
						errhint("Create the index or the unique constraint that is missing.")));
	fill_keys(scan, lookup, keys, nkeys, same);
	scan->ordered = index_open(lookup->index, AccessShareLock);
	scan->scan =
		systable_beginscan_ordered(scan->relation, scan->ordered, scan->snapshot, nkeys, same);
}

bool
lookup_last(Lookup *lookup, LookupTime time, const Datum *keys, Row *row)
{
	LookupScan scan;
	bool found;

	lookup_begin_backward(&scan, lookup, time, keys);
	found = copy_row(&scan, next_tuple(&scan), row);
	close_scan(&scan);
	return found;
}

/* begin_scan finds rows by the keys in all columns, in no order. */
static void
begin_scan(LookupScan *scan, Lookup *lookup, const Datum *keys)
{
	ScanKeyData same[LOOKUP_MAX_KEYS];

	fill_keys(scan, lookup, keys, lookup->ncolumns, same);
	scan->ordered = NULL;
	scan->scan = systable_beginscan(scan->relation, lookup->index, OidIsValid(lookup->index),
									scan->snapshot, lookup->ncolumns, same);
}

/*
 * fetch_held finds the row where the transaction left it, if it is the one that the snapshot has: of a key
 * that is unique it has one. NULL: it is to be looked for.
 */
static TupleTableSlot *
fetch_held(const LookupScan *scan, const Lookup *lookup, Datum key)
{
	AttrNumber attnum = scan->row.attnums[lookup->columns[0]];
	TupleTableSlot *slot;
	ItemPointerData place;
	bool isnull;

	if (lookup->ncolumns != 1 ||
		TupleDescAttr(scan->row.tupdesc, attnum - 1)->atttypid != INT8OID ||
		!held_row_place(scan->relation, attnum, DatumGetInt64(key), &place))
		return NULL;
	slot = table_slot_create(scan->relation, NULL);
	if (table_tuple_fetch_row_version(scan->relation, &place, scan->snapshot, slot) &&
		DatumGetInt64(slot_getattr(slot, attnum, &isnull)) == DatumGetInt64(key) && !isnull)
		return slot;
	ExecDropSingleTupleTableSlot(slot);
	return NULL;
}

static void
close_held(LookupScan *scan, TupleTableSlot *held)
{
	ExecDropSingleTupleTableSlot(held);
	close_table(scan);
}

/* open_table opens the table, finds the index anew if it changed, and takes a snapshot. */
static void
open_table(LookupScan *scan, Lookup *lookup, LookupTime time)
{
	scan->relation = row_map_open(lookup->map, AccessShareLock);
	if (lookup->version != lookup->map->version)
	{
		lookup->index = find_index(lookup, scan->relation);
		find_operators(lookup, RelationGetDescr(scan->relation));
		lookup->version = lookup->map->version;
	}
	scan->snapshot = RegisterSnapshot(snapshot_of(time));
	scan->row.tupdesc = RelationGetDescr(scan->relation);
	scan->row.attnums = lookup->map->attnums;
	new_arrays(&scan->row);
}

static void
new_arrays(Row *row)
{
	row->values = palloc_array(Datum, row->tupdesc->natts);
	row->nulls = palloc_array(bool, row->tupdesc->natts);
}

static Snapshot
snapshot_of(LookupTime time)
{
	switch (time)
	{
		case LOOKUP_CALLER:
			return GetActiveSnapshot();
		case LOOKUP_STATEMENT:
			return GetTransactionSnapshot();
		case LOOKUP_LATEST:
			break;
	}
	return GetLatestSnapshot();
}

/* next_tuple returns the next one in the direction of the scan, or NULL. */
static HeapTuple
next_tuple(LookupScan *scan)
{
	if (scan->ordered != NULL)
		return systable_getnext_ordered(scan->scan, BackwardScanDirection);
	return systable_getnext(scan->scan);
}

static void
close_scan(LookupScan *scan)
{
	if (scan->ordered != NULL)
	{
		systable_endscan_ordered(scan->scan);
		index_close(scan->ordered, NoLock);
	}
	else
		systable_endscan(scan->scan);
	close_table(scan);
}

static void
close_table(LookupScan *scan)
{
	UnregisterSnapshot(scan->snapshot);
	table_close(scan->relation, NoLock);
}

/* fill_keys makes the first columns of the lookup conditions of a scan. */
static void
fill_keys(const LookupScan *scan, const Lookup *lookup, const Datum *keys, int nkeys, ScanKey same)
{
	for (int i = 0; i < nkeys; i++)
	{
		AttrNumber attnum = scan->row.attnums[lookup->columns[i]];
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(scan->relation), attnum - 1);

		ScanKeyEntryInitialize(&same[i], 0, attnum, BTEqualStrategyNumber, InvalidOid,
							   column->attcollation, lookup->equal[i], keys[i]);
	}
}

static void
find_operators(Lookup *lookup, TupleDesc tupdesc)
{
	for (int i = 0; i < lookup->ncolumns; i++)
	{
		AttrNumber attnum = lookup->map->attnums[lookup->columns[i]];
		Oid type = TupleDescAttr(tupdesc, attnum - 1)->atttypid;

		lookup->equal[i] = get_opcode(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr);
	}
}

/* copy_row gives the arrays of the scan, with values of a copy of the tuple, to the caller. */
static bool
copy_row(LookupScan *scan, HeapTuple tuple, Row *row)
{
	if (!HeapTupleIsValid(tuple))
		return false;
	heap_deform_tuple(heap_copytuple(tuple), scan->row.tupdesc, scan->row.values, scan->row.nulls);
	*row = scan->row;
	return true;
}

/* find_index returns an index that begins with the columns of the key, InvalidOid without one. */
static Oid
find_index(const Lookup *lookup, Relation relation)
{
	List *indexes = RelationGetIndexList(relation);
	Oid found = InvalidOid;
	ListCell *cell;

	foreach (cell, indexes)
	{
		Relation index = index_open(lfirst_oid(cell), AccessShareLock);

		if (!OidIsValid(found) && index_has(index, relation, lookup))
			found = RelationGetRelid(index);
		index_close(index, NoLock);
	}
	list_free(indexes);
	return found;
}

static bool
index_has(Relation index, Relation relation, const Lookup *lookup)
{
	Form_pg_index form = index->rd_index;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisvalid ||
		form->indnkeyatts < lookup->ncolumns || !index_is_whole(index, lookup))
		return false;
	for (int i = 0; i < lookup->ncolumns; i++)
	{
		AttrNumber attnum = lookup->map->attnums[lookup->columns[i]];
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attnum - 1);

		if (form->indkey.values[i] != attnum || index->rd_indcollation[i] != column->attcollation ||
			index->rd_opfamily[i] !=
				lookup_type_cache(column->atttypid, TYPECACHE_BTREE_OPFAMILY)->btree_opf)
			return false;
	}
	return true;
}

/* index_is_whole says whether an index leaves out no rows, or those without key alone. */
static bool
index_is_whole(Relation index, const Lookup *lookup)
{
	List *predicate = RelationGetIndexPredicate(index);
	const NullTest *test;
	bool of_key = false;

	if (predicate == NIL)
		return true;
	test = linitial(predicate);
	if (list_length(predicate) > 1 || !IsA(test, NullTest) || test->nulltesttype != IS_NOT_NULL ||
		!IsA(test->arg, Var))
		return false;
	for (int i = 0; i < lookup->ncolumns; i++)
		of_key = of_key ||
				 lookup->map->attnums[lookup->columns[i]] == ((const Var *) test->arg)->varattno;
	return of_key;
}
