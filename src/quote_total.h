/*
 * quote_total.h
 *		What the lines of a quote come to.
 */
#ifndef SCRM_QUOTE_TOTAL_H
#define SCRM_QUOTE_TOTAL_H

#include "postgres.h"

#include "row.h"

/* Totals of a quote, which is locked, as jsonb, with its lines in their order; NULL without lines */
extern NullableDatum quote_total_compute(const Row *quote);

#endif /* SCRM_QUOTE_TOTAL_H */
