/*
 * reference_cache.c
 *		Checks a foreign key of the tables of sales_crm once per key and statement.
 *
 * After an INSERT the server looks each row's references up, one query for each; the rows of one
 * statement often refer to the same few rows. The first look locks the row that is referred to
 * until the end of the transaction, so that the same key needs no other look: nobody else can take
 * the row away, and whoever does it in this transaction meets the new rows themselves, which are
 * all there before the first look.
 *
 * Each starting INSERT (statement.c) gets a function in front of the server's, for keys of one
 * column; it knows the last keys that the server found. Constraints that are deferred are not
 * checked with the statement, and left alone by this.
 *
 * Memory: the statement's.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "reference_cache.h"

/* Keys remembered per constraint, the oldest makes room */
#define MAX_KEYS 8

typedef struct Reference
{
	PGFunction check; /* the server's */
	AttrNumber column;
	int16 length; /* of the column's type */
	bool by_value;
	int known; /* how many were looked up so far */
	Datum keys[MAX_KEYS];
} Reference;

static AttrNumber find_column(Relation relation, Oid constraint);
static Datum check_reference(PG_FUNCTION_ARGS);
static bool is_known(const Reference *reference, Datum key);
static void remember(Reference *reference, Datum key, MemoryContext context);

void
reference_cache_fill(ResultRelInfo *result, MemoryContext context)
{
	TupleDesc tupdesc = RelationGetDescr(result->ri_RelationDesc);

	if (result->ri_TrigDesc == NULL || !result->ri_TrigDesc->trig_insert_after_row)
		return;
	for (int i = 0; i < result->ri_TrigDesc->numtriggers; i++)
	{
		const Trigger *trigger = &result->ri_TrigDesc->triggers[i];
		FmgrInfo *function = &result->ri_TrigFunctions[i];
		AttrNumber column;
		Reference *reference;

		if (trigger->tgfoid != F_RI_FKEY_CHECK_INS || OidIsValid(function->fn_oid))
			continue;
		column = find_column(result->ri_RelationDesc, trigger->tgconstraint);
		if (column == InvalidAttrNumber)
			continue;
		fmgr_info_cxt(trigger->tgfoid, function, context);
		reference = MemoryContextAllocZero(context, sizeof(Reference));
		reference->check = function->fn_addr;
		reference->column = column;
		reference->length = TupleDescAttr(tupdesc, column - 1)->attlen;
		reference->by_value = TupleDescAttr(tupdesc, column - 1)->attbyval;
		function->fn_extra = reference;
		function->fn_addr = check_reference;
	}
}

/* find_column returns the column of a foreign key, 0 for one that has several. */
static AttrNumber
find_column(Relation relation, Oid constraint)
{
	ListCell *cell;

	foreach (cell, RelationGetFKeyList(relation))
	{
		const ForeignKeyCacheInfo *key = lfirst(cell);

		if (key->conoid == constraint)
			return key->nkeys == 1 ? key->conkey[0] : InvalidAttrNumber;
	}
	return InvalidAttrNumber;
}

/*
 * check_reference is called in place of RI_FKey_check_ins(), which looks nothing up for a row that is
 * gone again; a key that it did look up for is remembered.
 */
static Datum
check_reference(PG_FUNCTION_ARGS)
{
	Reference *reference = fcinfo->flinfo->fn_extra;
	const TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleTableSlot *row = trigger->tg_trigslot;
	bool isnull;
	Datum key = slot_getattr(row, reference->column, &isnull);
	Datum result;

	if (isnull || is_known(reference, key))
		return PointerGetDatum(NULL);
	result = reference->check(fcinfo);
	if (table_tuple_satisfies_snapshot(trigger->tg_relation, row, SnapshotSelf))
		remember(reference, key, fcinfo->flinfo->fn_mcxt);
	return result;
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
