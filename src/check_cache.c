/*
 * check_cache.c
 *		Keeps the conditions of the tables of sales_crm compiled: CHECK constraints and WHEN of
 *		triggers.
 *
 * The executor reads the conditions of a table from their stored text and compiles them in each
 * statement that writes to it. Tables here have many, statements often write one row, and a row
 * has consequences in other tables, so that this was nearly half of the work of an INSERT. Each
 * starting statement (statement.c) gets the compiled conditions of the statements before. All of
 * them are still checked, by the executor, which reports them as ever.
 *
 * Kept are conditions that consist of nothing but columns, constants and what is built in: their
 * compiled form holds nothing of the statement that made it and cannot call itself. The executor is
 * left with any other WHEN, and with all constraints of a table that has another one. The
 * definitions come from the relation cache, whose callback marks what has changed.
 *
 * The CHECK that a file's content has its checksum would hash it again, right after the checksum was
 * computed: sha256() remembers the last bytes here (digest.h). Names
 * that must say something are asked for a printed character first, before a regular expression is.
 *
 * Memory: what is compiled lives in one context per table. What has changed may still be in use
 * by an outer statement, so it is freed at the end of the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/execExpr.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "check_cache.h"
#include "compat.h"
#include "digest.h"
#include "expression.h"

typedef struct TableChecks
{
	Oid relid; /* key */
	bool valid;
	ExprState **checks; /* one per constraint; NULL: to be left to the executor */
	ExprState **whens;	/* one per trigger, NULL the same; or NULL: none has one to be kept */
	MemoryContext context;
} TableChecks;

static HTAB *tables = NULL;
static MemoryContext outdated = NULL;

static const TableChecks *find_table(const ResultRelInfo *result);
static void compile(TableChecks *table, const ResultRelInfo *result);
static ExprState **compile_checks(const TupleConstr *constr);
static ExprState **compile_whens(const TriggerDesc *triggers, const TupleConstr *constr);
static ExprState *compile_when(const Trigger *trigger);
static void use_own_functions(ExprState *state);
static bool asks_for_something(const FmgrInfo *function);
static Datum says_something(PG_FUNCTION_ARGS);
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
	const TableChecks *table = find_table(result);

	if (result->RESULT_CHECKS == NULL)
		result->RESULT_CHECKS = table->checks;
	for (int i = 0; table->whens != NULL && i < result->ri_TrigDesc->numtriggers; i++)
	{
		if (result->ri_TrigWhenExprs[i] == NULL)
			result->ri_TrigWhenExprs[i] = table->whens[i];
	}
}

static const TableChecks *
find_table(const ResultRelInfo *result)
{
	Oid relid = RelationGetRelid(result->ri_RelationDesc);
	bool found;
	TableChecks *table = hash_search(tables, &relid, HASH_ENTER, &found);

	if (!found)
	{
		table->valid = false;
		table->context = NULL;
	}
	if (!table->valid)
		compile(table, result);
	return table;
}

static void
compile(TableChecks *table, const ResultRelInfo *result)
{
	const TupleConstr *constr = RelationGetDescr(result->ri_RelationDesc)->constr;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context =
		AllocSetContextCreate(caller, "sales_crm checks of a table", ALLOCSET_SMALL_SIZES);
	ExprState **checks;
	ExprState **whens;

	MemoryContextSwitchTo(context);
	checks = compile_checks(constr);
	whens = compile_whens(result->ri_TrigDesc, constr);
	MemoryContextSwitchTo(caller);

	if (table->context != NULL)
		MemoryContextSetParent(table->context, outdated);
	MemoryContextSetParent(context, TopMemoryContext);
	table->context = context;
	table->checks = checks;
	table->whens = whens;
	table->valid = true;
}

static ExprState **
compile_checks(const TupleConstr *constr)
{
	int count = constr == NULL ? 0 : constr->num_check;
	ExprState **checks = count == 0 ? NULL : palloc_array(ExprState *, count);

	for (int i = 0; i < count; i++)
	{
		Expr *check = stringToNode(constr->check[i].ccbin);

		if (!CHECK_IS_PLAIN(constr, i) || !expression_is_plain((Node *) check))
			return NULL;
		checks[i] = ExecInitExpr(expression_planner(check), NULL);
		use_own_functions(checks[i]);
	}
	return checks;
}

static ExprState **
compile_whens(const TriggerDesc *triggers, const TupleConstr *constr)
{
	ExprState **whens = NULL;

	for (int i = 0; triggers != NULL && !HAS_VIRTUAL(constr) && i < triggers->numtriggers; i++)
	{
		ExprState *when = compile_when(&triggers->triggers[i]);

		if (when != NULL && whens == NULL)
			whens = palloc0_array(ExprState *, triggers->numtriggers);
		if (when != NULL)
			whens[i] = when;
	}
	return whens;
}

/* compile_when reads the old row as the inner one and the new row as the outer one, as the executor. */
static ExprState *
compile_when(const Trigger *trigger)
{
	Node *when = trigger->tgqual == NULL ? NULL : stringToNode(trigger->tgqual);
	List *conditions;

	if (when == NULL || !expression_is_plain(when))
		return NULL;
	ChangeVarNodes(when, PRS2_OLD_VARNO, INNER_VAR, 0);
	ChangeVarNodes(when, PRS2_NEW_VARNO, OUTER_VAR, 0);
	conditions = make_ands_implicit((Expr *) when);
	return ExecInitQual((List *) expression_planner((Expr *) conditions), NULL);
}

/*
 * use_own_functions puts the function that remembers in the place of sha256(), and one that most texts
 * do not make search in that of ~ '\S'.
 */
static void
use_own_functions(ExprState *state)
{
	for (int i = 0; i < state->steps_len; i++)
	{
		ExprEvalStep *step = &state->steps[i];
		ExprEvalOp op = ExecEvalStepOp(state, step);

		if (op == STEP_OF_STRICT_FUNCTION && step->d.func.finfo->fn_oid == F_SHA256)
			step->d.func.fn_addr = digest_sha256;
		else if (op == STEP_OF_STRICT_OPERATOR && asks_for_something(step->d.func.finfo))
			step->d.func.fn_addr = says_something;
	}
}

/* asks_for_something says whether an operator is ~ '\S'. */
static bool
asks_for_something(const FmgrInfo *function)
{
	static const char something[] = "\\S";
	const OpExpr *call = (const OpExpr *) function->fn_expr;
	const Const *pattern;
	const text *expression;

	if (function->fn_oid != F_TEXTREGEXEQ || !IsA(call, OpExpr))
		return false;
	pattern = lsecond(call->args);
	if (!IsA(pattern, Const) || pattern->constisnull)
		return false;
	expression = DatumGetTextPP(pattern->constvalue);
	return VARSIZE_ANY_EXHDR(expression) == sizeof(something) - 1 &&
		   memcmp(VARDATA_ANY(expression), something, sizeof(something) - 1) == 0;
}

/* says_something is ~ for that pattern: any character of ASCII that is printed is no space. */
static Datum
says_something(PG_FUNCTION_ARGS)
{
	const text *value = PG_GETARG_TEXT_PP(0);
	const char *characters = VARDATA_ANY(value);
	size_t length = VARSIZE_ANY_EXHDR(value);

	for (size_t i = 0; i < length; i++)
	{
		if (characters[i] > ' ' && characters[i] < 0x7f)
			PG_RETURN_BOOL(true);
	}
	return textregexeq(fcinfo);
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
