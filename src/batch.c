/*
 * batch.c
 *		Collects the rows that a statement's consequences write, and writes them set by set.
 *
 * One row, the common case, is written without a statement where the plan knows how, or goes to it as
 * plain parameters; more go as arrays that the statement unnests.
 *
 * Memory: arrays grow in the context that was current at batch_open(), up to one batch; values by
 * reference live in a context of their own that each flush empties. So a statement of any size
 * needs room for one batch only.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "batch.h"
#include "compat.h"

#define BATCH_FIRST_ROWS 8
#define BATCH_MAX_ROWS 8192

static void batch_grow(Batch *batch);
static void batch_flush(Batch *batch);
static void batch_write_one(const Batch *batch);
static NullableDatum first_value(const Batch *batch, int column);
static void batch_run(Batch *batch);
static ScrmPlan *plan_for_rows(BatchPlan *plan, bool many);
static char *text_for_rows(const BatchPlan *plan, bool many);
static Datum column_array(const Batch *batch, int column);

void
batch_open(Batch *batch, BatchPlan *plan)
{
	memset(batch, 0, sizeof(Batch));
	batch->plan = plan;
	batch->caller = CurrentMemoryContext;
}

/* batch_set_constant sets an argument after the columns, counted from 0 as the columns are. */
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
	for (int i = 0; i < batch->plan->ncolumns; i++)
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
	for (int i = 0; i < batch->plan->ncolumns && batch->capacity > 0; i++)
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
		for (int i = 0; i < batch->plan->ncolumns; i++)
		{
			batch->values[i] = palloc_array(Datum, batch->capacity);
			batch->nulls[i] = palloc_array(bool, batch->capacity);
		}
	}
	else
	{
		batch->capacity *= 2;
		for (int i = 0; i < batch->plan->ncolumns; i++)
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
	if (batch->nrows == 1 && batch->plan->write_one != NULL)
		batch_write_one(batch);
	else
		batch_run(batch);
	batch->nrows = 0;
	if (batch->context != NULL)
		MemoryContextReset(batch->context);
}

static void
batch_write_one(const Batch *batch)
{
	NullableDatum values[SCRM_PLAN_MAX_ARGS];

	for (int i = 0; i < batch->plan->nargs; i++)
		values[i] = i < batch->plan->ncolumns ? first_value(batch, i) : batch->constants[i];
	batch->plan->write_one(values);
}

static NullableDatum
first_value(const Batch *batch, int column)
{
	return (NullableDatum){.value = batch->values[column][0], .isnull = batch->nulls[column][0]};
}

static void
batch_run(Batch *batch)
{
	bool many = batch->nrows > 1;
	ScrmPlan *plan = plan_for_rows(batch->plan, many);
	Datum values[SCRM_PLAN_MAX_ARGS];
	char nulls[SCRM_PLAN_MAX_ARGS];

	plan_begin();
	for (int i = 0; i < plan->nargs; i++)
	{
		NullableDatum value = batch->constants[i];

		if (i < batch->plan->ncolumns)
			value = many ? batch_value(column_array(batch, i)) : first_value(batch, i);
		values[i] = value.value;
		nulls[i] = value.isnull ? 'n' : ' ';
	}
	(void) plan_run(plan, PLAN_WRITE, values, nulls);
	plan_end();
}

/* plan_for_rows returns the statement for one row or for many. */
static ScrmPlan *
plan_for_rows(BatchPlan *plan, bool many)
{
	ScrmPlan *found = many ? &plan->many : &plan->one;

	if (found->sql == NULL)
	{
		found->nargs = plan->nargs;
		found->by_key = !many;
		found->by_set = many;
		for (int i = 0; i < plan->nargs; i++)
			found->argtypes[i] =
				many && i < plan->ncolumns ? get_array_type(plan->types[i]) : plan->types[i];
		found->sql = MemoryContextStrdup(TopMemoryContext, text_for_rows(plan, many));
	}
	return found;
}

/* text_for_rows replaces each @rows of the text. */
static char *
text_for_rows(const BatchPlan *plan, bool many)
{
	static const char place[] = "@rows";
	StringInfoData text;
	const char *rest = plan->sql;
	const char *found;

	initStringInfo(&text);
	while ((found = strstr(rest, place)) != NULL)
	{
		appendBinaryStringInfo(&text, rest, found - rest);
		appendStringInfoString(&text, many ? "unnest(" : "(SELECT ");
		for (int i = 0; i < plan->ncolumns; i++)
			appendStringInfo(&text, i == 0 ? "$%d" : ", $%d", i + 1);
		appendStringInfoChar(&text, ')');
		rest = found + strlen(place);
	}
	appendStringInfoString(&text, rest);
	return text.data;
}

static Datum
column_array(const Batch *batch, int column)
{
	Oid type = batch->plan->types[column];
	int nrows = batch->nrows;
	int lower = 1;
	int16 typlen;
	bool typbyval;
	char typalign;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(batch->values[column], batch->nulls[column], 1,
											  &nrows, &lower, type, typlen, typbyval, typalign));
}

NullableDatum
batch_text(const char *text)
{
	return text == NULL ? batch_null() : batch_value(CStringGetTextDatum(text));
}
