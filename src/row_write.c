/*
 * row_write.c
 *		Sets up and takes down what the executor needs to write a row.
 *
 * Memory: the state's own contexts.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "utils/snapmgr.h"

#include "row_write.h"

EState *
row_write_begin(void)
{
	EState *estate = CreateExecutorState();

	/* What the statement has done so far is there for triggers and foreign keys */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(estate->es_query_cxt);
	estate->es_snapshot = GetActiveSnapshot();
	estate->es_output_cid = GetCurrentCommandId(true);
	return estate;
}

void
row_write_end(EState *estate, MemoryContext caller)
{
	MemoryContextSwitchTo(caller);
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecCloseResultRelations(estate);
	FreeExecutorState(estate);
	PopActiveSnapshot();
	CommandCounterIncrement();
}
