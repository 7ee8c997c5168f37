/*
 * reference.c
 *		Checks a foreign key of the tables of sales_crm once per key and statement, and by the index
 *		alone.
 *
 * After a statement the server looks up what its new rows refer to, one query for each. Each
 * starting statement (statement.c) gets a function in front of the server's that does what the query
 * does: it finds the row that is referred to by its unique index and locks it FOR KEY
 * SHARE. Whatever is not as plain as that, from a row that another transaction has just changed to
 * one that is not there, is left to the server, with its waiting, its rules of isolation and its
 * errors.
 *
 * The rows of one statement often refer to the same few rows. The lock holds until the end of the
 * transaction, so that the same key needs no other look: nobody else can take the row away, and
 * whoever does it in this transaction meets the new rows themselves, which are all there before the
 * first look. Later statements know where the row is (held_row.c). Constraints that are deferred are
 * not checked with the statement, and left alone by this.
 *
 * Rows that are written without a statement (insert.c, insert_rows.c) queue no events for their keys,
 * each of which would have the row read again.
 *
 * Memory: the statement's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/table.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "held_row.h"
#include "reference.h"

/* Keys remembered per constraint, the oldest makes room */
#define MAX_KEYS 8

typedef struct Reference
{
	PGFunction check; /* the server's */
	ForeignKeyCacheInfo key;
	int16 length; /* of the first column's type */
	bool by_value;
	bool taken; /* off what is queued for new rows */
	int known;	/* how many were looked up so far */
	Datum keys[MAX_KEYS];
} Reference;

static const ForeignKeyCacheInfo *find_key(Relation relation, Oid constraint);
static Datum check_reference(PG_FUNCTION_ARGS);
static bool may_be_taken(const Trigger *trigger, const FmgrInfo *function);
static bool find_referred(const FmgrInfo *function, TupleTableSlot *row);
static bool read_key(const Reference *reference, TupleTableSlot *row, Datum *key);
static void call_check(const ResultRelInfo *result, TupleTableSlot *row, int trigger);
static bool
refers_to_itself(const Reference *reference, Relation relation, TupleTableSlot *row, Datum key);
static bool is_known(const Reference *reference, Datum key);
static void remember(Reference *reference, Datum key, MemoryContext context);
static bool lock_referred(const Reference *reference, TupleDesc tupdesc, const Datum *key);
static bool is_bigint(TupleDesc tupdesc, AttrNumber column);
static bool fill_scan_keys(ScanKey same, const ForeignKeyCacheInfo *reference, TupleDesc tupdesc,
						   Relation index, const Datum *key);
static bool
lock_by_index(Relation table, Relation index, ScanKey same, int nkeys, ItemPointer place);
static bool lock_row(Relation table, Snapshot snapshot, TupleTableSlot *row);
static Oid index_of(Oid constraint);

void
reference_fill(ResultRelInfo *result, MemoryContext context)
{
	TupleDesc tupdesc = RelationGetDescr(result->ri_RelationDesc);
	const TriggerDesc *triggers = result->ri_TrigDesc;

	if (triggers == NULL || !(triggers->trig_insert_after_row || triggers->trig_update_after_row))
		return;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		FmgrInfo *function = &result->ri_TrigFunctions[i];
		const ForeignKeyCacheInfo *key;
		Reference *reference;
		Form_pg_attribute column;

		if ((trigger->tgfoid != F_RI_FKEY_CHECK_INS && trigger->tgfoid != F_RI_FKEY_CHECK_UPD) ||
			OidIsValid(function->fn_oid))
			continue;
		key = find_key(result->ri_RelationDesc, trigger->tgconstraint);
		if (key == NULL)
			continue;
		fmgr_info_cxt(trigger->tgfoid, function, context);
		reference = MemoryContextAllocZero(context, sizeof(Reference));
		column = TupleDescAttr(tupdesc, key->conkey[0] - 1);
		reference->check = function->fn_addr;
		reference->key = *key;
		reference->length = column->attlen;
		reference->by_value = column->attbyval;
		function->fn_extra = reference;
		function->fn_addr = check_reference;
	}
}

static const ForeignKeyCacheInfo *
find_key(Relation relation, Oid constraint)
{
	ListCell *cell;

	foreach (cell, RelationGetFKeyList(relation))
	{
		const ForeignKeyCacheInfo *key = lfirst(cell);

		if (key->conoid == constraint)
			return key;
	}
	return NULL;
}

void
reference_take(ResultRelInfo *result)
{
	TriggerDesc *triggers = result->ri_TrigDesc;
	bool are_others = false;

	if (triggers == NULL || SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger *trigger = &triggers->triggers[i];
		const FmgrInfo *function = &result->ri_TrigFunctions[i];

		if (!TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER,
								  TRIGGER_TYPE_INSERT))
			continue;
		if (may_be_taken(trigger, function))
		{
			((Reference *) function->fn_extra)->taken = true;
			trigger->tgtype &= ~TRIGGER_TYPE_INSERT; /* of the executor's copy */
		}
		else
			are_others = true;
	}
	triggers->trig_insert_after_row = are_others;
}

