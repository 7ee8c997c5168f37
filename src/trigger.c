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

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "compat.h"
#include "plan.h"
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
 * trigger_require_table refuses other tables than the one of sales_crm that the function was
 * written for. Errors: 39P01.
 */
void
trigger_require_table(const TriggerData *trigger, const char *table)
{
	if (RelationGetRelid(trigger->tg_relation) != plan_relation(table))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("trigger \"%s\" is not on table sales_crm.%s",
							   trigger->tg_trigger->tgname, table)));
}

/*
 * trigger_may_be_late says whether row triggers of users ran before this statement trigger: they
 * may have changed the statement's rows further, and then the consequences of those later changes
 * have been written already.
 */
bool
trigger_may_be_late(const TriggerData *trigger)
{
	const TriggerDesc *triggers = trigger->tg_relation->trigdesc;

	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *other = &triggers->triggers[i];

		if (!other->tgisinternal && other->tgenabled != TRIGGER_DISABLED &&
			TRIGGER_FOR_ROW(other->tgtype) && TRIGGER_FOR_AFTER(other->tgtype))
			return true;
	}
	return false;
}

void
trigger_open_rows(TriggerRows *rows, const TriggerData *trigger)
{
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);

	memset(rows, 0, sizeof(TriggerRows));
	rows->old_table = trigger->tg_oldtable;
	rows->new_table = trigger->tg_newtable;
	if ((rows->new_table == NULL && !TRIGGER_FIRED_BY_DELETE(trigger->tg_event)) ||
		(rows->old_table == NULL && !TRIGGER_FIRED_BY_INSERT(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" lacks a transition table", trigger->tg_trigger->tgname),
				 errhint("Drop it and run CALL sales_crm.setup().")));
	if (rows->new_table != NULL)
	{
		rows->new_pointer = trigger_read_pointer(rows->new_table);
		rows->new_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	}
	if (rows->old_table != NULL)
	{
		rows->old_pointer = trigger_read_pointer(rows->old_table);
		rows->old_row = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	}
}

bool
trigger_next_row(TriggerRows *rows)
{
	bool old_found =
		rows->old_table != NULL && trigger_read(rows->old_table, rows->old_pointer, rows->old_row);
	bool new_found =
		rows->new_table != NULL && trigger_read(rows->new_table, rows->new_pointer, rows->new_row);

	if (old_found != new_found && rows->old_table != NULL && rows->new_table != NULL)
		elog(ERROR, "transition tables differ in length");
	return old_found || new_found;
}

void
trigger_close_rows(TriggerRows *rows)
{
	if (rows->new_row != NULL)
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

/* trigger_same_value fetches nothing that is stored out of line and was not touched. */
bool
trigger_same_value(Datum a, Datum b, Form_pg_attribute attribute)
{
	if (attribute->attlen == -1)
	{
		const struct varlena *one = (const struct varlena *) DatumGetPointer(a);
		const struct varlena *other = (const struct varlena *) DatumGetPointer(b);

		if (VARATT_IS_EXTERNAL_ONDISK(one) && VARATT_IS_EXTERNAL_ONDISK(other) &&
			memcmp(one, other, VARSIZE_EXTERNAL(one)) == 0)
			return true;
	}
	return datum_image_eq(a, b, attribute->attbyval, attribute->attlen);
}
