/*
 * row_lock.c
 *		Locks rows as the executor does, without a plan.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "held_row.h"
#include "row_lock.h"

static bool
lock_version(Relation table, LookupScan *scan, LockTupleMode mode, TupleTableSlot *slot);
static void copy_row(TupleTableSlot *slot, const RowMap *map, Row *row);
static bool lock_place(Relation table, ItemPointer place, LockTupleMode mode, TupleTableSlot *slot);

bool
row_lock(Lookup *lookup, Datum key, LockTupleMode mode, Row *row)
{
	AttrNumber column;
	Form_pg_attribute attribute;
	Relation table;
	TupleTableSlot *slot;
	LookupScan scan;
	bool found;
	bool isnull;

	lookup_begin(&scan, lookup, LOOKUP_STATEMENT, &key);
	found = lookup_next(&scan);
	lookup_end(&scan);
	if (!found)
		return false;
	table = row_map_open(lookup->map, RowShareLock);
	column = lookup->map->attnums[lookup->columns[0]];
	attribute = TupleDescAttr(RelationGetDescr(table), column - 1);
	slot = table_slot_create(table, NULL);
	found = lock_version(table, &scan, mode, slot) &&
			datum_image_eq(slot_getattr(slot, column, &isnull), key, attribute->attbyval,
						   attribute->attlen);
	if (found && attribute->atttypid == INT8OID)
		held_row_remember(table, column, DatumGetInt64(key), &slot->tts_tid);
	if (found && row != NULL)
		copy_row(slot, lookup->map, row);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return found;
}

/*
 * lock_version locks the row that was found, or what has become of it. Nobody else sees a version of this
 * transaction's own, and the one before it is locked by having been changed.
 */
static bool
lock_version(Relation table, LookupScan *scan, LockTupleMode mode, TupleTableSlot *slot)
{
	if (TransactionIdIsCurrentTransactionId(scan->xmin))
		return table_tuple_fetch_row_version(table, &scan->place, SnapshotSelf, slot);
	return lock_place(table, &scan->place, mode, slot);
}

static void
copy_row(TupleTableSlot *slot, const RowMap *map, Row *row)
{
	TupleDesc tupdesc = slot->tts_tupleDescriptor;

	row->tupdesc = tupdesc;
	row->attnums = map->attnums;
	row->values = palloc_array(Datum, tupdesc->natts);
	row->nulls = palloc_array(bool, tupdesc->natts);
	heap_deform_tuple(ExecCopySlotHeapTuple(slot), tupdesc, row->values, row->nulls);
}

/* lock_place locks the row at a place, or what has become of it. */
static bool
lock_version(Relation table, LookupScan *scan, LockTupleMode mode, TupleTableSlot *slot);
static void copy_row(TupleTableSlot *slot, const RowMap *map, Row *row);
static bool
lock_place(Relation table, ItemPointer place, LockTupleMode mode, TupleTableSlot *slot)
{
	bool fixed = IsolationUsesXactSnapshot();
	Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
	TM_FailureData failure;
	TM_Result result =
		table_tuple_lock(table, place, snapshot, slot, GetCurrentCommandId(false), mode,
						 LockWaitBlock, fixed ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);

	UnregisterSnapshot(snapshot);
	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_Deleted:
			if (!fixed)
				return false;
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("could not serialize access due to concurrent delete")));
		case TM_Updated:
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("could not serialize access due to concurrent update")));
		default:
			elog(ERROR, "unexpected result %d of a lock", result);
	}
	return false;
}
