/*
 * reference.h
 *		Foreign keys of the tables of sales_crm, checked by their index, once per key and statement.
 */
#ifndef SCRM_REFERENCE_H
#define SCRM_REFERENCE_H

#include "postgres.h"

#include "nodes/execnodes.h"

/*
 * Fills in the functions of triggers that a statement would look up with its first row; context is the
 * statement's
 */
extern void reference_fill(ResultRelInfo *result, MemoryContext context);

/* Whether foreign keys, not deferred, are all that AFTER triggers per row look at of new rows */
extern bool reference_is_all(const ResultRelInfo *result);

/* Checks those of new rows, which are all there, without queueing a trigger for each */
extern void reference_check(const ResultRelInfo *result, TupleTableSlot **rows, int count);

#endif /* SCRM_REFERENCE_H */
