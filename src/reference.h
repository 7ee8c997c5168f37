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

/*
 * Has no event queued for each new row and foreign key: reference_check() checks those that are not
 * deferred
 */
extern void reference_take(ResultRelInfo *result);

/* Checks those of new rows, which are all there. Comes before AFTER triggers */
extern void reference_check(const ResultRelInfo *result, TupleTableSlot **rows, int count);

#endif /* SCRM_REFERENCE_H */
