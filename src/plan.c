/*
 * plan.c
 *		Prepares, keeps and runs the SQL of all other modules.
 *
 * Statements run as the owner of sales_crm.opportunity (unless they are to see what the caller may
 * see), as foreign keys do, and with a search_path of pg_catalog alone, so that nothing a caller
 * created can be called by accident or on purpose. Both are set around preparing and running, and
 * undone by transaction abort where an error ends them.
 *
 * Memory: kept plans live as long as the session, results until plan_end().
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "plan.h"

#define SAFE_SEARCH_PATH "pg_catalog, pg_temp"

/* Of the tables; InvalidOid: to be read again, since some table or schema has changed */
static Oid owner = InvalidOid;

static Oid read_owner(void);
static void forget_owner(Datum arg, int cache, uint32 hash);
static void plan_prepare(ScrmPlan *plan);
static bool is_planned(const ScrmPlan *plan);
static void plan_by_key(PlanRole *before);
static void set_for_now(PlanRole *before, const char *name, const char *value);

void
plan_begin(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
plan_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

/*
 * plan_run runs a statement and returns the number of rows it gave or changed; rows stay in
 * SPI_tuptable until plan_end(), the caller's memory context stays current. values and nulls are those of SPI_execute_plan().
 */
uint64
plan_run(ScrmPlan *plan, PlanMode mode, Datum *values, const char *nulls)
{
	MemoryContext caller = CurrentMemoryContext;
	bool as_session = mode == PLAN_READ_AS_SESSION || mode == PLAN_CHECK_AS_SESSION;
	PlanRole before;
	int result;

	if (mode == PLAN_READ_AS_CALLER)
		plan_enter(&before, GetUserId());
	else
		plan_enter(&before, as_session ? GetOuterUserId() : plan_owner());
	if (plan->kept == NULL)
		plan_prepare(plan);
	if (plan->by_key && !is_planned(plan))
		plan_by_key(&before);
	if (mode == PLAN_READ_LATEST || mode == PLAN_WRITE_LATEST)
		result = SPI_execute_snapshot(
			plan->kept, values, nulls,
			IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot(), InvalidSnapshot,
			mode == PLAN_READ_LATEST, mode == PLAN_WRITE_LATEST, 0);
	else
		result = SPI_execute_plan(plan->kept, values, nulls,
								  mode == PLAN_READ_AS_CALLER || mode == PLAN_READ_AS_SESSION, 0);
	if (result < 0)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), plan->sql);

	plan_leave(&before);
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

/*
 * plan_enter goes on as a role with the safe search_path, until plan_leave(). Settings are undone at
 * a price, so that they are left alone where they are right.
 */
void
plan_enter(PlanRole *before, Oid role)
{
	GetUserIdAndSecContext(&before->role, &before->sec_context);
	before->nestlevel = 0;
	if (role != before->role)
		SetUserIdAndSecContext(role, before->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	if (strcmp(namespace_search_path, SAFE_SEARCH_PATH) != 0)
		set_for_now(before, "search_path", SAFE_SEARCH_PATH);
}

void
plan_leave(const PlanRole *before)
{
	if (before->nestlevel > 0)
		AtEOXact_GUC(true, before->nestlevel);
	SetUserIdAndSecContext(before->role, before->sec_context);
}

/* plan_namespace returns the schema sales_crm. */
Oid
plan_namespace(void)
{
	return get_namespace_oid("sales_crm", false);
}

/*
 * plan_relation returns a table of sales_crm by name. Errors: 55000 when it is not there.
 */
Oid
plan_relation(const char *name)
{
	Oid relid = get_relname_relid(name, plan_namespace());

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table sales_crm.%s does not exist", name),
				 errhint("Run CALL sales_crm.setup() to create the tables that are missing.")));
	return relid;
}

/* plan_is_ours says whether a table is one of sales_crm, which need not be there. */
bool
plan_is_ours(Relation relation)
{
	return RelationGetNamespace(relation) == get_namespace_oid("sales_crm", true);
}

/* plan_owner returns the role that owns the tables: sales_crm.opportunity's. */
Oid
plan_owner(void)
{
	static bool watched = false;

	if (!watched)
	{
		CacheRegisterSyscacheCallback(RELOID, forget_owner, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_owner, (Datum) 0);
		watched = true;
	}
	if (!OidIsValid(owner))
		owner = read_owner();
	return owner;
}

static Oid
read_owner(void)
{
	Oid relid = plan_relation("opportunity");
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid role;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	role = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return role;
}

static void
forget_owner(Datum arg pg_attribute_unused(), int cache pg_attribute_unused(),
			 uint32 hash pg_attribute_unused())
{
	owner = InvalidOid;
}

/*
 * plan_prepare keeps a plan that does not depend on the parameters, or a statement that is planned
 * each time. The former lives on while tables grow, so that one by key must not read whole tables
 * even if they are nearly empty; the latter knows how many rows it gets.
 */
static void
plan_prepare(ScrmPlan *plan)
{
	SPIPlanPtr prepared =
		SPI_prepare_cursor(plan->sql, plan->nargs, plan->argtypes,
						   plan->by_set ? CURSOR_OPT_CUSTOM_PLAN : CURSOR_OPT_GENERIC_PLAN);

	if (prepared == NULL)
		elog(ERROR, "%s: %s", SPI_result_code_string(SPI_result), plan->sql);
	if (SPI_keepplan(prepared) != 0)
		elog(ERROR, "SPI_keepplan failed: %s", plan->sql);
	plan->kept = prepared;
}

/* is_planned says whether the statement will run without being planned first. */
static bool
is_planned(const ScrmPlan *plan)
{
	const CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan->kept));

	return source->is_valid && source->gplan != NULL && source->gplan->is_valid;
}

/*
 * plan_by_key has the planner find rows by keys, and by the index alone: the rows are few, for which
 * a bitmap is made for nothing. Where a table has no index, such as the company's one row, the cost
 * is no longer to be believed; JIT would believe it, and compile for longer than the statement
 * takes.
 */
static void
plan_by_key(PlanRole *before)
{
	static const char *const settings[] = {"enable_seqscan", "enable_bitmapscan", "jit"};

	for (size_t i = 0; i < lengthof(settings); i++)
		set_for_now(before, settings[i], "off");
}

static void
set_for_now(PlanRole *before, const char *name, const char *value)
{
	if (before->nestlevel == 0)
		before->nestlevel = NewGUCNestLevel();
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}
