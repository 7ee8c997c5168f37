/*
 * compaction.c
 *		Folds the ledger of the forecast into days and cells, and mends it.
 *
 * Folding deletes entries and adds their sums to forecast_day and forecast_cell in one statement, so
 * that every snapshot sees either the entries or their sums. One session folds at a time, by an
 * advisory lock that nobody waits for; writers do it now and then, when the ledger has grown, so
 * that it stays short without anybody's care.
 *
 * Lock order: sales_crm.opportunity (which every writer has locked already), the advisory lock,
 * rows of forecast_ledger, forecast_day, forecast_cell.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "compaction.h"
#include "compat.h"
#include "configuration.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_compact_forecast);
PG_FUNCTION_INFO_V1(scrm_rebuild_forecast);
PG_FUNCTION_INFO_V1(scrm_phase_ledger);
PG_FUNCTION_INFO_V1(scrm_company_ledger);
PG_FUNCTION_INFO_V1(scrm_forecast_cell_weigh);

/*
 * Readers pay some 3 µs for each entry of the ledger, writers some 300 µs for each fold beside what
 * its entries cost. So one is due for every fourth page that is begun, which is 240 entries. Who is
 * due may find more, and folds up to so many. Of a large ledger most pages wait for vacuum, and
 * entries are on the last ones, unless vacuum has been there and gave others back for use. Now and
 * then a fold is of all pages, for entries that long transactions left behind, and tidies up.
 */
#define FOLD_EVERY_PAGES 4
#define FOLD_EVERY 240
#define FOLD_AT_MOST 16384
#define FOLD_LAST_PAGES 384
#define FOLD_ALL_EVERY 32

/* Two cells may have the same key, so that all columns count */
#define SAME_CELL                                                                    \
	"c.cell = n.cell AND (c.phase_id, c.owner_id, c.source_id, c.month, c.currency)" \
	" IS NOT DISTINCT FROM (n.phase_id, n.owner_id, n.source_id, n.month, n.currency)"

/* Of a cell's weighted amount: beyond all that numeric(28,8) need hold */
#define WEIGHTED_LIMIT INT64CONST(1000000000000000000)

/* What the trigger of forecast_cell looks at */
enum
{
	CELL_PHASE_ID,
	CELL_AMOUNT,
	CELL_PHASE_BASE,
	CELL_OVERRIDE_WEIGHTED,
	CELL_BASIS_POINTS,
	CELL_WEIGHTED_AMOUNT,
	CELL_COLUMNS
};

/* Key of the advisory lock, beside the schema's oid */
#define FOLD_LOCK 1

/* All cells of the moment, counted out */
static ScrmPlan truncate_plan = {
	.sql =
		"INSERT INTO sales_crm.forecast_ledger (cause, cell, phase_id, owner_id, source_id, month,"
		"  currency, opportunities, amount, phase_base, override_weighted)"
		" SELECT 'deleted', min(e.cell), e.phase_id, e.owner_id, e.source_id, e.month, e.currency,"
		"  -sum(e.opportunities), -sum(e.amount), -sum(e.phase_base),"
		"  -sum(e.override_weighted)"
		" FROM (SELECT c.cell, c.phase_id, c.owner_id, c.source_id, c.month, c.currency,"
		"   c.opportunities, c.amount, c.phase_base, c.override_weighted"
		"  FROM sales_crm.forecast_cell c"
		"  UNION ALL SELECT l.cell, l.phase_id, l.owner_id, l.source_id, l.month, l.currency,"
		"   l.opportunities, l.amount, l.phase_base, l.override_weighted"
		"  FROM sales_crm.forecast_ledger l) e"
		" GROUP BY 3, 4, 5, 6, 7"
		" HAVING (sum(e.opportunities), sum(e.amount), sum(e.phase_base),"
		"  sum(e.override_weighted)) <> (0, 0, 0, 0)",
};