void
reference_check(const ResultRelInfo *result, TupleTableSlot **rows, int count)
{
	int ntriggers = result->ri_TrigDesc == NULL ? 0 : result->ri_TrigDesc->numtriggers;

	for (int row = 0; row < count; row++)
	{
		for (int i = 0; i < ntriggers; i++)
		{
			const FmgrInfo *function = &result->ri_TrigFunctions[i];

			if (function->fn_addr == check_reference &&
				((const Reference *) function->fn_extra)->taken &&
				!find_referred(function, rows[row]))
				call_check(result, rows[row], i);
		}
	}
}

/* may_be_taken says whether a trigger would check a key right after the statement, here. */
static bool
may_be_taken(const Trigger *trigger, const FmgrInfo *function)
{
	return trigger->tgfoid == F_RI_FKEY_CHECK_INS && function->fn_addr == check_reference &&
		   !trigger->tgdeferrable &&
		   (trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
			trigger->tgenabled == TRIGGER_FIRES_ALWAYS);
}

/*
 * find_referred says whether a row refers to nothing, or to something that is plainly there and locked
 * from now on.
 */
static bool
find_referred(const FmgrInfo *function, TupleTableSlot *row)
{
	Reference *reference = function->fn_extra;
	Datum key[INDEX_MAX_KEYS];

	if (!read_key(reference, row, key))
		return reference->key.nkeys == 1;
	if (is_known(reference, key[0]))
		return true;
	if (!lock_referred(reference, row->tts_tupleDescriptor, key))
		return false;
	if (reference->key.nkeys == 1)
		remember(reference, key[0], function->fn_mcxt);
	return true;
}

/* read_key returns whether all columns of a key have a value. */
static bool
read_key(const Reference *reference, TupleTableSlot *row, Datum *key)
{
	bool isnull = false;

	for (int i = 0; i < reference->key.nkeys && !isnull; i++)
		key[i] = slot_getattr(row, reference->key.conkey[i], &isnull);
	return !isnull;
}

/* call_check calls a trigger as it would be called after the statement, unless the row is gone again. */
static void
call_check(const ResultRelInfo *result, TupleTableSlot *row, int trigger)
{
	LOCAL_FCINFO(fcinfo, 0);
	/* With its buffer, which is asked for its visibility */
	TupleTableSlot *there = table_slot_create(result->ri_RelationDesc, NULL);

	if (table_tuple_fetch_row_version(result->ri_RelationDesc, &row->tts_tid, SnapshotSelf, there))
	{
		TriggerData data = {
			.type = T_TriggerData,
			.tg_event = TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER,
			.tg_relation = result->ri_RelationDesc,
			.tg_trigger = &result->ri_TrigDesc->triggers[trigger],
			.tg_trigslot = there,
			.tg_trigtuple = ExecFetchSlotHeapTuple(there, false, NULL),
		};

		InitFunctionCallInfoData(*fcinfo, &result->ri_TrigFunctions[trigger], 0, InvalidOid,
								 (Node *) &data, NULL);
		(void) FunctionCallInvoke(fcinfo);
	}
	ExecDropSingleTupleTableSlot(there);
}

/*
 * check_reference is called in place of RI_FKey_check_ins() and RI_FKey_check_upd(), which look
 * nothing up for a row that is gone again; a key that was looked up is remembered.
 */
static Datum
check_reference(PG_FUNCTION_ARGS)
{
	Reference *reference = fcinfo->flinfo->fn_extra;
	const TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleTableSlot *row =
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newslot : trigger->tg_trigslot;
	Datum key[INDEX_MAX_KEYS];

	if (!read_key(reference, row, key))
		return reference->key.nkeys > 1 ? reference->check(fcinfo) : PointerGetDatum(NULL);
	if (is_known(reference, key[0]))
		return PointerGetDatum(NULL);
	if (!table_tuple_satisfies_snapshot(trigger->tg_relation, row, SnapshotSelf) ||
		refers_to_itself(reference, trigger->tg_relation, row, key[0]))
		return PointerGetDatum(NULL);
	if (!find_referred(fcinfo->flinfo, row))
		(void) reference->check(fcinfo);
	return PointerGetDatum(NULL);
}

/*
 * refers_to_itself says whether a row of one key is what it refers to: it is there, and nobody else can
 * take it away before this transaction ends.
 */
static bool
refers_to_itself(const Reference *reference, Relation relation, TupleTableSlot *row, Datum key)
{
	const ForeignKeyCacheInfo *foreign = &reference->key;
	TupleDesc tupdesc = row->tts_tupleDescriptor;
	Datum own;
	bool isnull;

	if (foreign->confrelid != RelationGetRelid(relation) || foreign->nkeys > 1 ||
		TupleDescAttr(tupdesc, foreign->conkey[0] - 1)->atttypid !=
			TupleDescAttr(tupdesc, foreign->confkey[0] - 1)->atttypid)
		return false;
	own = slot_getattr(row, foreign->confkey[0], &isnull);
	return !isnull && datum_image_eq(own, key, reference->by_value, reference->length);
}

