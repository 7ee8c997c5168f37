/*
 * reference_cache.h
 *		Foreign keys of the tables of sales_crm, checked once per key and statement.
 */
#ifndef SCRM_REFERENCE_CACHE_H
#define SCRM_REFERENCE_CACHE_H

#include "postgres.h"

#include "nodes/execnodes.h"

/*
 * Fills in the functions of triggers that an INSERT would look up with the first row; context is the
 * statement's
 */
extern void reference_cache_fill(ResultRelInfo *result, MemoryContext context);

#endif /* SCRM_REFERENCE_CACHE_H */
