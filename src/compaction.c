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
#include "utils/rel.h"

#include "compaction.h"
#include "compat.h"
#include "plan.h"
#include "trigger.h"

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

static ScrmPlan fold_plan = {
	.sql =
		"WITH gone AS (DELETE FROM sales_crm.forecast_ledger WHERE ctid = ANY (ARRAY("
		"  SELECT l.ctid FROM sales_crm.forecast_ledger l LIMIT $1))"
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
		" SELECT 1 FROM gone",
	.nargs = 1,
	.argtypes = {INT4OID},
};

/* Cells that nothing counts in any more would be read for ever */
static ScrmPlan sweep_plan = {
	.sql = "DELETE FROM sales_crm.forecast_cell c"
		   " WHERE (c.opportunities, c.amount, c.phase_base, c.override_weighted) = (0, 0, 0, 0)",
};

static uint64 run_alone(ScrmPlan *plan, PlanMode mode, Datum *values);
static uint64 fold(int entries);

/*
 * compaction_append_truncation counts out all there is. TRUNCATE has waited for all writers, so that
 * what is committed now is all of it, whatever older snapshot the transaction has.
 */
void
compaction_append_truncation(void)
{
	(void) run_alone(&truncate_plan, PLAN_WRITE_LATEST, NULL);
}

/*
 * compaction_maybe folds now and then. A transaction that keeps one snapshot leaves it to others: it
 * would fail on entries that another has folded since.
 */
void
compaction_maybe(int appended)
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
	(void) run_alone(&sweep_plan, PLAN_WRITE_LATEST, NULL);
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

/* fold folds entries, unless somebody is at it, and returns how many. */
static uint64
fold(int entries)
{
	Datum values[1] = {Int32GetDatum(entries)};
	uint64 folded;

	if (!DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4,
										  Int32GetDatum((int32) plan_namespace()),
										  Int32GetDatum(FOLD_LOCK))))
		return 0;
	folded = run_alone(&fold_plan, PLAN_WRITE, values);
	if (folded > 0)
		(void) run_alone(&sweep_plan, PLAN_WRITE, NULL);
	return folded;
}