/* What the ledger lacks */
static ScrmPlan correct_plan = {
	.sql =
		"INSERT INTO sales_crm.forecast_ledger (cause, cell, phase_id, owner_id, source_id, month,"
		"  currency, opportunities, amount, phase_base, override_weighted)"
		" SELECT 'corrected', sales_crm.forecast_cell_key(v.phase_id, v.owner_id, v.source_id,"
		"   v.month, v.currency), v.phase_id, v.owner_id, v.source_id, v.month, v.currency,"
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

/* Cells that are there already are updated, which costs less than finding out by a conflict. */
static ScrmPlan fold_plan = {
	.sql =
		"WITH gone AS (DELETE FROM sales_crm.forecast_ledger WHERE ctid = ANY (ARRAY("
		"  SELECT l.ctid FROM sales_crm.forecast_ledger l WHERE l.ctid >= $2 LIMIT $1))"
		"  RETURNING *),"
		" folded AS (SELECT sales_crm.local_date(g.at) AS day, g.cause, g.cell, g.phase_id,"
		"   g.owner_id, g.source_id, g.month, g.currency, sum(g.opportunities) AS opportunities,"
		"   sum(g.amount) AS amount, sum(g.phase_base) AS phase_base,"
		"   sum(g.override_weighted) AS override_weighted"
		"  FROM gone g GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),"
		" day AS (INSERT INTO sales_crm.forecast_day AS d (day, cause, phase_id, owner_id,"
		"   source_id, month, currency, opportunities, amount, phase_base, override_weighted)"
		"  SELECT f.day, f.cause, f.phase_id, f.owner_id, f.source_id, f.month, f.currency,"
		"   f.opportunities, f.amount, f.phase_base, f.override_weighted FROM folded f"
		"  ON CONFLICT ON CONSTRAINT forecast_day_key DO UPDATE"
		"  SET opportunities = d.opportunities + excluded.opportunities,"
		"   amount = d.amount + excluded.amount,"
		"   phase_base = d.phase_base + excluded.phase_base,"
		"   override_weighted = d.override_weighted + excluded.override_weighted),"
		" counted AS MATERIALIZED (SELECT f.cell, f.phase_id, f.owner_id, f.source_id, f.month,"
		"   f.currency, sum(f.opportunities) AS opportunities, sum(f.amount) AS amount,"
		"   sum(f.phase_base) AS phase_base, sum(f.override_weighted) AS override_weighted"
		"  FROM folded f GROUP BY 1, 2, 3, 4, 5, 6),"
		" known AS (UPDATE sales_crm.forecast_cell c"
		"  SET opportunities = c.opportunities + n.opportunities, amount = c.amount + n.amount,"
		"   phase_base = c.phase_base + n.phase_base,"
		"   override_weighted = c.override_weighted + n.override_weighted"
		"  FROM counted n WHERE " SAME_CELL "),"
		" added AS (INSERT INTO sales_crm.forecast_cell AS c (phase_id, owner_id, source_id, month,"
		"   currency, opportunities, amount, phase_base, override_weighted)"
		"  SELECT n.phase_id, n.owner_id, n.source_id, n.month, n.currency,"
		"   n.opportunities, n.amount, n.phase_base, n.override_weighted"
		"  FROM counted n WHERE NOT EXISTS"
		"   (SELECT FROM sales_crm.forecast_cell c WHERE " SAME_CELL ")"
		"  ON CONFLICT ON CONSTRAINT forecast_cell_key DO UPDATE"
		"  SET opportunities = c.opportunities + excluded.opportunities,"
		"   amount = c.amount + excluded.amount,"
		"   phase_base = c.phase_base + excluded.phase_base,"
		"   override_weighted = c.override_weighted + excluded.override_weighted)"
		" SELECT 1 FROM gone",
	.nargs = 2,
	.argtypes = {INT4OID, TIDOID},
};

/* Cells that nothing counts in any more would be passed over by readers for ever */
static ScrmPlan sweep_plan = {
	.sql = "DELETE FROM sales_crm.forecast_cell c"
		   " WHERE (c.opportunities, c.amount, c.phase_base, c.override_weighted) = (0, 0, 0, 0)",
};

/* Cells weighed with a probability of before are read more slowly; the trigger weighs them */
static ScrmPlan reweigh_plan = {
	.sql = "UPDATE sales_crm.forecast_cell c SET weighted_amount = NULL FROM sales_crm.phase p"
		   " WHERE p.phase_id = c.phase_id AND (c.basis_points, c.weighted_amount) IS DISTINCT FROM"
		   "  ((p.probability * 100)::integer, c.phase_base * p.probability + c.override_weighted)",
};

static bool weigh(Datum *values, int32 typmod);
static uint64 run_alone(ScrmPlan *plan, PlanMode mode, Datum *values);
static uint64 fold(int entries, BlockNumber from, bool tidy);

/*
 * compaction_append_truncation counts out all there is. TRUNCATE has waited for all writers, so that
 * what is committed now is all of it, whatever older snapshot the transaction has.
 */
void
compaction_append_truncation(void)
{
	(void) run_alone(&truncate_plan, PLAN_WRITE_LATEST, NULL);
}

/* compaction_is_due says whether the entry that was appended there makes a fold due. */
bool
compaction_is_due(const ItemPointerData *place)
{
	return ItemPointerGetOffsetNumber(place) == FirstOffsetNumber &&
		   ItemPointerGetBlockNumber(place) % FOLD_EVERY_PAGES == FOLD_EVERY_PAGES - 1;
}

/* compaction_is_due_by_chance is for entries of which the place is not known. */
bool
compaction_is_due_by_chance(void)
{
	return pg_prng_double(&pg_global_prng_state) * FOLD_EVERY < 1;
}

/*
 * compaction_fold folds for a writer who is due, with an entry in that block. A transaction that
 * keeps one snapshot leaves it to others: it would fail on entries that another has folded since.
 */
void
compaction_fold(BlockNumber block)
{
	Relation relation;
	BlockNumber pages;
	BlockNumber from = 0;
	bool all = pg_prng_double(&pg_global_prng_state) * FOLD_ALL_EVERY < 1;

	if (IsolationUsesXactSnapshot())
		return;
	relation = table_open(plan_relation("forecast_ledger"), AccessShareLock);
	pages = RelationGetNumberOfBlocks(relation);
	table_close(relation, AccessShareLock);
	if (!all && pages > FOLD_LAST_PAGES && block >= pages - FOLD_LAST_PAGES)
		from = pages - FOLD_LAST_PAGES;
	(void) fold(FOLD_AT_MOST, from, all);
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
	PG_RETURN_INT64((int64) fold(entries, 0, true));
}

Datum
scrm_rebuild_forecast(PG_FUNCTION_ARGS pg_attribute_unused())
{
	uint64 corrected;

	LockRelationOid(plan_relation("opportunity"), ShareRowExclusiveLock);
	corrected = run_alone(&settle_plan, PLAN_WRITE_LATEST, NULL);
	(void) run_alone(&sweep_plan, PLAN_WRITE_LATEST, NULL);
	corrected += run_alone(&reweigh_plan, PLAN_WRITE_LATEST, NULL);
	corrected += run_alone(&correct_plan, PLAN_WRITE_LATEST, NULL);
	(void) run_alone(&probability_plan, PLAN_WRITE_LATEST, NULL);
	PG_RETURN_INT64((int64) corrected);
}

Datum
scrm_phase_ledger(PG_FUNCTION_ARGS)
{
	trigger_require_table(trigger_require(fcinfo, "phase_ledger", TRIGGER_EVENT_AFTER, 0), "phase");
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
	trigger_require_table(trigger_require(fcinfo, "company_ledger", TRIGGER_EVENT_AFTER, 0),
						  "company");
	(void) run_alone(&correct_plan, PLAN_WRITE_LATEST, NULL);
	return PointerGetDatum(NULL);
}

/*
 * forecast_cell_weigh keeps a cell's weighted amount, with the probability that it was weighed with,
 * so that readers need not multiply unless the phase has another one since. It stores numbers
 * unpacked, as STORAGE PLAIN lets it, which spares each reader a copy of each.
 */
Datum
scrm_forecast_cell_weigh(PG_FUNCTION_ARGS)
{
	static const char *const names[CELL_COLUMNS] = {
		[CELL_PHASE_ID] = "phase_id",		  [CELL_AMOUNT] = "amount",
		[CELL_PHASE_BASE] = "phase_base",	  [CELL_OVERRIDE_WEIGHTED] = "override_weighted",
		[CELL_BASIS_POINTS] = "basis_points", [CELL_WEIGHTED_AMOUNT] = "weighted_amount",
	};
	TriggerData *trigger =
		trigger_require(fcinfo, "forecast_cell_weigh", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	Relation relation = trigger->tg_relation;
	TupleDesc tupdesc = RelationGetDescr(relation);
	TupleTableSlot *slot =
		TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? trigger->tg_trigslot : trigger->tg_newslot;
	HeapTuple tuple = ExecFetchSlotHeapTuple(slot, true, NULL);
	int columns[CELL_COLUMNS];
	Datum values[CELL_COLUMNS] = {0};
	bool nulls[CELL_COLUMNS] = {false};

	if (RelationGetRelid(relation) != plan_relation("forecast_cell"))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("trigger function forecast_cell_weigh does not serve table \"%s\"",
							   RelationGetRelationName(relation)),
						errhint("Drop the trigger on that table.")));
	for (int i = 0; i < CELL_COLUMNS; i++)
	{
		columns[i] = SPI_fnumber(tupdesc, names[i]);
		if (columns[i] <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("sales_crm.forecast_cell has no column \"%s\"", names[i]),
							errhint("Add or rename it back.")));
		values[i] = slot_getattr(slot, columns[i], &nulls[i]);
		if (i < CELL_BASIS_POINTS && nulls[i])
			return PointerGetDatum(tuple);
		if (i > CELL_PHASE_ID && i < CELL_BASIS_POINTS)
			values[i] = PointerGetDatum(PG_DETOAST_DATUM(values[i]));
	}
	nulls[CELL_BASIS_POINTS] = nulls[CELL_WEIGHTED_AMOUNT] =
		!weigh(values, TupleDescAttr(tupdesc, columns[CELL_WEIGHTED_AMOUNT] - 1)->atttypmod);
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, tupdesc, CELL_COLUMNS - 1, columns + 1,
													 values + 1, nulls + 1));
}

