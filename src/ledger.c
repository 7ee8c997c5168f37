/*
 * ledger.c
 *		Collects what a statement does to the forecast and appends it to sales_crm.forecast_ledger.
 *
 * Writers only append: none waits for another because of the forecast. Entries go straight to the
 * heap, which has neither index nor trigger nor constraint to ask, as long as the table is as
 * setup() makes it; through a statement, with all its consequences, once somebody has added to it.
 *
 * Memory: entries live in a context below the one that was current at ledger_open().
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "compaction.h"
#include "compat.h"
#include "ledger.h"

PG_FUNCTION_INFO_V1(scrm_forecast_cell_key);

static const char *const cause_names[] = {
	[CAUSE_CREATED] = "created",
	[CAUSE_AMOUNT_UP] = "amount_up",
	[CAUSE_AMOUNT_DOWN] = "amount_down",
	[CAUSE_CURRENCY] = "currency",
	[CAUSE_SLIPPED_OUT] = "slipped_out",
	[CAUSE_SLIPPED_IN] = "slipped_in",
	[CAUSE_REWEIGHTED] = "reweighted",
	[CAUSE_OWNER] = "owner",
	[CAUSE_SOURCE] = "source",
	[CAUSE_PIPELINE] = "pipeline",
	[CAUSE_ADVANCED] = "advanced",
	[CAUSE_BACK] = "back",
	[CAUSE_WON] = "won",
	[CAUSE_LOST] = "lost",
	[CAUSE_EXPIRED] = "expired",
	[CAUSE_REOPENED] = "reopened",
	[CAUSE_DELETED] = "deleted",
};

/* The table as setup() makes it, and the values of an entry in the same order */
enum
{
	LEDGER_AT,
	LEDGER_CAUSE,
	LEDGER_CELL,
	LEDGER_PHASE_ID,
	LEDGER_OWNER_ID,
	LEDGER_SOURCE_ID,
	LEDGER_MONTH,
	LEDGER_CURRENCY,
	LEDGER_OPPORTUNITIES,
	LEDGER_AMOUNT,
	LEDGER_PHASE_BASE,
	LEDGER_OVERRIDE_WEIGHTED,
	LEDGER_COLUMNS
};

static const struct
{
	const char *name;
	Oid type;
} ledger_columns[LEDGER_COLUMNS] = {
	[LEDGER_AT] = {"at", TIMESTAMPTZOID},
	[LEDGER_CAUSE] = {"cause", TEXTOID},
	[LEDGER_CELL] = {"cell", INT8OID},
	[LEDGER_PHASE_ID] = {"phase_id", INT8OID},
	[LEDGER_OWNER_ID] = {"owner_id", INT8OID},
	[LEDGER_SOURCE_ID] = {"source_id", INT8OID},
	[LEDGER_MONTH] = {"month", DATEOID},
	[LEDGER_CURRENCY] = {"currency", TEXTOID},
	[LEDGER_OPPORTUNITIES] = {"opportunities", INT4OID},
	[LEDGER_AMOUNT] = {"amount", NUMERICOID},
	[LEDGER_PHASE_BASE] = {"phase_base", NUMERICOID},
	[LEDGER_OVERRIDE_WEIGHTED] = {"override_weighted", NUMERICOID},
};

/* For a table to which somebody has added */
static BatchPlan append_plan = {
	.sql =
		"INSERT INTO sales_crm.forecast_ledger (cause, cell, phase_id, owner_id, source_id, month,"
		"  currency, opportunities, amount, phase_base, override_weighted)"
		" SELECT n.cause, n.cell, n.phase_id, n.owner_id, n.source_id, n.month, n.currency,"
		"  n.opportunities, coalesce(n.amount, 0), coalesce(n.phase_base, 0),"
		"  coalesce(n.override_weighted, 0)"
		" FROM @rows AS n (cause, cell, phase_id, owner_id, source_id, month, currency,"
		"  opportunities, amount, phase_base, override_weighted)",
	.ncolumns = 11,
	.nargs = 11,
	.types = {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, DATEOID, TEXTOID, INT4OID, NUMERICOID,
			  NUMERICOID, NUMERICOID},
};

static LedgerEntry *find_entry(Ledger *ledger, const LedgerEntry *wanted);
static void spill(Ledger *ledger);
static void accumulate(Ledger *ledger, NullableDatum *sum, Datum value, int sign);
static Datum hundredth_of(Datum value);
static bool is_zero(const NullableDatum *sum);
static bool is_as_made(Relation relation);
static void append_entry(Relation relation, bool as_made, Batch *batch, const LedgerEntry *entry,
						 BlockNumber *due);
static uint64 cell_key(const int64 parts[4], const char *currency, size_t length);

void
ledger_open(Ledger *ledger)
{
	ledger->context =
		AllocSetContextCreate(CurrentMemoryContext, "sales_crm ledger", ALLOCSET_SMALL_SIZES);
	ledger->nfew = 0;
	ledger->many = NULL;
}

