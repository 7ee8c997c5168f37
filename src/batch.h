/*
 * batch.h
 *		Rows that a statement's consequences write, collected and written set by set.
 *
 * The plan takes one array per column, which it unnests, and after them the same values for all
 * rows. A module declares the batch on its stack, adds rows and flushes it at the end.
 */
#ifndef SCRM_BATCH_H
#define SCRM_BATCH_H

#include "postgres.h"

#include "plan.h"

typedef struct Batch
{
	ScrmPlan *plan;
	int ncolumns;								 /* arguments that are arrays, from the first on */
	Oid types[SCRM_PLAN_MAX_ARGS];				 /* of the elements */
	NullableDatum constants[SCRM_PLAN_MAX_ARGS]; /* of the arguments after the arrays */
	MemoryContext caller;						 /* of the arrays below */
	MemoryContext context; /* of values by reference, emptied with each flush */
	int nrows;
	int capacity;
	Datum *values[SCRM_PLAN_MAX_ARGS];
	bool *nulls[SCRM_PLAN_MAX_ARGS];
} Batch;

/* A batch that has no rows yet and costs nothing until it gets one */
extern void batch_open(Batch *batch, ScrmPlan *plan, int ncolumns, const Oid *types);
extern void batch_set_constant(Batch *batch, int argument, NullableDatum value);

/* Where values by reference are to be allocated before they are added */
extern MemoryContext batch_context(Batch *batch);

/* Adds a row; writes the rows so far when there are many */
extern void batch_add(Batch *batch, const NullableDatum *row);

/* Writes what is left and frees everything */
extern void batch_close(Batch *batch);

static inline NullableDatum
batch_value(Datum value)
{
	return (NullableDatum){.value = value, .isnull = false};
}

static inline NullableDatum
batch_null(void)
{
	return (NullableDatum){.value = (Datum) 0, .isnull = true};
}

/* A key, of which 0 means NULL */
static inline NullableDatum
batch_key(int64 key)
{
	return (NullableDatum){.value = Int64GetDatum(key), .isnull = key == 0};
}

#endif /* SCRM_BATCH_H */
