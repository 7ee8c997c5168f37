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
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "lib/stringinfo.h"
#include "parser/parse_relation.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "check_cache.h"
#include "compat.h"
#include "held_row.h"
#include "lookup.h"
#include "reference.h"
#include "row_write.h"
#include "update.h"

static bool is_plain(Relation relation);
static bool
update_plainly(Update *update, Relation relation, Datum key, const NullableDatum *values);
static ResultRelInfo *open_result(EState *estate, Relation relation, const Update *update);
static bool
lock_row(Update *update, EState *estate, Relation relation, TupleTableSlot *row, Datum key);
static bool
write_row(const Update *update, EState *estate, ResultRelInfo *result, TupleTableSlot *locked,
		  const NullableDatum *values, TransitionCaptureState *capture);
static void remember(const Update *update, Relation relation, TupleTableSlot *row);
static void set_columns(const Update *update, TupleTableSlot *locked, TupleTableSlot *row,
						const NullableDatum *values);
static bool update_by_statement(Update *update, Datum key, const NullableDatum *values);
static const char *statement_text(const Update *update, bool with_values);
static void refuse(TM_Result result);

bool
update_row(Update *update, Datum key, const NullableDatum *values)
{
	Relation relation = row_map_open(update->lookup.map, RowExclusiveLock);
	bool written;

	if (is_plain(relation))
	{
		PlanRole before;

		plan_enter(&before, plan_owner());
		written = update_plainly(update, relation, key, values);
		plan_leave(&before);
	}
	else
		written = update_by_statement(update, key, values);
	table_close(relation, NoLock);
	return written;
}

static bool
is_plain(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
		   !relation->rd_rel->relhassubclass && !relation->rd_rel->relhasrules &&
		   !relation->rd_rel->relforcerowsecurity;
}

static bool
update_plainly(Update *update, Relation relation, Datum key, const NullableDatum *values)
{
	MemoryContext caller = CurrentMemoryContext;
	EState *estate = row_write_begin();
	TransitionCaptureState *capture;
	ResultRelInfo *result;
	TupleTableSlot *locked;
	bool written = false;

	result = open_result(estate, relation, update);
	if (values != NULL)
		reference_fill(result, estate->es_query_cxt);
	locked = table_slot_create(relation, &estate->es_tupleTable);

	CheckCmdReplicaIdentity(relation, CMD_UPDATE);
	AfterTriggerBeginQuery();
	capture =
		MakeTransitionCaptureState(result->ri_TrigDesc, RelationGetRelid(relation), CMD_UPDATE);
	ExecBSUpdateTriggers(estate, result);
	if (lock_row(update, estate, relation, locked, key))
		written = write_row(update, estate, result, locked, values, capture);
	ExecASUpdateTriggers(estate, result, capture);
	AfterTriggerEndQuery(estate);

	row_write_end(estate, caller);
	return written;
}

static ResultRelInfo *
open_result(EState *estate, Relation relation, const Update *update)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	List *permissions = NIL;
	Bitmapset *columns = NULL;

	for (int i = 0; i < update->ncolumns; i++)
		columns = bms_add_member(columns, update->lookup.map->attnums[update->columns[i]] -
											  FirstLowInvalidHeapAttributeNumber);
	entry->rtekind = RTE_RELATION;
	entry->relid = RelationGetRelid(relation);
	entry->relkind = relation->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	ENTRY_PERMISSIONS(entry, &permissions)->updatedCols = columns;
	INIT_RANGE_TABLE(estate, list_make1(entry), permissions);
	InitResultRelInfo(result, relation, 1, NULL, 0);
	estate->es_opened_result_relations = list_make1(result);
	check_cache_fill(result);
	return result;
}

/* lock_row gets the row as it is once nobody else can change it; false: it is not there. */
static bool
lock_row(Update *update, EState *estate, Relation relation, TupleTableSlot *row, Datum key)
{
	bool fixed = IsolationUsesXactSnapshot();
	AttrNumber attnum = update->lookup.map->attnums[update->lookup.columns[0]];
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attnum - 1);
	TM_FailureData failure;
	ItemPointerData place;
	TM_Result result;
	bool isnull;

	if (!lookup_place(&update->lookup, LOOKUP_STATEMENT, key, &place))
		return false;
	result = table_tuple_lock(relation, &place, estate->es_snapshot, row, estate->es_output_cid,
							  LockTupleNoKeyExclusive, LockWaitBlock,
							  fixed ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
	if (result == TM_Deleted && !fixed)
		return false;
	if (result != TM_Ok)
		refuse(result);
	return datum_image_eq(slot_getattr(row, attnum, &isnull), key, column->attbyval,
						  column->attlen);
}

