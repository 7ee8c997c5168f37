/*
 * check_cache.c
 *		Keeps the CHECK constraints of the tables of sales_crm compiled.
 *
 * The executor reads the constraints of a table from their stored text and compiles them in each
 * statement that writes to it. Tables here have many, statements often write one row, and a row
 * has consequences in other tables, so that this was nearly half of the work of an INSERT. Each
 * starting statement (statement.c) gets the compiled constraints of the statements before. All of them are
 * still checked, by the executor, which reports them as ever.
 *
 * Kept are constraints that consist of nothing but columns, constants and what is built in: their
 * compiled form holds nothing of the statement that made it and cannot call itself. A table that
 * has any other is left to the executor. The definitions come from the relation cache, whose
 * callback marks what has changed.
 *
 * Memory: what is compiled lives in one context per table. What has changed may still be in use
 * by an outer statement, so it is freed at the end of the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "check_cache.h"
#include "compat.h"
#include "expression.h"

typedef struct TableChecks
{
	Oid relid; /* key */
	bool valid;
	ExprState **states; /* one per constraint; NULL: to be left to the executor */
	MemoryContext context;
} TableChecks;

static HTAB *tables = NULL;
static MemoryContext outdated = NULL;

static TableChecks *find_table(Relation relation);
static void compile(TableChecks *table, Relation relation);
static void relcache_callback(Datum arg, Oid relid);
static void free_outdated(XactEvent event, void *arg);

void
check_cache_init(void)
{
	HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(TableChecks)};

	outdated =
		AllocSetContextCreate(TopMemoryContext, "sales_crm outdated checks", ALLOCSET_SMALL_SIZES);
	tables = hash_create("sales_crm checks", 64, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	RegisterXactCallback(free_outdated, NULL);
}

void
check_cache_fill(ResultRelInfo *result)
{
	const TupleConstr *constr = RelationGetDescr(result->ri_RelationDesc)->constr;

	if (result->RESULT_CHECKS == NULL && constr != NULL && constr->num_check > 0)
		result->RESULT_CHECKS = find_table(result->ri_RelationDesc)->states;
}

static TableChecks *
find_table(Relation relation)
{
	Oid relid = RelationGetRelid(relation);
	bool found;
	TableChecks *table = hash_search(tables, &relid, HASH_ENTER, &found);

	if (!found)
	{
		table->valid = false;
		table->context = NULL;
	}
	if (!table->valid)
		compile(table, relation);
	return table;
}

static void
compile(TableChecks *table, Relation relation)
{
	const TupleConstr *constr = RelationGetDescr(relation)->constr;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(caller, "sales_crm checks of a table", ALLOCSET_SMALL_SIZES);
	bool kept = true;
	ExprState **states;

	MemoryContextSwitchTo(context);
	states = palloc_array(ExprState *, constr->num_check);
	for (int i = 0; kept && i < constr->num_check; i++)
	{
		Expr *check = stringToNode(constr->check[i].ccbin);

		kept = CHECK_IS_PLAIN(constr, i) && expression_is_plain((Node *) check);
		if (kept)
			states[i] = ExecInitExpr(expression_planner(check), NULL);
	}
	MemoryContextSwitchTo(caller);

	if (table->context != NULL)
		MemoryContextSetParent(table->context, outdated);
	MemoryContextSetParent(context, TopMemoryContext);
	table->context = context;
	table->states = kept ? states : NULL;
	table->valid = true;
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	HASH_SEQ_STATUS status;
	TableChecks *table;

	if (OidIsValid(relid))
	{
		table = hash_search(tables, &relid, HASH_FIND, NULL);
		if (table != NULL)
			table->valid = false;
		return;
	}
	hash_seq_init(&status, tables);
	while ((table = hash_seq_search(&status)) != NULL)
		table->valid = false;
}

/* free_outdated runs when no statement is under way any more. */
static void
free_outdated(XactEvent event, void *arg pg_attribute_unused())
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		MemoryContextReset(outdated);
}
