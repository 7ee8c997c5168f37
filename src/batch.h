/*
 * batch.h
 *		Rows that a statement's consequences write, collected and written set by set.
 *
 * A module declares a static BatchPlan with what is to be done with the rows, a batch on its stack,
 * adds rows and closes it at the end. In the text, @rows stands for the rows, an item of FROM that
 * wants an alias with names for the columns; parameters after those of the columns have the same
 * values for all rows.
 */
#ifndef SCRM_BATCH_H
#define SCRM_BATCH_H

#include "postgres.h"

#include "plan.h"

typedef struct BatchPlan
{
	const char *sql;
	int ncolumns;
	int nargs;					   /* columns and what follows them */
	Oid types[SCRM_PLAN_MAX_ARGS]; /* of all of these */
	/* Does the same for one row without the statement, given all of these; may be NULL */
	void (*write_one)(const NullableDatum *values);
	ScrmPlan one; /* both filled in by batch_close() */
	ScrmPlan many;
} BatchPlan;

typedef struct Batch
{
	BatchPlan *plan;
	NullableDatum constants[SCRM_PLAN_MAX_ARGS]; /* of the arguments after the columns */
	MemoryContext caller;						 /* of the arrays below */
	MemoryContext context; /* of values by reference, emptied with each flush */
	int nrows;
	int capacity;
	Datum *values[SCRM_PLAN_MAX_ARGS];
	bool *nulls[SCRM_PLAN_MAX_ARGS];
} Batch;

/* A batch that has no rows yet and costs nothing until it gets one */
extern void batch_open(Batch *batch, BatchPlan *plan);
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

/* A text, NULL for NULL */
extern NullableDatum batch_text(const char *text);

/* A key, of which 0 means NULL */
static inline NullableDatum
batch_key(int64 key)
{
	return (NullableDatum){.value = Int64GetDatum(key), .isnull = key == 0};
}

#endif /* SCRM_BATCH_H */