static bool
write_row(const Update *update, EState *estate, ResultRelInfo *result, TupleTableSlot *locked,
		  const NullableDatum *values, TransitionCaptureState *capture)
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

	if (values == NULL)
		ExecCopySlot(row, locked);
	else
		set_columns(update, locked, row, values);
	if (result->ri_TrigDesc != NULL && result->ri_TrigDesc->trig_update_before_row &&
		!BEFORE_ROW_UPDATE(estate, &unused, result, &locked->tts_tid, row))
		return false;
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
	remember(update, relation, row);
	if (indexes)
	{
		ExecOpenIndices(result, false);
		recheck = UPDATE_INDEXES(result, row, estate, indexes);
	}
	ExecARUpdateTriggers(estate, result, NULL, NULL, &locked->tts_tid, NULL, row, recheck, capture,
						 false);
	return true;
}

/* remember notes where the row is now, for those that refer to it. */
static void
remember(const Update *update, Relation relation, TupleTableSlot *row)
{
	const RowMap *map = update->lookup.map;
	int key = update->lookup.columns[0];
	bool isnull;

	if (map->columns[key].type == INT8OID)
		held_row_remember(relation, map->attnums[key],
						  DatumGetInt64(slot_getattr(row, map->attnums[key], &isnull)),
						  &row->tts_tid);
}

/* set_columns makes the new row: the old one with the columns' values. */
static void
set_columns(const Update *update, TupleTableSlot *locked, TupleTableSlot *row,
			const NullableDatum *values)
{
	int natts = locked->tts_tupleDescriptor->natts;

	slot_getallattrs(locked);
	memcpy(row->tts_values, locked->tts_values, sizeof(Datum) * natts);
	memcpy(row->tts_isnull, locked->tts_isnull, sizeof(bool) * natts);
	for (int i = 0; i < update->ncolumns; i++)
	{
		int at = update->lookup.map->attnums[update->columns[i]] - 1;

		row->tts_values[at] = values[i].value;
		row->tts_isnull[at] = values[i].isnull;
	}
	ExecStoreVirtualTuple(row);
}

static bool
update_by_statement(Update *update, Datum key, const NullableDatum *values)
{
	ScrmPlan *plan = &update->plan;
	Datum arguments[SCRM_PLAN_MAX_ARGS] = {key};
	char nulls[SCRM_PLAN_MAX_ARGS] = {' '};
	bool written;

	if (plan->sql == NULL)
	{
		const RowMap *map = update->lookup.map;

		plan->nargs = values == NULL ? 1 : 1 + update->ncolumns;
		plan->argtypes[0] = map->columns[update->lookup.columns[0]].type;
		for (int i = 1; i < plan->nargs; i++)
			plan->argtypes[i] = map->columns[update->columns[i - 1]].type;
		plan->by_key = true;
		plan->sql = MemoryContextStrdup(TopMemoryContext, statement_text(update, values != NULL));
	}
	for (int i = 1; i < plan->nargs; i++)
	{
		arguments[i] = values[i - 1].value;
		nulls[i] = values[i - 1].isnull ? 'n' : ' ';
	}
	plan_begin();
	written = plan_run(plan, PLAN_WRITE, arguments, nulls) > 0;
	plan_end();
	return written;
}

static const char *
statement_text(const Update *update, bool with_values)
{
	const RowMap *map = update->lookup.map;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "UPDATE sales_crm.%s SET ", quote_identifier(map->table));
	for (int i = 0; i < update->ncolumns; i++)
	{
		const char *name = quote_identifier(map->columns[update->columns[i]].name);

		appendStringInfo(&text, "%s%s = %s", i == 0 ? "" : ", ", name,
						 with_values ? psprintf("$%d", i + 2) : name);
	}
	appendStringInfo(&text, " WHERE %s = $1",
					 quote_identifier(map->columns[update->lookup.columns[0]].name));
	return text.data;
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
