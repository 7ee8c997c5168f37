/*
 * insert.c
 *		Writes rows to the tables of sales_crm without a statement.
 *
 * What is the same each time is kept: the places of columns, compiled defaults, and whether the table
 * needs a statement after all. The row map's version says when a table has changed.
 *
 * Memory: what is kept lives in one context per Insert, as long as the session or until the table
 * changes; a row's in an executor state of its own.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "check_cache.h"
#include "compat.h"
#include "expression.h"
#include "held_row.h"
#include "insert.h"
#include "reference.h"
#include "row_write.h"

static void prepare(Insert *insert, Relation relation);
static bool add_defaults(Insert *insert, Relation relation);
static AttrNumber bigint_key(Relation relation);
static bool is_plain_table(Relation relation);
static bool has_statement_triggers(Relation relation);
static TupleTableSlot *
write_row(OpenInsert *open, const Insert *insert, const NullableDatum *given);
static void finish_row(OpenInsert *open);
static const char *statement_text(const RowMap *map);
static void store_row(const Insert *insert, HeapTuple tuple, TupleDesc tupdesc, Row *stored);

bool
insert_row(Insert *insert, const NullableDatum *given, Row *stored)
{
	OpenInsert open;
	bool inserted;

	insert_open(&open, insert);
	if (insert->is_plain)
	{
		TupleTableSlot *slot = write_row(&open, insert, given);

		inserted = ItemPointerIsValid(&slot->tts_tid);
		if (inserted && stored != NULL)
		{
			MemoryContextSwitchTo(open.caller);
			store_row(insert, ExecCopySlotHeapTuple(slot), RelationGetDescr(open.relation), stored);
		}
		finish_row(&open);
	}
	else
		inserted = insert_by_statement(insert, given, stored);
	insert_close(&open);
	return inserted;
}

bool
insert_row_begin(OpenInsert *open, Insert *insert, const NullableDatum *given)
{
	insert_open(open, insert);
	if (!insert->is_plain)
	{
		insert_close(open);
		return false;
	}
	(void) write_row(open, insert, given);
	MemoryContextSwitchTo(open->caller);
	CommandCounterIncrement();
	return true;
}

void
insert_row_end(OpenInsert *open)
{
	finish_row(open);
	insert_close(open);
}

void
insert_open(OpenInsert *open, Insert *insert)
{
	open->relation = row_map_open(insert->map, RowExclusiveLock);
	open->caller = CurrentMemoryContext;
	if (insert->version != insert->map->version)
		prepare(insert, open->relation);
	plan_enter(&open->before, plan_owner());
}

void
insert_close(OpenInsert *open)
{
	plan_leave(&open->before);
	table_close(open->relation, NoLock);
}

static void
prepare(Insert *insert, Relation relation)
{
	MemoryContext caller = CurrentMemoryContext;

	if (insert->context != NULL)
		MemoryContextDelete(insert->context);
	insert->context = AllocSetContextCreate(caller, "sales_crm insert", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(insert->context);
	insert->key = bigint_key(relation);
	insert->is_plain_set = is_plain_table(relation) && add_defaults(insert, relation);
	insert->is_plain = insert->is_plain_set && !has_statement_triggers(relation);
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(insert->context, TopMemoryContext);
	insert->version = insert->map->version;
}

static AttrNumber
bigint_key(Relation relation)
{
	Bitmapset *columns = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int attnum;

	if (!bms_get_singleton_member(columns, &attnum))
		return 0;
	attnum += FirstLowInvalidHeapAttributeNumber;
	return TupleDescAttr(RelationGetDescr(relation), attnum - 1)->atttypid == INT8OID ? attnum : 0;
}

/* is_plain_table says whether nobody added what only a statement does. */
static bool
is_plain_table(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_RELATION && !relation->rd_rel->relispartition &&
		   !relation->rd_rel->relhasrules && !relation->rd_rel->relforcerowsecurity;
}

static bool
has_statement_triggers(Relation relation)
{
	const TriggerDesc *triggers = relation->trigdesc;

	return triggers != NULL &&
		   (triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
			triggers->trig_insert_new_table);
}

/* add_defaults compiles those of all other columns, and returns whether they may be kept. */
static bool
add_defaults(Insert *insert, Relation relation)
{
	TupleDesc tupdesc = RelationGetDescr(relation);

	insert->ndefaults = 0;
	insert->attnums = palloc_array(AttrNumber, tupdesc->natts);
	insert->defaults = palloc_array(ExprState *, tupdesc->natts);
	for (AttrNumber attnum = 1; attnum <= tupdesc->natts; attnum++)
	{
		Form_pg_attribute column = TupleDescAttr(tupdesc, attnum - 1);
		Expr *value;
		bool given = false;

		for (int i = 0; i < insert->map->ncolumns; i++)
			given = given || insert->map->attnums[i] == attnum;
		if (given || column->attisdropped || column->attgenerated != '\0')
			continue;
		value = (Expr *) build_column_default(relation, attnum);
		if (value == NULL)
			continue;
		if (!expression_is_plain((Node *) value))
			return false;
		insert->attnums[insert->ndefaults] = attnum;
		insert->defaults[insert->ndefaults++] = ExecInitExpr(expression_planner(value), NULL);
	}
	return true;
}

