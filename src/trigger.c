/*
 * trigger.c
 *		What all trigger functions begin with, and the walk through the rows of a statement.
 *
 * The executor appends the old and the new version of each updated row to the two transition
 * tables one right after the other, so that the n-th row of one belongs to the n-th of the other.
 *
 * Memory: read pointers and slots live until trigger_close_rows() or the end of the statement.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "trigger.h"

static int trigger_read_pointer(Tuplestorestate *table);
static bool trigger_read(Tuplestorestate *table, int pointer, TupleTableSlot *slot);

/*
 * trigger_require returns the trigger's data. timing is TRIGGER_EVENT_BEFORE or _AFTER, level is
 * TRIGGER_EVENT_ROW or 0 for a statement trigger. Errors: 39P01 when the function was called by
 * anything else.
 */
TriggerData *
trigger_require(FunctionCallInfo fcinfo, const char *function, TriggerEvent timing,
				TriggerEvent level)
{
	TriggerData *trigger;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function sales_crm.%s() is not called by a trigger", function)));
	trigger = (TriggerData *) fcinfo->context;
	if ((trigger->tg_event & (TRIGGER_EVENT_TIMINGMASK | TRIGGER_EVENT_ROW)) != (timing | level))
		ereport(
			ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" calls sales_crm.%s() at another time or level than it works at",
					trigger->tg_trigger->tgname, function)));
	return trigger;
}

/*
 * trigger_require_table makes sure that the trigger hangs on the table it was written for.
 * Errors: 39P01 when it hangs on another.
 */
void
trigger_require_table(const TriggerData *trigger, const char *function, Oid relid)
{
	if (RelationGetRelid(trigger->tg_relation) != relid)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function sales_crm.%s() does not serve table \"%s\"", function,
							   RelationGetRelationName(trigger->tg_relation)),
						errhint("Drop trigger \"%s\".", trigger->tg_trigger->tgname)));
}

void
trigger_open_rows(TriggerRows *rows, const TriggerData *trigger)
{
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);

	memset(rows, 0, sizeof(TriggerRows));
	rows->old_table = trigger->tg_oldtable;
	rows->new_table = trigger->tg_newtable;
	if (rows->new_table == NULL ||
		(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && rows->old_table == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" lacks a transition table", trigger->tg_trigger->tgname),
				 errhint("Drop it and run CALL sales_crm.setup().")));
	rows->new_pointer = trigger_read_pointer(rows->new_table);
	rows->new_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	if (rows->old_table != NULL)
	{
		rows->old_pointer = trigger_read_pointer(rows->old_table);
		rows->old_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	}
}

bool
trigger_next_row(TriggerRows *rows)
{
	if (!trigger_read(rows->new_table, rows->new_pointer, rows->new_row))
		return false;
	if (rows->old_table != NULL && !trigger_read(rows->old_table, rows->old_pointer, rows->old_row))
		elog(ERROR, "transition tables differ in length");
	return true;
}

void
trigger_close_rows(TriggerRows *rows)
{
	ExecDropSingleTupleTableSlot(rows->new_row);
	if (rows->old_row != NULL)
		ExecDropSingleTupleTableSlot(rows->old_row);
}

static int
trigger_read_pointer(Tuplestorestate *table)
{
	int pointer = tuplestore_alloc_read_pointer(table, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(table, pointer);
	tuplestore_rescan(table);
	return pointer;
}

static bool
trigger_read(Tuplestorestate *table, int pointer, TupleTableSlot *slot)
{
	tuplestore_select_read_pointer(table, pointer);
	return tuplestore_gettupleslot(table, true, false, slot);
}