/* lock_referred locks the row that is referred to if it is plainly there, and returns whether it is. */
static bool
lock_referred(const Reference *reference, TupleDesc tupdesc, const Datum *key)
{
	const ForeignKeyCacheInfo *foreign = &reference->key;
	Relation table = table_open(foreign->confrelid, RowShareLock);
	bool may_be_known = foreign->nkeys == 1 && is_bigint(tupdesc, foreign->conkey[0]) &&
						is_bigint(RelationGetDescr(table), foreign->confkey[0]);
	bool locked = may_be_known && held_row_known(table, foreign->confkey[0], DatumGetInt64(key[0]));

	if (!locked && table->rd_rel->relkind == RELKIND_RELATION)
	{
		Relation index = index_open(index_of(foreign->conoid), AccessShareLock);
		ScanKeyData same[INDEX_MAX_KEYS];
		ItemPointerData place;

		locked = fill_scan_keys(same, foreign, tupdesc, index, key) &&
				 lock_by_index(table, index, same, foreign->nkeys, &place);
		index_close(index, NoLock);
		if (locked && may_be_known)
			held_row_remember(table, foreign->confkey[0], DatumGetInt64(key[0]), &place);
	}
	table_close(table, NoLock);
	return locked;
}

static bool
is_bigint(TupleDesc tupdesc, AttrNumber column)
{
	return TupleDescAttr(tupdesc, column - 1)->atttypid == INT8OID;
}

/*
 * fill_scan_keys makes keys of the index, whose columns may have another order than the foreign
 * key's, and returns whether it can.
 */
static bool
fill_scan_keys(ScanKey same, const ForeignKeyCacheInfo *reference, TupleDesc tupdesc,
			   Relation index, const Datum *key)
{
	int nkeys = reference->nkeys;

	if (index->rd_rel->relam != BTREE_AM_OID || !index->rd_index->indisvalid ||
		index->rd_index->indnkeyatts != nkeys)
		return false;
	for (int i = 0; i < nkeys; i++)
	{
		int at = 0;

		while (at < nkeys && reference->confkey[at] != index->rd_index->indkey.values[i])
			at++;
		if (at == nkeys ||
			index->rd_opcintype[i] != TupleDescAttr(tupdesc, reference->conkey[at] - 1)->atttypid)
			return false;
		ScanKeyEntryInitialize(&same[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[i], get_opcode(reference->conpfeqop[at]),
							   key[at]);
	}
	return true;
}

static bool
lock_by_index(Relation table, Relation index, ScanKey same, int nkeys, ItemPointer place)
{
	Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
	TupleTableSlot *row = table_slot_create(table, NULL);
	IndexScanDesc scan = INDEX_BEGINSCAN(table, index, snapshot, nkeys);
	bool locked;

	index_rescan(scan, same, nkeys, NULL, 0);
	locked = index_getnext_slot(scan, ForwardScanDirection, row) && lock_row(table, snapshot, row);
	*place = row->tts_tid;
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(row);
	UnregisterSnapshot(snapshot);
	return locked;
}

/*
 * lock_row locks a row, unless it is this transaction's own: nobody else sees it, and what it was
 * before is locked by its being changed.
 */
static bool
lock_row(Relation table, Snapshot snapshot, TupleTableSlot *row)
{
	TM_FailureData failure;

	if (TTS_IS_BUFFERTUPLE(row))
	{
		bool isnull;
		Datum xmin = slot_getsysattr(row, MinTransactionIdAttributeNumber, &isnull);

		if (TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin)))
			return true;
	}
	return table_tuple_lock(table, &row->tts_tid, snapshot, row, GetCurrentCommandId(false),
							LockTupleKeyShare, LockWaitBlock,
							TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS, &failure) == TM_Ok;
}

/* index_of returns the unique index that a foreign key relies on. */
static Oid
index_of(Oid constraint)
{
	HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Oid index;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	index = ((Form_pg_constraint) GETSTRUCT(tuple))->conindid;
	ReleaseSysCache(tuple);
	return index;
}

static bool
is_known(const Reference *reference, Datum key)
{
	for (int i = 0; i < Min(reference->known, MAX_KEYS); i++)
	{
		if (datum_image_eq(reference->keys[i], key, reference->by_value, reference->length))
			return true;
	}
	return false;
}

static void
remember(Reference *reference, Datum key, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Datum *place = &reference->keys[reference->known % MAX_KEYS];

	if (reference->known >= MAX_KEYS && !reference->by_value)
		pfree(DatumGetPointer(*place));
	*place = datumCopy(key, reference->by_value, reference->length);
	reference->known++;
	MemoryContextSwitchTo(caller);
}