void
ledger_add(Ledger *ledger, LedgerCause cause, const LedgerCell *cell, const LedgerMeasure *measure,
		   int sign)
{
	LedgerEntry wanted = {.key = {.cell = *cell, .cause = cause}};
	LedgerEntry *entry = find_entry(ledger, &wanted);

	entry->opportunities += sign;
	if (measure->amount.isnull)
		return;
	accumulate(ledger, &entry->amount, measure->amount.value, sign);
	if (measure->override.isnull)
		accumulate(ledger, &entry->phase_amount, measure->amount.value, sign);
	else
		accumulate(ledger, &entry->override_weighted,
				   hundredth_of(DirectFunctionCall2(numeric_mul, measure->amount.value,
													measure->override.value)),
				   sign);
}

void
ledger_close(Ledger *ledger)
{
	Relation relation;
	Batch batch;
	bool as_made;
	BlockNumber due = InvalidBlockNumber;

	if (ledger->nfew == 0)
	{
		MemoryContextDelete(ledger->context);
		return;
	}
	relation = table_open(plan_relation("forecast_ledger"), RowExclusiveLock);
	as_made = is_as_made(relation);
	batch_open(&batch, &append_plan);
	if (ledger->many == NULL)
	{
		for (int i = 0; i < ledger->nfew; i++)
			append_entry(relation, as_made, &batch, &ledger->few[i], &due);
	}
	else
	{
		HASH_SEQ_STATUS status;
		const LedgerEntry *entry;

		hash_seq_init(&status, ledger->many);
		while ((entry = hash_seq_search(&status)) != NULL)
			append_entry(relation, as_made, &batch, entry, &due);
	}
	table_close(relation, NoLock);
	batch_close(&batch);
	MemoryContextDelete(ledger->context);
	if (due != InvalidBlockNumber)
		compaction_fold(due);
}

/* forecast_cell_key is the same on all machines, so that a dump may go anywhere. */
Datum
scrm_forecast_cell_key(PG_FUNCTION_ARGS)
{
	const struct varlena *currency = PG_ARGISNULL(4) ? NULL : PG_GETARG_TEXT_PP(4);
	int64 parts[4] = {0};

	for (int i = 0; i < 3; i++)
	{
		if (!PG_ARGISNULL(i))
			parts[i] = PG_GETARG_INT64(i);
	}
	parts[3] = PG_ARGISNULL(3) ? LEDGER_UNDATED : PG_GETARG_DATEADT(3);
	PG_RETURN_INT64((int64) cell_key(parts, currency == NULL ? "" : VARDATA_ANY(currency),
									 currency == NULL ? 0 : VARSIZE_ANY_EXHDR(currency)));
}

static LedgerEntry *
find_entry(Ledger *ledger, const LedgerEntry *wanted)
{
	LedgerEntry *entry;
	bool found;

	if (ledger->many == NULL)
	{
		for (int i = 0; i < ledger->nfew; i++)
		{
			if (memcmp(&ledger->few[i].key, &wanted->key, sizeof(wanted->key)) == 0)
				return &ledger->few[i];
		}
		if (ledger->nfew < LEDGER_FEW)
		{
			entry = &ledger->few[ledger->nfew++];
			memset(entry, 0, sizeof(LedgerEntry));
			entry->key = wanted->key;
			entry->amount = entry->phase_amount = entry->override_weighted = batch_null();
			return entry;
		}
		spill(ledger);
	}
	entry = hash_search(ledger->many, &wanted->key, HASH_ENTER, &found);
	if (!found)
	{
		entry->opportunities = 0;
		entry->amount = entry->phase_amount = entry->override_weighted = batch_null();
	}
	return entry;
}

/* spill moves the entries to a hash table. */
static void
spill(Ledger *ledger)
{
	HASHCTL control = {
		.keysize = sizeof(ledger->few[0].key),
		.entrysize = sizeof(LedgerEntry),
		.hcxt = ledger->context,
	};

	ledger->many =
		hash_create("sales_crm ledger", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < ledger->nfew; i++)
	{
		LedgerEntry *entry = hash_search(ledger->many, &ledger->few[i].key, HASH_ENTER, NULL);

		*entry = ledger->few[i];
	}
}

static void
accumulate(Ledger *ledger, NullableDatum *sum, Datum value, int sign)
{
	MemoryContext caller = MemoryContextSwitchTo(ledger->context);
	Datum before = sum->isnull ? NumericGetDatum(int64_to_numeric(0)) : sum->value;

	sum->value = DirectFunctionCall2(sign > 0 ? numeric_add : numeric_sub, before, value);
	sum->isnull = false;
	pfree(DatumGetPointer(before));
	MemoryContextSwitchTo(caller);
}

