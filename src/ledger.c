/*
 * ledger.c
 *		Collects what a statement does to the forecast and appends it to sales_crm.forecast_ledger;
 *		folds the ledger into days and cells.
 *
 * Writers only append: none waits for another because of the forecast. Folding deletes entries and
 * adds their sums to forecast_day and forecast_cell in one statement, so that every snapshot sees
 * either the entries or their sums. One session folds at a time, by an advisory lock that nobody
 * waits for; writers do it now and then, when the ledger has grown, so that it stays short without
 * anybody's care.
 *
 * Lock order: sales_crm.opportunity (which every writer has locked already), the advisory lock,
 * rows of forecast_ledger, forecast_day, forecast_cell.
 *
 * Memory: entries live in a context below the one that was current at ledger_open().
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "ledger.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_forecast_cell_key);
PG_FUNCTION_INFO_V1(scrm_compact_forecast);
PG_FUNCTION_INFO_V1(scrm_rebuild_forecast);
PG_FUNCTION_INFO_V1(scrm_phase_ledger);
PG_FUNCTION_INFO_V1(scrm_company_ledger);

/*
 * A writer folds with a probability that lets it happen once per so many entries, and then up to
 * eight times as many: the ledger shrinks to about nothing each time. A ledger of a few pages is
 * read in no time and left alone.
 */
#define FOLD_EVERY 512
#define FOLD_AT_MOST 4096
#define FOLD_FROM_PAGES 8

/* Key of the advisory lock, beside the schema's oid */
#define FOLD_LOCK 1

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

static BatchPlan append_plan = {
	.sql = "INSERT INTO sales_crm.forecast_ledger (cause, phase_id, owner_id, source_id, month,"
		   "  currency, opportunities, amount, phase_base, override_weighted)"
		   " SELECT n.cause, n.phase_id, n.owner_id, n.source_id, n.month, n.currency,"
		   "  n.opportunities, coalesce(n.amount, 0), coalesce(n.phase_base, 0),"
		   "  coalesce(n.override_weighted, 0)"
		   " FROM @rows AS n (cause, phase_id, owner_id, source_id, month, currency,"
		   "  opportunities, amount, phase_base, override_weighted)",
	.ncolumns = 10,
	.nargs = 10,
	.types = {TEXTOID, INT8OID, INT8OID, INT8OID, DATEOID, TEXTOID, INT4OID, NUMERICOID, NUMERICOID,
			  NUMERICOID},
};

/* All cells of the moment, counted out */
static ScrmPlan truncate_plan = {
	.sql = "INSERT INTO sales_crm.forecast_ledger (cause, phase_id, owner_id, source_id, month,"
		   "  currency, opportunities, amount, phase_base, override_weighted)"
		   " SELECT 'deleted', e.phase_id, e.owner_id, e.source_id, e.month, e.currency,"
		   "  -sum(e.opportunities), -sum(e.amount), -sum(e.phase_base),"
		   "  -sum(e.override_weighted)"
		   " FROM (SELECT c.phase_id, c.owner_id, c.source_id, c.month, c.currency,"
		   "   c.opportunities, c.amount, c.phase_base, c.override_weighted"
		   "  FROM sales_crm.forecast_cell c"
		   "  UNION ALL SELECT l.phase_id, l.owner_id, l.source_id, l.month, l.currency,"
		   "   l.opportunities, l.amount, l.phase_base, l.override_weighted"
		   "  FROM sales_crm.forecast_ledger l) e"
		   " GROUP BY 2, 3, 4, 5, 6"
		   " HAVING (sum(e.opportunities), sum(e.amount), sum(e.phase_base),"
		   "  sum(e.override_weighted)) <> (0, 0, 0, 0)",
};

/* What the ledger lacks */
static ScrmPlan correct_plan = {
	.sql = "INSERT INTO sales_crm.forecast_ledger (cause, phase_id, owner_id, source_id, month,"
		   "  currency, opportunities, amount, phase_base, override_weighted)"
		   " SELECT 'corrected', v.phase_id, v.owner_id, v.source_id, v.month, v.currency,"
		   "  v.opportunities, v.amount, v.phase_base, v.override_weighted"
		   " FROM sales_crm.verify_forecast() v"
		   " WHERE v.problem = 'the ledger differs from the opportunities'",
};

/* Sets each cell to the sum of its days where it is another */
static ScrmPlan settle_plan = {
	.sql =
		"INSERT INTO sales_crm.forecast_cell AS c (phase_id, owner_id, source_id, month, currency,"
		"  opportunities, amount, phase_base, override_weighted)"
		" SELECT v.phase_id, v.owner_id, v.source_id, v.month, v.currency,"
		"  v.opportunities, v.amount, v.phase_base, v.override_weighted"
		" FROM sales_crm.verify_forecast() v WHERE v.problem = 'the days differ from the cell'"
		" ON CONFLICT ON CONSTRAINT forecast_cell_key DO UPDATE"
		" SET opportunities = c.opportunities + excluded.opportunities,"
		"  amount = c.amount + excluded.amount,"
		"  phase_base = c.phase_base + excluded.phase_base,"
		"  override_weighted = c.override_weighted + excluded.override_weighted",
};

