/*
 * total.h
 *		Totals of an offer, as values of SQL.
 */
#ifndef SCRM_TOTAL_H
#define SCRM_TOTAL_H

#include "postgres.h"

#include "money.h"

/*
 * An offer without lines, in the current memory context: method and currency are texts, and NULL means
 * what the company says. Errors: 23503 for an unknown currency, 22023 for an unknown method
 */
extern Offer *total_offer(NullableDatum method, NullableDatum currency,
						  NullableDatum prices_include_tax, bool wants_lines);

/* Sets the category of tax, a text; NULL means the usual one. Errors: 23514 */
extern void total_set_category(MoneyLine *line, NullableDatum category);

/* The computed offer as jsonb: see compute_totals() */
extern Datum total_to_jsonb(const Offer *offer, bool with_lines);

#endif /* SCRM_TOTAL_H */
