/*
 * statement.c
 *		A hook at the start of statements that write to tables of sales_crm.
 *
 * It saves the executor work that would be the same each time: see check_cache.c and
 * reference.c. Other statements, and other tables, are left alone.
 *
 * Memory: the statement's.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "utils/rel.h"

#include "check_cache.h"
#include "plan.h"
#include "reference.h"
#include "statement.h"

static ExecutorStart_hook_type next_hook = NULL;

static void start(QueryDesc *query, int eflags);

void
statement_init(void)
{
	check_cache_init();
	next_hook = ExecutorStart_hook;
	ExecutorStart_hook = start;
}

static void
start(QueryDesc *query, int eflags)
{
	ListCell *cell;

	if (next_hook != NULL)
		next_hook(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || query->operation == CMD_DELETE)
		return;
	foreach (cell, query->estate->es_opened_result_relations)
	{
		ResultRelInfo *result = lfirst(cell);

		if (!plan_is_ours(result->ri_RelationDesc))
			continue;
		check_cache_fill(result);
		reference_fill(result, query->estate->es_query_cxt);
	}
}