static ScrmPlan probability_plan = {
	.sql = "INSERT INTO sales_crm.phase_probability (phase_id, probability)"
		   " SELECT p.phase_id, p.probability FROM sales_crm.phase p"
		   " WHERE p.probability IS DISTINCT FROM"
		   "  (SELECT h.probability FROM sales_crm.phase_probability h"
		   "   WHERE h.phase_id = p.phase_id ORDER BY h.phase_probability_id DESC LIMIT 1)",
};

static ScrmPlan fold_plan = {
	.sql =
		"WITH gone AS (DELETE FROM sales_crm.forecast_ledger WHERE ctid = ANY (ARRAY("
		"  SELECT l.ctid FROM sales_crm.forecast_ledger l LIMIT $1 FOR UPDATE SKIP LOCKED))"
		"  RETURNING *),"
		" day AS (INSERT INTO sales_crm.forecast_day AS d (day, cause, phase_id, owner_id,"
		"   source_id, month, currency, opportunities, amount, phase_base, override_weighted)"
		"  SELECT sales_crm.local_date(g.at), g.cause, g.phase_id, g.owner_id, g.source_id, g.month,"
		"   g.currency, sum(g.opportunities), sum(g.amount), sum(g.phase_base),"
		"   sum(g.override_weighted)"
		"  FROM gone g GROUP BY 1, 2, 3, 4, 5, 6, 7"
		"  ON CONFLICT ON CONSTRAINT forecast_day_key DO UPDATE"
		"  SET opportunities = d.opportunities + excluded.opportunities,"
		"   amount = d.amount + excluded.amount,"
		"   phase_base = d.phase_base + excluded.phase_base,"
		"   override_weighted = d.override_weighted + excluded.override_weighted),"
		" cell AS (INSERT INTO sales_crm.forecast_cell AS c (phase_id, owner_id, source_id, month,"
		"   currency, opportunities, amount, phase_base, override_weighted)"
		"  SELECT g.phase_id, g.owner_id, g.source_id, g.month, g.currency,"
		"   sum(g.opportunities), sum(g.amount), sum(g.phase_base), sum(g.override_weighted)"
		"  FROM gone g GROUP BY 1, 2, 3, 4, 5"
		"  ON CONFLICT ON CONSTRAINT forecast_cell_key DO UPDATE"
		"  SET opportunities = c.opportunities + excluded.opportunities,"
		"   amount = c.amount + excluded.amount,"
		"   phase_base = c.phase_base + excluded.phase_base,"
		"   override_weighted = c.override_weighted + excluded.override_weighted)"
		" SELECT g.forecast_ledger_id FROM gone g",
	.nargs = 1,
	.argtypes = {INT4OID},
};

static LedgerEntry *find_entry(Ledger *ledger, const LedgerEntry *wanted);
static void spill(Ledger *ledger);
static void accumulate(Ledger *ledger, NullableDatum *sum, Datum value, int sign);
static Datum hundredth_of(Datum value);
static bool is_zero(const NullableDatum *sum);
static void append_entry(Batch *batch, const LedgerEntry *entry);
static uint64 run_alone(ScrmPlan *plan, PlanMode mode, Datum *values);
static void maybe_fold(int appended);
static uint64 fold(int entries);

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
	Batch batch;
	int appended = 0;

	batch_open(&batch, &append_plan);
	if (ledger->many != NULL)
	{
		HASH_SEQ_STATUS status;
		const LedgerEntry *entry;

		hash_seq_init(&status, ledger->many);
		while ((entry = hash_seq_search(&status)) != NULL)
			append_entry(&batch, entry);
		appended = hash_get_num_entries(ledger->many);
	}
	else
	{
		for (int i = 0; i < ledger->nfew; i++)
			append_entry(&batch, &ledger->few[i]);
		appended = ledger->nfew;
	}
	batch_close(&batch);
	MemoryContextDelete(ledger->context);
	maybe_fold(appended);
}

/*
 * ledger_append_truncation counts out all there is. TRUNCATE has waited for all writers, so that
 * what is committed now is all of it, whatever older snapshot the transaction has.
 */
void
ledger_append_truncation(void)
{
	(void) run_alone(&truncate_plan, PLAN_WRITE_LATEST, NULL);
}

/* forecast_cell_key is the same on all machines, so that a dump may go anywhere. */
Datum
scrm_forecast_cell_key(PG_FUNCTION_ARGS)
{
	const uint64 spread = UINT64CONST(0x9E3779B97F4A7C15);
	uint64 key = 0;

	for (int i = 0; i < 4; i++)
	{
		int64 part = 0;

		if (!PG_ARGISNULL(i))
			part = i == 3 ? (int64) PG_GETARG_DATEADT(i) + 1 : PG_GETARG_INT64(i);
		key = hash_combine64(key, (uint64) part * spread);
	}
	if (!PG_ARGISNULL(4))
	{
		const struct varlena *currency = PG_GETARG_TEXT_PP(4);
		const char *letters = VARDATA_ANY(currency);

		for (size_t i = 0; i < VARSIZE_ANY_EXHDR(currency); i++)
			key = hash_combine64(key, (unsigned char) letters[i] * spread);
	}
	PG_RETURN_INT64((int64) key);
}