/*
 * write_row leaves the executor's state open, with the row in its one slot, or none in it where a
 * trigger skipped it.
 */
static TupleTableSlot *
write_row(OpenInsert *open, const Insert *insert, const NullableDatum *given)
{
	EState *estate = row_write_begin();
	ResultRelInfo *result = insert_open_result(estate, open->relation);
	TupleTableSlot *slot = table_slot_create(open->relation, &estate->es_tupleTable);

	insert_fill_slot(insert, estate, slot, given);
	AfterTriggerBeginQuery();
	ExecSimpleRelationInsert(result, estate, slot);
	if (insert->key != 0 && ItemPointerIsValid(&slot->tts_tid))
	{
		bool isnull;
		Datum key = slot_getattr(slot, insert->key, &isnull);

		held_row_remember(open->relation, insert->key, DatumGetInt64(key), &slot->tts_tid);
	}
	open->estate = estate;
	open->result = result;
	open->slot = slot;
	return slot;
}

/* finish_row checks foreign keys and fires AFTER triggers. */
static void
finish_row(OpenInsert *open)
{
	MemoryContextSwitchTo(open->estate->es_query_cxt);
	if (ItemPointerIsValid(&open->slot->tts_tid))
		reference_check(open->result, &open->slot, 1);
	AfterTriggerEndQuery(open->estate);
	row_write_end(open->estate, open->caller);
}

ResultRelInfo *
insert_open_result(EState *estate, Relation relation)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, relation, 0, NULL, 0);
	estate->es_opened_result_relations = lappend(NIL, result);
	ExecOpenIndices(result, false);
	check_cache_fill(result);
	reference_fill(result, estate->es_query_cxt);
	reference_take(result);
	return result;
}

void
insert_fill_slot(const Insert *insert, EState *estate, TupleTableSlot *slot,
				 const NullableDatum *given)
{
	ExprContext *context = GetPerTupleExprContext(estate);

	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
		slot->tts_isnull[i] = true;
	for (int i = 0; i < insert->map->ncolumns; i++)
	{
		int at = insert->map->attnums[i] - 1;

		slot->tts_values[at] = given[i].value;
		slot->tts_isnull[at] = given[i].isnull;
	}
	for (int i = 0; i < insert->ndefaults; i++)
	{
		int at = insert->attnums[i] - 1;

		slot->tts_values[at] =
			ExecEvalExprSwitchContext(insert->defaults[i], context, &slot->tts_isnull[at]);
	}
	ExecStoreVirtualTuple(slot);
	ItemPointerSetInvalid(&slot->tts_tid);
}

bool
insert_by_statement(Insert *insert, const NullableDatum *given, Row *stored)
{
	MemoryContext caller = CurrentMemoryContext;
	ScrmPlan *plan = &insert->plan;
	Datum values[SCRM_PLAN_MAX_ARGS];
	char nulls[SCRM_PLAN_MAX_ARGS];
	bool inserted;

	if (plan->sql == NULL)
	{
		plan->nargs = insert->map->ncolumns;
		for (int i = 0; i < plan->nargs; i++)
			plan->argtypes[i] = insert->map->columns[i].type;
		plan->sql = MemoryContextStrdup(TopMemoryContext, statement_text(insert->map));
	}
	for (int i = 0; i < plan->nargs; i++)
	{
		values[i] = given[i].value;
		nulls[i] = given[i].isnull ? 'n' : ' ';
	}
	plan_begin();
	inserted = plan_run(plan, PLAN_WRITE, values, nulls) > 0;
	if (inserted && stored != NULL)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		store_row(insert, heap_copytuple(SPI_tuptable->vals[0]),
				  CreateTupleDescCopy(SPI_tuptable->tupdesc), stored);
		MemoryContextSwitchTo(spi);
	}
	plan_end();
	return inserted;
}

static const char *
statement_text(const RowMap *map)
{
	StringInfoData columns;
	StringInfoData values;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < map->ncolumns; i++)
	{
		appendStringInfo(&columns, "%s%s", i == 0 ? "" : ", ",
						 quote_identifier(map->columns[i].name));
		appendStringInfo(&values, "%s$%d", i == 0 ? "" : ", ", i + 1);
	}
	return psprintf("INSERT INTO sales_crm.%s (%s) VALUES (%s) RETURNING *",
					quote_identifier(map->table), columns.data, values.data);
}

/* store_row takes a row apart; tuple and tupdesc are the caller's to keep. */
static void
store_row(const Insert *insert, HeapTuple tuple, TupleDesc tupdesc, Row *stored)
{
	stored->tupdesc = tupdesc;
	stored->attnums = insert->map->attnums;
	stored->values = palloc_array(Datum, tupdesc->natts);
	stored->nulls = palloc_array(bool, tupdesc->natts);
	heap_deform_tuple(tuple, tupdesc, stored->values, stored->nulls);
}
