/*
 * update.c
 *		Updates one row of a table of sales_crm as the executor does, without a plan.
 *
 * An UPDATE locks its row in the middle, by the trigger or by the write, and would make the row anew
 * if another session had changed it; here it is locked first, so that nothing is to be made anew.
 *
 * Memory: an executor state of its own, freed at the end.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "parser/parse_relation.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "check_cache.h"
#include "compat.h"
#include "lookup.h"
#include "update.h"

static bool is_plain(Relation relation);
static void update_plainly(Update *update, Relation relation, int64 key);
static ResultRelInfo *open_result(EState *estate, Relation relation, AttrNumber column);
static bool
lock_row(Update *update, EState *estate, Relation relation, TupleTableSlot *row, int64 key);
static void write_row(EState *estate, ResultRelInfo *result, TupleTableSlot *locked,
					  TransitionCaptureState *capture);
static void refuse(TM_Result result);

void
update_row(Update *update, int64 key)
{
	Relation relation = table_open(plan_relation(update->lookup.map->table), RowExclusiveLock);
	PlanRole before;

	if (is_plain(relation))
	{
		plan_enter(&before, plan_owner());
		update_plainly(update, relation, key);
		plan_leave(&before);
	}
	else
	{
		Datum values[] = {Int64GetDatum(key)};

		plan_begin();
		(void) plan_run(&update->plan, PLAN_WRITE, values, NULL);
		plan_end();
	}
	table_close(relation, NoLock);
}

static bool
is_plain(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
		   !relation->rd_rel->relhassubclass && !relation->rd_rel->relhasrules &&
		   !relation->rd_rel->relforcerowsecurity;
}

static void
update_plainly(Update *update, Relation relation, int64 key)
{
	const AttrNumber *attnums = row_map_get(update->lookup.map, relation);
	MemoryContext caller = CurrentMemoryContext;
	EState *estate = CreateExecutorState();
	TransitionCaptureState *capture;
	ResultRelInfo *result;
	TupleTableSlot *locked;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(estate->es_query_cxt);
	estate->es_snapshot = GetActiveSnapshot();
	estate->es_output_cid = GetCurrentCommandId(true);
	result = open_result(estate, relation, attnums[update->column]);
	locked = table_slot_create(relation, &estate->es_tupleTable);

	CheckCmdReplicaIdentity(relation, CMD_UPDATE);
	AfterTriggerBeginQuery();
	capture =
		MakeTransitionCaptureState(result->ri_TrigDesc, RelationGetRelid(relation), CMD_UPDATE);
	ExecBSUpdateTriggers(estate, result);
	if (lock_row(update, estate, relation, locked, key))
		write_row(estate, result, locked, capture);
	ExecASUpdateTriggers(estate, result, capture);
	AfterTriggerEndQuery(estate);

	MemoryContextSwitchTo(caller);
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecCloseResultRelations(estate);
	FreeExecutorState(estate);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

static ResultRelInfo *
open_result(EState *estate, Relation relation, AttrNumber column)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	List *permissions = NIL;

	entry->rtekind = RTE_RELATION;
	entry->relid = RelationGetRelid(relation);
	entry->relkind = relation->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	ENTRY_PERMISSIONS(entry, &permissions)->updatedCols =
		bms_make_singleton(column - FirstLowInvalidHeapAttributeNumber);
	INIT_RANGE_TABLE(estate, list_make1(entry), permissions);
	InitResultRelInfo(result, relation, 1, NULL, 0);
	estate->es_opened_result_relations = list_make1(result);
	check_cache_fill(result);
	return result;
}

/* lock_row gets the row as it is once nobody else can change it; false: it is not there. */
static bool
lock_row(Update *update, EState *estate, Relation relation, TupleTableSlot *row, int64 key)
{
	bool fixed = IsolationUsesXactSnapshot();
	Datum value = Int64GetDatum(key);
	TM_FailureData failure;
	LookupScan scan;
	TM_Result result;
	bool found;
	bool isnull;

	lookup_begin(&scan, &update->lookup, LOOKUP_STATEMENT, &value);
	found = lookup_next(&scan);
	lookup_end(&scan);
	if (!found)
		return false;
	result = table_tuple_lock(relation, &scan.place, estate->es_snapshot, row,
							  estate->es_output_cid, LockTupleNoKeyExclusive, LockWaitBlock,
							  fixed ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
	if (result == TM_Deleted && !fixed)
		return false;
	if (result != TM_Ok)
		refuse(result);
	return DatumGetInt64(slot_getattr(row, scan.row.attnums[update->lookup.columns[0]], &isnull)) ==
		   key;
}

static void
write_row(EState *estate, ResultRelInfo *result, TupleTableSlot *locked,
		  TransitionCaptureState *capture)
{
	Relation relation = result->ri_RelationDesc;
	const TupleConstr *constr = RelationGetDescr(relation)->constr;
	TupleTableSlot *row = table_slot_create(relation, &estate->es_tupleTable);
	EPQState unused = {0}; /* nobody else changes the row */
	TM_FailureData failure;
	LockTupleMode lock_mode;
	IndexesToUpdate indexes;
	List *recheck = NIL;
	TM_Result written;

	ExecCopySlot(row, locked);
	if (result->ri_TrigDesc != NULL && result->ri_TrigDesc->trig_update_before_row &&
		!BEFORE_ROW_UPDATE(estate, &unused, result, &locked->tts_tid, row))
		return;
	row->tts_tableOid = RelationGetRelid(relation);
	if (constr != NULL && constr->has_generated_stored)
		ExecComputeStoredGenerated(result, estate, row, CMD_UPDATE);
	if (constr != NULL)
		ExecConstraints(result, row, estate);
	written = table_tuple_update(relation, &locked->tts_tid, row, estate->es_output_cid,
								 estate->es_snapshot, InvalidSnapshot, true, &failure, &lock_mode,
								 &indexes);
	if (written != TM_Ok)
		refuse(written);
	if (indexes)
	{
		ExecOpenIndices(result, false);
		recheck = UPDATE_INDEXES(result, row, estate, indexes);
	}
	ExecARUpdateTriggers(estate, result, NULL, NULL, &locked->tts_tid, NULL, row, recheck, capture,
						 false);
}

/* refuse raises what an UPDATE would. */
static void
refuse(TM_Result result)
{
	switch (result)
	{
		case TM_Updated:
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("could not serialize access due to concurrent update")));
		case TM_Deleted:
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("could not serialize access due to concurrent delete")));
		case TM_SelfModified:
			ereport(ERROR, (errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
							errmsg("tuple to be updated was already modified by an operation "
								   "triggered by the current command"),
							errhint("Use an AFTER trigger instead of a BEFORE trigger to propagate "
									"changes to other rows.")));
		default:
			elog(ERROR, "unexpected result %d of an update", result);
	}
}