Datum
scrm_compact_forecast(PG_FUNCTION_ARGS)
{
	int32 entries = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);

	if (entries <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of entries to fold must be positive"),
				 PG_ARGISNULL(0) ? errdetail("It is NULL.") : errdetail("It is %d.", entries),
				 errhint("Leave it out for 10000.")));
	if (!ConditionalLockRelationOid(plan_relation("opportunity"), RowExclusiveLock))
		PG_RETURN_INT64(0);
	PG_RETURN_INT64((int64) fold(entries));
}

Datum
scrm_rebuild_forecast(PG_FUNCTION_ARGS pg_attribute_unused())
{
	uint64 corrected;

	LockRelationOid(plan_relation("opportunity"), ShareRowExclusiveLock);
	corrected = run_alone(&settle_plan, PLAN_WRITE_LATEST, NULL);
	corrected += run_alone(&correct_plan, PLAN_WRITE_LATEST, NULL);
	(void) run_alone(&probability_plan, PLAN_WRITE_LATEST, NULL);
	PG_RETURN_INT64((int64) corrected);
}

Datum
scrm_phase_ledger(PG_FUNCTION_ARGS)
{
	(void) trigger_require(fcinfo, "phase_ledger", TRIGGER_EVENT_AFTER, 0);
	(void) run_alone(&probability_plan, PLAN_WRITE, NULL);
	return PointerGetDatum(NULL);
}

/*
 * company_ledger corrects the months of closed opportunities. A statement that sets the time zone
 * has locked sales_crm.opportunity against writers before.
 */
Datum
scrm_company_ledger(PG_FUNCTION_ARGS)
{
	(void) trigger_require(fcinfo, "company_ledger", TRIGGER_EVENT_AFTER, 0);
	(void) run_alone(&correct_plan, PLAN_WRITE_LATEST, NULL);
	return PointerGetDatum(NULL);
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

static void
append_entry(Batch *batch, const LedgerEntry *entry)
{
	const LedgerCell *cell = &entry->key.cell;
	NullableDatum row[] = {
		batch_value((Datum) 0),
		batch_value(Int64GetDatum(cell->phase_id)),
		batch_key(cell->owner_id),
		batch_key(cell->source_id),
		cell->month == LEDGER_UNDATED ? batch_null() : batch_value(DateADTGetDatum(cell->month)),
		batch_value((Datum) 0),
		batch_value(Int32GetDatum((int32) entry->opportunities)),
		entry->amount,
		entry->phase_amount,
		entry->override_weighted,
	};
	MemoryContext caller;

	if (entry->opportunities == 0 && is_zero(&entry->amount) && is_zero(&entry->phase_amount) &&
		is_zero(&entry->override_weighted))
		return;
	caller = MemoryContextSwitchTo(batch_context(batch));
	row[0] = batch_value(CStringGetTextDatum(cause_names[entry->key.cause]));
	row[5] = batch_value(CStringGetTextDatum(cell->currency));
	if (!entry->phase_amount.isnull)
		row[8] = batch_value(hundredth_of(entry->phase_amount.value));
	MemoryContextSwitchTo(caller);
	batch_add(batch, row);
}

/* run_alone runs one statement and returns its number of rows. */
static uint64
run_alone(ScrmPlan *plan, PlanMode mode, Datum *values)
{
	uint64 rows;

	plan_begin();
	rows = plan_run(plan, mode, values, NULL);
	plan_end();
	return rows;
}

/*
 * maybe_fold folds now and then. A transaction that keeps one snapshot leaves it to others: it
 * would fail on entries that another has folded since.
 */
static void
maybe_fold(int appended)
{
	Relation relation;
	BlockNumber pages;

	if (IsolationUsesXactSnapshot() ||
		pg_prng_double(&pg_global_prng_state) * FOLD_EVERY >= appended)
		return;
	relation = table_open(plan_relation("forecast_ledger"), AccessShareLock);
	pages = RelationGetNumberOfBlocks(relation);
	table_close(relation, AccessShareLock);
	if (pages >= FOLD_FROM_PAGES)
		(void) fold(FOLD_AT_MOST);
}

/* fold folds entries, unless somebody is at it, and returns how many. */
static uint64
fold(int entries)
{
	Datum values[1] = {Int32GetDatum(entries)};

	if (!DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4,
										  Int32GetDatum((int32) plan_namespace()),
										  Int32GetDatum(FOLD_LOCK))))
		return 0;
	return run_alone(&fold_plan, PLAN_WRITE, values);
}