/* hundredth_of multiplies by 0.01, which is exact, where a division would round. */
static Datum
hundredth_of(Datum value)
{
	Datum hundredth = DirectFunctionCall3(numeric_in, CStringGetDatum("0.01"),
										  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

	return DirectFunctionCall2(numeric_mul, value, hundredth);
}

static bool
is_zero(const NullableDatum *sum)
{
	return sum->isnull || DatumGetBool(DirectFunctionCall2(numeric_eq, sum->value,
														   NumericGetDatum(int64_to_numeric(0))));
}

/* is_as_made says whether entries may go straight to the heap of the table. */
static bool
is_as_made(Relation relation)
{
	TupleDesc tupdesc = RelationGetDescr(relation);

	/* An index that is gone, or whose creation was rolled back, leaves relhasindex as it is */
	if (tupdesc->natts != LEDGER_COLUMNS ||
		(relation->rd_rel->relhasindex && RelationGetIndexList(relation) != NIL) ||
		relation->rd_rel->relhasrules || relation->trigdesc != NULL ||
		relation->rd_rel->relkind != RELKIND_RELATION || tupdesc->constr->num_check > 0)
		return false;
	for (int i = 0; i < LEDGER_COLUMNS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || attribute->atttypid != ledger_columns[i].type ||
			strcmp(NameStr(attribute->attname), ledger_columns[i].name) != 0)
			return false;
	}
	return true;
}

/* append_entry notes the block of an entry that makes a fold due. */
static void
append_entry(Relation relation, bool as_made, Batch *batch, const LedgerEntry *entry,
			 BlockNumber *due)
{
	const LedgerCell *cell = &entry->key.cell;
	const int64 parts[4] = {cell->phase_id, cell->owner_id, cell->source_id, cell->month};
	NullableDatum zero = batch_value(NumericGetDatum(int64_to_numeric(0)));
	NullableDatum row[LEDGER_COLUMNS];
	MemoryContext caller;

	if (entry->opportunities == 0 && is_zero(&entry->amount) && is_zero(&entry->phase_amount) &&
		is_zero(&entry->override_weighted))
		return;
	caller = MemoryContextSwitchTo(batch_context(batch));
	row[LEDGER_AT] = batch_value(TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	row[LEDGER_CAUSE] = batch_value(CStringGetTextDatum(cause_names[entry->key.cause]));
	row[LEDGER_CELL] =
		batch_value(Int64GetDatum((int64) cell_key(parts, cell->currency, strlen(cell->currency))));
	row[LEDGER_PHASE_ID] = batch_value(Int64GetDatum(cell->phase_id));
	row[LEDGER_OWNER_ID] = batch_key(cell->owner_id);
	row[LEDGER_SOURCE_ID] = batch_key(cell->source_id);
	row[LEDGER_MONTH] =
		cell->month == LEDGER_UNDATED ? batch_null() : batch_value(DateADTGetDatum(cell->month));
	row[LEDGER_CURRENCY] = batch_value(CStringGetTextDatum(cell->currency));
	row[LEDGER_OPPORTUNITIES] = batch_value(Int32GetDatum((int32) entry->opportunities));
	row[LEDGER_AMOUNT] = entry->amount.isnull ? zero : entry->amount;
	row[LEDGER_PHASE_BASE] =
		entry->phase_amount.isnull ? zero : batch_value(hundredth_of(entry->phase_amount.value));
	row[LEDGER_OVERRIDE_WEIGHTED] =
		entry->override_weighted.isnull ? zero : entry->override_weighted;

	if (as_made)
	{
		Datum values[LEDGER_COLUMNS];
		bool nulls[LEDGER_COLUMNS];
		HeapTuple tuple;

		for (int i = 0; i < LEDGER_COLUMNS; i++)
		{
			values[i] = row[i].value;
			nulls[i] = row[i].isnull;
		}
		values[LEDGER_AMOUNT] = DirectFunctionCall2(
			numeric, values[LEDGER_AMOUNT],
			Int32GetDatum(TupleDescAttr(RelationGetDescr(relation), LEDGER_AMOUNT)->atttypmod));
		tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
		simple_heap_insert(relation, tuple);
		if (compaction_is_due(&tuple->t_self))
			*due = ItemPointerGetBlockNumber(&tuple->t_self);
	}
	else
	{
		batch_add(batch, &row[LEDGER_CAUSE]);
		if (compaction_is_due_by_chance())
			*due = 0;
	}
	MemoryContextSwitchTo(caller);
}

static uint64
cell_key(const int64 parts[4], const char *currency, size_t length)
{
	const uint64 spread = UINT64CONST(0x9E3779B97F4A7C15);
	uint64 key = 0;

	for (int i = 0; i < 4; i++)
		key = hash_combine64(key, (uint64) parts[i] * spread);
	for (size_t i = 0; i < length; i++)
		key = hash_combine64(key, (unsigned char) currency[i] * spread);
	return key;
}
