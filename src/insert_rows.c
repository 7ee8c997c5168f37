/*
 * insert_rows.c
 *		Writes many rows to a table of sales_crm without a statement.
 *
 * Rows go to the table together, as COPY writes them, unless a BEFORE trigger of somebody else may look
 * at those before it. Foreign keys are checked once per key, without an event for each row.
 *
 * Memory: that of an executor state, for all rows at once.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "insert.h"
#include "plan.h"
#include "reference.h"
#include "row_write.h"

/* The rows on their way */
typedef struct RowSet
{
	EState *estate;
	ResultRelInfo *result;
	TransitionCaptureState *capture;
	TupleTableSlot **slots;
	int count; /* that triggers have let through */
} RowSet;

static void
write_rows(OpenInsert *open, const Insert *insert, const NullableDatum *given, int count);
static bool is_alone(const TriggerDesc *triggers);
static bool make_row(const RowSet *set, TupleTableSlot *slot);
static void store_rows(const RowSet *set, int first);

void
insert_rows(Insert *insert, const NullableDatum *given, int count)
{
	OpenInsert open;

	insert_open(&open, insert);
	if (insert->is_plain_set)
		write_rows(&open, insert, given, count);
	else
		for (int i = 0; i < count; i++)
			(void) insert_by_statement(insert, given + (Size) i * insert->map->ncolumns, NULL);
	insert_close(&open);
}

static void
write_rows(OpenInsert *open, const Insert *insert, const NullableDatum *given, int count)
{
	RowSet set = {.estate = row_write_begin(), .slots = palloc_array(TupleTableSlot *, count)};
	TriggerDesc *triggers;
	bool together;

	set.result = insert_open_result(set.estate, open->relation);
	triggers = set.result->ri_TrigDesc;
	together = is_alone(triggers);
	AfterTriggerBeginQuery();
	set.capture =
		MakeTransitionCaptureState(triggers, RelationGetRelid(open->relation), CMD_INSERT);
	ExecBSInsertTriggers(set.estate, set.result);
	for (int i = 0; i < count; i++)
	{
		TupleTableSlot *slot = table_slot_create(open->relation, &set.estate->es_tupleTable);

		insert_fill_slot(insert, set.estate, slot, given + (Size) i * insert->map->ncolumns);
		if (!make_row(&set, slot))
			continue;
		set.slots[set.count++] = slot;
		if (!together)
			store_rows(&set, set.count - 1);
	}
	if (together)
		store_rows(&set, 0);
	reference_check(set.result, set.slots, set.count);
	ExecASInsertTriggers(set.estate, set.result, set.capture);
	AfterTriggerEndQuery(set.estate);
	row_write_end(set.estate, open->caller);
}

/* is_alone says whether BEFORE triggers per row are ours, which look at no other row of the table. */
static bool
is_alone(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_BEFORE,
								 TRIGGER_TYPE_INSERT) &&
			get_func_namespace(trigger->tgfoid) != plan_namespace())
			return false;
	}
	return true;
}

/* make_row has a row be what it is to be, and checks it; false: a trigger skips it. */
static bool
make_row(const RowSet *set, TupleTableSlot *slot)
{
	Relation relation = set->result->ri_RelationDesc;
	const TriggerDesc *triggers = set->result->ri_TrigDesc;
	const TupleConstr *constr = RelationGetDescr(relation)->constr;

	if (triggers != NULL && triggers->trig_insert_before_row &&
		!ExecBRInsertTriggers(set->estate, set->result, slot))
		return false;
	slot->tts_tableOid = RelationGetRelid(relation);
	if (constr != NULL && constr->has_generated_stored)
		ExecComputeStoredGenerated(set->result, set->estate, slot, CMD_INSERT);
	if (constr != NULL)
		ExecConstraints(set->result, slot, set->estate);
	return true;
}

/* store_rows writes the rows from one on, and their entries in indexes. */
static void
store_rows(const RowSet *set, int first)
{
	int count = set->count - first;

	if (count == 0)
		return;
	table_multi_insert(set->result->ri_RelationDesc, set->slots + first, count,
					   set->estate->es_output_cid, 0, NULL);
	for (int i = first; i < set->count; i++)
	{
		List *recheck = NIL;

		if (set->result->ri_NumIndices > 0)
			recheck = INSERT_INDEXES(set->result, set->slots[i], set->estate);
		ExecARInsertTriggers(set->estate, set->result, set->slots[i], recheck, set->capture);
	}
}