/*
 * weigh fills in what a cell weighs, as numeric of that typmod, and by which probability. It says
 * false when there is no such phase, and of an amount that has no room in the column, which is for
 * the reader to refuse, not for the writer.
 */
static bool
weigh(Datum *values, int32 typmod)
{
	const Phase *phase =
		configuration_find_phase(configuration_get(), DatumGetInt64(values[CELL_PHASE_ID]));
	Datum weighted;

	if (phase == NULL)
		return false;
	weighted = DirectFunctionCall2(
		numeric_add, DirectFunctionCall2(numeric_mul, values[CELL_PHASE_BASE], phase->probability),
		values[CELL_OVERRIDE_WEIGHTED]);
	if (DatumGetBool(DirectFunctionCall2(numeric_ge, DirectFunctionCall1(numeric_abs, weighted),
										 NumericGetDatum(int64_to_numeric(WEIGHTED_LIMIT)))))
		return false;
	values[CELL_WEIGHTED_AMOUNT] = DirectFunctionCall2(numeric, weighted, Int32GetDatum(typmod));
	values[CELL_BASIS_POINTS] = DirectFunctionCall1(
		numeric_int4, DirectFunctionCall2(numeric_mul, phase->probability,
										  NumericGetDatum(int64_to_numeric(100))));
	return true;
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

/* fold folds entries from a page on, unless somebody is at it, and returns how many. */
static uint64
fold(int entries, BlockNumber from, bool tidy)
{
	ItemPointerData first;
	Datum values[2] = {Int32GetDatum(entries), PointerGetDatum(&first)};
	uint64 folded;

	if (!DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4,
										  Int32GetDatum((int32) plan_namespace()),
										  Int32GetDatum(FOLD_LOCK))))
		return 0;
	ItemPointerSet(&first, from, FirstOffsetNumber);
	folded = run_alone(&fold_plan, PLAN_WRITE, values);
	if (folded > 0 && tidy)
	{
		(void) run_alone(&sweep_plan, PLAN_WRITE, NULL);
		(void) run_alone(&reweigh_plan, PLAN_WRITE, NULL);
	}
	return folded;
}
