/*
 * batch.c
 *		Collects the rows that a statement's consequences write, and writes them set by set.
 *
 * Memory: arrays grow in the context that was current at batch_open(), up to one batch; values by
 * reference live in a context of their own that each flush empties. So a statement of any size
 * needs room for one batch only.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "batch.h"
#include "compat.h"

#define BATCH_FIRST_ROWS 8
#define BATCH_MAX_ROWS 8192

static void batch_grow(Batch *batch);
static void batch_flush(Batch *batch);

void
batch_open(Batch *batch, ScrmPlan *plan, int ncolumns, const Oid *types)
{
	memset(batch, 0, sizeof(Batch));
	batch->plan = plan;
	batch->ncolumns = ncolumns;
	memcpy(batch->types, types, sizeof(Oid) * ncolumns);
	batch->caller = CurrentMemoryContext;
}

/* batch_set_constant sets an argument after the arrays, counted from 0 as the arrays are. */
void
batch_set_constant(Batch *batch, int argument, NullableDatum value)
{
	batch->constants[argument] = value;
}

MemoryContext
batch_context(Batch *batch)
{
	if (batch->context == NULL)
		batch->context =
			AllocSetContextCreate(batch->caller, "sales_crm batch", ALLOCSET_DEFAULT_SIZES);
	return batch->context;
}

void
batch_add(Batch *batch, const NullableDatum *row)
{
	if (batch->nrows == batch->capacity)
		batch_grow(batch);
	for (int i = 0; i < batch->ncolumns; i++)
	{
		batch->values[i][batch->nrows] = row[i].value;
		batch->nulls[i][batch->nrows] = row[i].isnull;
	}
	if (++batch->nrows == BATCH_MAX_ROWS)
		batch_flush(batch);
}

void
batch_close(Batch *batch)
{
	if (batch->nrows > 0)
		batch_flush(batch);
	for (int i = 0; i < batch->ncolumns && batch->capacity > 0; i++)
	{
		pfree(batch->values[i]);
		pfree(batch->nulls[i]);
	}
	if (batch->context != NULL)
		MemoryContextDelete(batch->context);
}

static void
batch_grow(Batch *batch)
{
	MemoryContext caller = MemoryContextSwitchTo(batch->caller);

	if (batch->capacity == 0)
	{
		batch->capacity = BATCH_FIRST_ROWS;
		for (int i = 0; i < batch->ncolumns; i++)
		{
			batch->values[i] = palloc_array(Datum, batch->capacity);
			batch->nulls[i] = palloc_array(bool, batch->capacity);
		}
	}
	else
	{
		batch->capacity *= 2;
		for (int i = 0; i < batch->ncolumns; i++)
		{
			batch->values[i] = repalloc(batch->values[i], sizeof(Datum) * batch->capacity);
			batch->nulls[i] = repalloc(batch->nulls[i], sizeof(bool) * batch->capacity);
		}
	}
	MemoryContextSwitchTo(caller);
}

static void
batch_flush(Batch *batch)
{
	Datum values[SCRM_PLAN_MAX_ARGS];
	char nulls[SCRM_PLAN_MAX_ARGS];
	int lower = 1;

	plan_begin();
	for (int i = 0; i < batch->plan->nargs; i++)
	{
		if (i < batch->ncolumns)
		{
			int16 typlen;
			bool typbyval;
			char typalign;

			get_typlenbyvalalign(batch->types[i], &typlen, &typbyval, &typalign);
			values[i] = PointerGetDatum(construct_md_array(batch->values[i], batch->nulls[i], 1,
														   &batch->nrows, &lower, batch->types[i],
														   typlen, typbyval, typalign));
			nulls[i] = ' ';
		}
		else
		{
			values[i] = batch->constants[i].value;
			nulls[i] = batch->constants[i].isnull ? 'n' : ' ';
		}
	}
	(void) plan_run(batch->plan, PLAN_WRITE, values, nulls);
	plan_end();
	batch->nrows = 0;
	if (batch->context != NULL)
		MemoryContextReset(batch->context);
}
