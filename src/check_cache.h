/*
 * check_cache.h
 *		Compiled CHECK constraints and WHEN conditions of the tables of sales_crm, kept for the
 *		session.
 */
#ifndef SCRM_CHECK_CACHE_H
#define SCRM_CHECK_CACHE_H

#include "postgres.h"

#include "nodes/execnodes.h"

extern void check_cache_init(void);

/* Fills in what the executor would make itself with the first row that it checks */
extern void check_cache_fill(ResultRelInfo *result);

#endif /* SCRM_CHECK_CACHE_H */
